"""Events of gateway records: a decision with its end, or counted refusals.

The event is a function of the records' bytes alone. So a repeated read, in any pieces,
builds the same event, and the store recognises it.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from answerable.connectors.gateway.declaration import SPEC
from answerable.model.decision import Effect, Target
from answerable.model.event import AuditEvent, Outcome
from answerable.model.ids import EventId, event_id, token_credential_id
from answerable.model.provenance import WrittenBy
from answerable.model.spool_record import (
    HOOK,
    WEB,
    Act,
    Decided,
    End,
    Ended,
    Ending,
    Kill,
    Refusals,
    source_of,
)

_HOOKED = "hook/"  # in the era of an act, before the client that asked
_MCP = "mcp__"  # before SERVER__TOOL, where a client calls a server
# A call of which nothing readable came back may have happened.
_OUTCOMES = {
    Ending.COMPLETED: Outcome.SUCCESS,
    Ending.FAILED: Outcome.ERROR,
    Ending.CANCELLED: Outcome.ERROR,
    Ending.UNKNOWN: Outcome.UNKNOWN,
    Ending.UPSTREAM_ERROR: Outcome.UNKNOWN,
    Ending.LEAKED: Outcome.ERROR,
    Ending.WITHHELD: Outcome.DENIED,
}


@dataclass(frozen=True, slots=True)
class Told:
    """Record with its chained bytes."""

    record: Decided
    raw: bytes


def event_of(recorder: str, told: Told, ended: Ended | None, raw: bytes) -> AuditEvent:
    """Build the event of a decision.

    Args:
        recorder: Name of the recorder.
        told: The decision, with its own id (`is_own`).
        ended: End of its call; None for a blocked call or an unknown end.
        raw: Bytes of the end, empty without one.
    """
    decided = told.record
    caller, act = decided.caller, decided.act
    return AuditEvent(
        event_id=EventId(bytes.fromhex(decided.id)),
        event_time=decided.at,
        source=source_of(recorder),
        scope=recorder,
        written_by=_written_by(recorder),
        raw_sha256=hashlib.sha256(told.raw + b"\n" + raw).digest(),
        action=_action(act.method),
        outcome=_outcome(decided, ended),
        native_id=str(decided.sequence),
        identity=act.identity,
        credential=token_credential_id(caller.token_sha256)
        if caller.token_sha256
        else "",
        person=caller.person,
        resource=_resource(act.target, act.server, act.name),
        resource_prefix=_tools(act.server) if act.server else "",
        resources=_watched(act),
        decision_id=decided.id,
        run=caller.run,
        entities=_entities(act),
        facts=_facts(decided, ended),
        recorder=recorder,
        sequence=decided.sequence,
        agent=caller.agent,
        tool=_tool(act),
    )


def refusals_of(recorder: str, refused: Refusals, raw: bytes) -> AuditEvent:
    """Build the event of like requests that were rejected within a second."""
    return AuditEvent(
        event_id=_id(recorder, refused),
        event_time=refused.at,
        source=source_of(recorder),
        scope=recorder,
        written_by=_written_by(recorder),
        raw_sha256=hashlib.sha256(raw).digest(),
        action=_turned_away(recorder, refused.method),
        outcome=Outcome.DENIED,
        native_id=str(refused.sequence),
        resource=f"server:mcp/{refused.server}" if refused.server else "",
        resource_prefix=_tools(refused.server) if refused.server else "",
        facts=(("count", str(refused.count)), ("refused", refused.why)),
        recorder=recorder,
        sequence=refused.sequence,
        agent=refused.agent,
        tool=f"{_tools(refused.server)}*" if refused.server else "",
    )


def kill_of(recorder: str, kill: Kill, raw: bytes) -> AuditEvent:
    """Build the event of a revocation, which is an operator's act."""
    return AuditEvent(
        event_id=_id(recorder, kill),
        event_time=kill.at,
        source=source_of(recorder),
        scope=recorder,
        written_by=_written_by(recorder),
        raw_sha256=hashlib.sha256(raw).digest(),
        action="answerable:revive" if kill.revived else "answerable:kill",
        outcome=Outcome.SUCCESS,
        native_id=str(kill.sequence),
        resource=kill.subject,
        recorder=recorder,
        sequence=kill.sequence,
    )


def _written_by(recorder: str) -> WrittenBy:
    """Return the author class of a record; a client hook's is self-reported."""
    is_hook = source_of(recorder) == HOOK
    return WrittenBy.SELF_REPORTED if is_hook else SPEC.written_by


def is_own(recorder: str, decided: Decided) -> bool:
    """Tell whether a decision has the id that its recorder assigned."""
    return decided.id == _id(recorder, decided).hex()


def _id(recorder: str, record: Decided | Refusals | Kill) -> EventId:
    return event_id(record.at, source_of(recorder), recorder, b"%d" % record.sequence)


def _action(method: str) -> str:
    """Return the action of a method; without a method it is a request."""
    return f"mcp:{method or 'request'}"


def _turned_away(recorder: str, method: str) -> str:
    """Return the refused action: a call, or a sign-in at the web page."""
    return f"web:{method}" if source_of(recorder) == WEB else _action(method)


def _tools(server: str) -> str:
    return f"tool:mcp/{server}/"


def _tool(act: Act) -> str:
    """Return the tool id; a call without a tool gets the server's id.

    A decision point may be queried about an unknown server. A client's built-in tool
    has its id from the inventory.
    """
    if not act.server:
        return ""
    client = act.era.removeprefix(_HOOKED)
    if client != act.era and act.target is Target.TOOL:
        server, _, tool = act.name.removeprefix(_MCP).partition("__")
        if act.name.startswith(_MCP) and tool:
            return _tools(server) + tool
        return f"tool:{client}/{act.name}"
    return _tools(act.server) + (act.name if act.target is Target.TOOL else "*")


def _resource(target: str, server: str, name: str) -> str:
    """Return the resource: a URI as is, other names within their server."""
    if target == Target.RESOURCE:
        return name
    if target in (Target.TOOL, Target.PROMPT, Target.TASK) and name:
        return f"{target}:mcp/{server}/{name}"
    return f"server:mcp/{server}" if server else ""


def _watched(act: Act) -> tuple[str, ...]:
    parts = (each.partition(":") for each in act.watched)
    return tuple(_resource(target, act.server, name) for target, _, name in parts)


def _entities(act: Act) -> tuple[str, ...]:
    """List distinct entities of the arguments: type and text."""
    if act.acted is None:
        return ()
    values = act.acted.seen.values
    return tuple(dict.fromkeys(f"{each.kind}:{each.text}" for each in values))


def _outcome(decided: Decided, ended: Ended | None) -> Outcome:
    if not decided.decision.passes:
        failed = decided.decision.effect is Effect.ERROR
        return Outcome.ERROR if failed else Outcome.DENIED
    return Outcome.UNKNOWN if ended is None else _OUTCOMES[ended.end.outcome]


# Sorted, as facts are. Whatever is empty is left out.
_FACTS = (
    "answer",
    "answer_size",
    "arguments",
    "asked_by",
    "behaviour",
    "came",
    "chain",
    "code",
    "durability",
    "effect",
    "ended",
    "ended_sequence",
    "inputs",
    "jti",
    "known",
    "layer",
    "milliseconds",
    "mode",
    "next_state",
    "policy",
    "principal",
    "reason",
    "revision",
    "rules",
    "session",
    "shown",
    "shown_to_server",
    "size",
    "state",
    "status",
    "target",
    "task",
)
_NO_END = End(Ending.UNKNOWN)


def _facts(decided: Decided, ended: Ended | None) -> tuple[tuple[str, str], ...]:
    caller, act, decision = decided.caller, decided.act, decided.decision
    end = _NO_END if ended is None else ended.end
    told = (
        end.sha256,
        str(end.size or ""),
        act.arguments,
        act.asked_by,
        _behaviour(act),
        _came(end),
        " ".join(caller.chain),
        str(end.code or ""),
        decision.durability.value,
        decision.effect.value,
        _ending(decided, ended),
        str(ended.sequence) if ended is not None else "",
        " ".join(end.inputs),
        act.jti,
        "true" if caller.known else "false",
        decision.layer.value,
        str((ended.at - decided.at) // 1_000_000) if ended is not None else "",
        decision.mode.value,
        end.state,
        decision.policy,
        caller.principal,
        decision.reason.value,
        act.era,
        " ".join(decision.determining),
        act.session,
        caller.shown.value,
        act.credential,
        str(act.size),
        act.state,
        str(end.status or ""),
        act.target.value,
        end.task,
    )
    return tuple([pair for pair in zip(_FACTS, told, strict=True) if pair[1]])


def _behaviour(act: Act) -> str:
    return "" if act.acted is None else msgspec.json.encode(act.acted).decode()


def _came(end: End) -> str:
    """Summarise the result of a monitored call: bytes, records, outsiders' text."""
    if not end.came:
        return ""
    return f"{end.text} {end.records} {'untrusted' if end.untrusted else 'trusted'}"


def _ending(decided: Decided, ended: Ended | None) -> str:
    if ended is not None:
        return ended.end.outcome.value
    return "never recorded" if decided.decision.passes else ""
