"""A recorder on a loop of its own, and decisions to give it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from answerable.evidence.spool_format import (
    initial_chain_hash,
    parse_spool_line,
    verify_chain_hash,
)
from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionReason,
    EnforcementMode,
    RecordDurability,
    TargetKind,
)
from answerable.model.ids import AgentId
from answerable.model.spool_record import CallOutcome, CallResult, SpoolRecord
from answerable.model.worker_limits import WorkerLimits
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import McpRevision
from answerable.server.recording.record_ticket import NotRecorded

TOKEN = b"\x07" * 32
CALLER = VerifiedCaller(
    agent=AgentId("agent:declared/invoices"),
    known=True,
    person="person:ana@example.com",
    run="run-1",
    shown=AuthenticationMethod.DPOP_TOKEN,
    principal="corp/svc-invoices",
    token_sha256=TOKEN,
    expires=0,
)
OTHER = replace(CALLER, agent=AgentId("agent:declared/reporter"))
SECRET = "a word that nobody may keep"
BODY = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "read_file", "arguments": {"path": SECRET}},
    }
).encode()
_AT = BODY.index(b'{"path"')
CALL = McpCall(
    McpRevision.V2026_07_28,
    MessageKind.REQUEST,
    "tools/call",
    1,
    "files",
    TargetKind.TOOL,
    "read_file",
    arguments=memoryview(BODY)[_AT : BODY.index(b"}", _AT) + 1],
)
BUFFERED = Decision(
    effect=DecisionEffect.ALLOW,
    passes=True,
    mode=EnforcementMode.ENFORCE,
    reason=DecisionReason.ALLOWED,
    determining=("agents.invoices.allow[0]",),
    policy="ab" * 32,
    durability=RecordDurability.BUFFERED,
)
DURABLE = replace(BUFFERED, durability=RecordDurability.DURABLE)
DENIED = replace(
    BUFFERED, effect=DecisionEffect.DENY, passes=False, reason=DecisionReason.NO_RULE
)
COMPLETED = CallResult(CallOutcome.COMPLETED, status=200, size=512, sha256="cd" * 32)

USUAL = WorkerLimits()

Story = Callable[[GatewayRecorder], Awaitable[None]]


def recording(
    spool: Path, story: Story, limits: WorkerLimits = USUAL, *, worker: int = 0
) -> str:
    """Run a story with a recorder, and close it.

    Returns:
        The recorder's name.
    """

    async def run() -> str:
        recorder = GatewayRecorder(spool, worker, asyncio.get_running_loop(), limits)
        try:
            await story(recorder)
        finally:
            recorder.close()
        return recorder.name

    return asyncio.run(run())


def lines(spool: Path) -> list[bytes]:
    """Give the lines of the only recorder."""
    data = b"".join(file.read_bytes() for file in sorted(spool.glob("*/*.jsonl")))
    return data.rstrip(b"\0").splitlines(keepends=True)


def records(spool: Path) -> list[SpoolRecord]:
    """Give the records of the only recorder, and hold them to their chain."""
    (folder,) = (path for path in spool.iterdir() if path.is_dir())
    chain, found = initial_chain_hash(folder.name), []
    for line in lines(spool):
        record, raw, after = parse_spool_line(line)
        assert verify_chain_hash(raw, after, chain)
        found.append(record)
        chain = after
    return found


def is_recorded(recorder: GatewayRecorder) -> bool:
    """Record a call; say whether that was possible."""
    try:
        recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
    except NotRecorded:
        return False
    return True


async def until(what: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that another thread brings about."""
    for _ in range(int(seconds * 100)):
        if what():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError
