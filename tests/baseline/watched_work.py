"""Records of an agent's work through a gateway, with what its calls did."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from msgspec import structs

from answerable.model.ids import build_event_id
from answerable.model.spool_record import (
    CallBehaviour,
    CallEndRecord,
    CallOutcome,
    CallResult,
    DecisionRecord,
    SpoolRecord,
    VerifiedCaller,
)
from tests.baseline.bank_scenario import SUBJECT, played
from tests.connectors.gateway.spool_files import ACT, ALLOW, NAME, opened


def record_work(
    runs: Iterable[tuple[Sequence[Any], int, VerifiedCaller]],
    asked: str,
    *,
    untrusted: bool = False,
) -> list[SpoolRecord]:
    """Record the allowed calls of some runs: script, time and caller of each."""
    records: list[SpoolRecord] = [opened()]
    for day, (script, at, caller) in enumerate(runs):
        for call in played(tuple(script), f"run-{day}", at, asked).calls:
            number = len(records) + 1
            seen = replace(call, size=0, records=0, untrusted=False)
            act = structs.replace(
                ACT,
                server="bank",
                name=call.tool.partition("/")[2],
                acted=CallBehaviour(seen, SUBJECT.identity, 3600),
            )
            key = build_event_id(call.at, "gateway", NAME, str(number).encode()).hex()
            end = CallResult(
                CallOutcome.COMPLETED, 200, came=True, text=10, untrusted=untrusted
            )
            records.append(DecisionRecord(number, call.at, key, caller, act, ALLOW))
            records.append(CallEndRecord(number + 1, call.at + 1, number, end))
    return records
