"""Spools to read: records of every kind, written as a recorder writes them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from answerable.evidence.spool_format import (
    encode_record,
    encode_spool_lines,
    initial_chain_hash,
)
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionReason,
    EnforcementMode,
    RecordDurability,
    TargetKind,
)
from answerable.model.ids import AgentId, build_event_id
from answerable.model.spool_record import (
    CallEndRecord,
    CallOutcome,
    CallResult,
    CallSummary,
    DecisionRecord,
    RecorderClosed,
    RecorderOpened,
    RefusalCountRecord,
    SpoolRecord,
)

T0 = 1_794_000_000_000_000_000
NAME = "0123456789abcdef"
CALLER = VerifiedCaller(
    AgentId("agent:declared/invoices"),
    True,
    "person:ana@corp.example",
    "run-1",
    AuthenticationMethod.DPOP_TOKEN,
    "corp/svc-invoices",
    b"\x07" * 32,
    0,
)
ACT = CallSummary(
    "2026-07-28", "tools/call", "files", TargetKind.TOOL, "read_file", size=99
)
ALLOW = Decision(
    DecisionEffect.ALLOW,
    True,
    EnforcementMode.ENFORCE,
    DecisionReason.ALLOWED,
    ("agents.invoices.allow[0]",),
    "ab" * 32,
    RecordDurability.DURABLE,
)
DENY = replace(
    ALLOW, effect=DecisionEffect.DENY, passes=False, reason=DecisionReason.NO_RULE
)
ERROR = replace(DENY, effect=DecisionEffect.ERROR, reason=DecisionReason.EVALUATION)
SHADOWED = replace(
    ALLOW,
    effect=DecisionEffect.DENY,
    mode=EnforcementMode.SHADOW,
    reason=DecisionReason.NO_RULE,
)


def decided(
    number: int,
    decision: Decision = ALLOW,
    act: CallSummary = ACT,
    caller: VerifiedCaller = CALLER,
    name: str = NAME,
) -> DecisionRecord:
    """Make a decision as the recorder numbers and names it."""
    at = T0 + number * 10**9
    key = build_event_id(at, "gateway", name, str(number).encode()).hex()
    return DecisionRecord(number, at, key, caller, act, decision)


def ended(
    number: int, of: int, outcome: CallOutcome = CallOutcome.COMPLETED
) -> CallEndRecord:
    """Make the end of a call."""
    end = CallResult(outcome, status=200, size=512, sha256="cd" * 32)
    return CallEndRecord(number, T0 + number * 10**9, of, end)


def opened(previous: str = "", recorded: int = 0, name: str = NAME) -> RecorderOpened:
    """Make the first record."""
    return RecorderOpened(1, T0, name, 0, previous, recorded)


def refused(number: int, why: str = "not-json", count: int = 7) -> RefusalCountRecord:
    """Make a count of refusals."""
    return RefusalCountRecord(number, T0 + number * 10**9, why, count)


def closed(number: int) -> RecorderClosed:
    """Make the last record."""
    return RecorderClosed(number, T0 + number * 10**9)


def spelled(records: Sequence[SpoolRecord], name: str = NAME) -> bytes:
    """Spell records as one file."""
    return encode_spool_lines(map(encode_record, records), initial_chain_hash(name))[0]


def write(spool: Path, data: bytes, name: str = NAME, cuts: Sequence[int] = ()) -> Path:
    """Write a recorder's folder: its bytes cut into files at whole lines.

    Args:
        spool: Where.
        data: All its lines.
        name: The recorder.
        cuts: After so many lines a new file begins.
    """
    folder = spool / name
    folder.mkdir(parents=True)
    parts = data.splitlines(keepends=True)
    edges = [0, *sorted({min(cut, len(parts)) for cut in cuts}), len(parts)]
    for number, start in enumerate(edges[:-1]):
        part = b"".join(parts[start : edges[number + 1]])
        (folder / f"{number + 1:06d}.jsonl").write_bytes(part)
    return folder


@st.composite
def recordings(draw: st.DrawFn) -> list[SpoolRecord]:
    """What a recorder may have recorded: ends come after their decisions, if at all."""
    records: list[SpoolRecord] = [opened()]
    open_calls: list[int] = []
    for step in draw(st.lists(st.integers(0, 9), max_size=12)):
        number = len(records) + 1
        if open_calls and step < 4:
            outcome = draw(st.sampled_from(list(CallOutcome)))
            place = draw(st.integers(0, len(open_calls) - 1))
            records.append(ended(number, open_calls.pop(place), outcome))
        elif step == 4:
            records.append(refused(number))
        else:
            decision = draw(st.sampled_from([ALLOW, ALLOW, DENY, ERROR, SHADOWED]))
            records.append(decided(number, decision))
            if decision.passes:
                open_calls.append(number)
    return records
