"""Events of gateway records: a decision with its end, or counted refusals.

The event is a function of the records' bytes alone. So a repeated read, in any pieces,
builds the same event, and the store recognises it.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from answerable.connectors.gateway.declaration import DECLARATION
from answerable.connectors.gateway.parse.event_ids import recorded_event_id
from answerable.model.decision import DecisionEffect, TargetKind
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.event_sources import HOOK, WEB, source_of_recorder
from answerable.model.ids import EventId, token_credential_id
from answerable.model.provenance import WrittenBy
from answerable.model.spool_record import (
    CallEndRecord,
    CallOutcome,
    CallResult,
    CallSummary,
    DecisionRecord,
    RefusalCountRecord,
    RevocationApplied,
)

_HOOK_METHODS = "hook/"  # in the era of an act, before the client that asked
_MCP_TOOL_PREFIX = "mcp__"  # before SERVER__TOOL, where a client calls a server
# A call of which nothing readable came back may have happened.
_OUTCOMES = {
    CallOutcome.COMPLETED: EventOutcome.SUCCESS,
    CallOutcome.FAILED: EventOutcome.ERROR,
    CallOutcome.CANCELLED: EventOutcome.ERROR,
    CallOutcome.UNKNOWN: EventOutcome.UNKNOWN,
    CallOutcome.UPSTREAM_ERROR: EventOutcome.UNKNOWN,
    CallOutcome.LEAKED: EventOutcome.ERROR,
    CallOutcome.WITHHELD: EventOutcome.DENIED,
}


@dataclass(frozen=True, slots=True)
class RawRecord:
    """Record with its chained bytes."""

    record: DecisionRecord
    raw: bytes


def build_call_event(
    recorder: str, told: RawRecord, ended: CallEndRecord | None, raw: bytes
) -> AuditEvent:
    """Build the event of a decision.

    Args:
        recorder: Name of the recorder.
        told: The decision, with its own id (`has_own_id`).
        ended: End of its call; None for a blocked call or an unknown end.
        raw: Bytes of the end, empty without one.
    """
    decided = told.record
    caller, act = decided.caller, decided.act
    return AuditEvent(
        event_id=EventId(bytes.fromhex(decided.id)),
        event_time=decided.at,
        source=source_of_recorder(recorder),
        scope=recorder,
        written_by=_author_of_recorder(recorder),
        raw_sha256=hashlib.sha256(told.raw + b"\n" + raw).digest(),
        action=_action_of_method(act.method),
        outcome=_outcome_of_call(decided, ended),
        native_id=str(decided.sequence),
        identity=act.identity,
        credential=token_credential_id(caller.token_sha256)
        if caller.token_sha256
        else "",
        person=caller.person,
        resource=_resource_of_target(act.target, act.server, act.name),
        resource_prefix=_tool_prefix(act.server) if act.server else "",
        resources=_watched_resources(act),
        decision_id=decided.id,
        run=caller.run,
        entities=_argument_entities(act),
        facts=_call_facts(decided, ended),
        recorder=recorder,
        sequence=decided.sequence,
        agent=caller.agent,
        tool=_tool_of_call(act),
    )


def build_refusals_event(
    recorder: str, refused: RefusalCountRecord, raw: bytes
) -> AuditEvent:
    """Build the event of like requests that were rejected within a second."""
    return AuditEvent(
        event_id=recorded_event_id(recorder, refused),
        event_time=refused.at,
        source=source_of_recorder(recorder),
        scope=recorder,
        written_by=_author_of_recorder(recorder),
        raw_sha256=hashlib.sha256(raw).digest(),
        action=_refused_action(recorder, refused.method),
        outcome=EventOutcome.DENIED,
        native_id=str(refused.sequence),
        resource=f"server:mcp/{refused.server}" if refused.server else "",
        resource_prefix=_tool_prefix(refused.server) if refused.server else "",
        facts=(("count", str(refused.count)), ("refused", refused.why)),
        recorder=recorder,
        sequence=refused.sequence,
        agent=refused.agent,
        tool=f"{_tool_prefix(refused.server)}*" if refused.server else "",
    )


def build_revocation_event(
    recorder: str, kill: RevocationApplied, raw: bytes
) -> AuditEvent:
    """Build the event of a revocation, which is an operator's act."""
    return AuditEvent(
        event_id=recorded_event_id(recorder, kill),
        event_time=kill.at,
        source=source_of_recorder(recorder),
        scope=recorder,
        written_by=_author_of_recorder(recorder),
        raw_sha256=hashlib.sha256(raw).digest(),
        action="answerable:revive" if kill.revived else "answerable:kill",
        outcome=EventOutcome.SUCCESS,
        native_id=str(kill.sequence),
        resource=kill.subject,
        recorder=recorder,
        sequence=kill.sequence,
    )


def _author_of_recorder(recorder: str) -> WrittenBy:
    """Return the author class of a record; a client hook's is self-reported."""
    is_hook = source_of_recorder(recorder) == HOOK
    return WrittenBy.SELF_REPORTED if is_hook else DECLARATION.written_by


def has_own_id(recorder: str, decided: DecisionRecord) -> bool:
    """Tell whether a decision has the id that its recorder assigned."""
    return decided.id == recorded_event_id(recorder, decided).hex()


def _action_of_method(method: str) -> str:
    """Return the action of a method; without a method it is a request."""
    return f"mcp:{method or 'request'}"


def _refused_action(recorder: str, method: str) -> str:
    """Return the refused action: a call, or a sign-in at the web page."""
    return (
        f"web:{method}"
        if source_of_recorder(recorder) == WEB
        else _action_of_method(method)
    )


def _tool_prefix(server: str) -> str:
    return f"tool:mcp/{server}/"


def _tool_of_call(act: CallSummary) -> str:
    """Return the tool id; a call without a tool gets the server's id.

    A decision point may be queried about an unknown server. A client's built-in tool
    has its id from the inventory.
    """
    if not act.server:
        return ""
    client = act.era.removeprefix(_HOOK_METHODS)
    if client != act.era and act.target is TargetKind.TOOL:
        server, _, tool = act.name.removeprefix(_MCP_TOOL_PREFIX).partition("__")
        if act.name.startswith(_MCP_TOOL_PREFIX) and tool:
            return _tool_prefix(server) + tool
        return f"tool:{client}/{act.name}"
    return _tool_prefix(act.server) + (
        act.name if act.target is TargetKind.TOOL else "*"
    )


def _resource_of_target(target: str, server: str, name: str) -> str:
    """Return the resource: a URI as is, other names within their server."""
    if target == TargetKind.RESOURCE:
        return name
    if target in (TargetKind.TOOL, TargetKind.PROMPT, TargetKind.TASK) and name:
        return f"{target}:mcp/{server}/{name}"
    return f"server:mcp/{server}" if server else ""


def _watched_resources(act: CallSummary) -> tuple[str, ...]:
    parts = (each.partition(":") for each in act.watched)
    return tuple(
        _resource_of_target(target, act.server, name) for target, _, name in parts
    )


def _argument_entities(act: CallSummary) -> tuple[str, ...]:
    """List distinct entities of the arguments: type and text."""
    if act.acted is None:
        return ()
    values = act.acted.seen.values
    return tuple(dict.fromkeys(f"{each.kind}:{each.text}" for each in values))


def _outcome_of_call(
    decided: DecisionRecord, ended: CallEndRecord | None
) -> EventOutcome:
    if not decided.decision.passes:
        failed = decided.decision.effect is DecisionEffect.ERROR
        return EventOutcome.ERROR if failed else EventOutcome.DENIED
    return EventOutcome.UNKNOWN if ended is None else _OUTCOMES[ended.end.outcome]


# Sorted, as facts are. Empty values are left out.
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
_NO_END = CallResult(CallOutcome.UNKNOWN)


def _call_facts(
    decided: DecisionRecord, ended: CallEndRecord | None
) -> tuple[tuple[str, str], ...]:
    caller, act, decision = decided.caller, decided.act, decided.decision
    end = _NO_END if ended is None else ended.end
    told = (
        end.sha256,
        str(end.size or ""),
        act.arguments,
        act.asked_by,
        _encode_behaviour(act),
        _result_summary(end),
        " ".join(caller.chain),
        str(end.code or ""),
        decision.durability.value,
        decision.effect.value,
        _ending_of_call(decided, ended),
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


def _encode_behaviour(act: CallSummary) -> str:
    return "" if act.acted is None else msgspec.json.encode(act.acted).decode()


def _result_summary(end: CallResult) -> str:
    """Summarise the result of a monitored call: bytes, records, outsiders' text."""
    if not end.came:
        return ""
    return f"{end.text} {end.records} {'untrusted' if end.untrusted else 'trusted'}"


def _ending_of_call(decided: DecisionRecord, ended: CallEndRecord | None) -> str:
    if ended is not None:
        return ended.end.outcome.value
    return "never recorded" if decided.decision.passes else ""
