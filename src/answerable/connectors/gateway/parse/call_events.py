"""Build audit events of gateway decisions, counted refusals and revocations.

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
from answerable.model.ids import EventId, build_token_credential_id
from answerable.model.log_sources import HOOK, WEB, get_log_source_of_recorder
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
    recorder: str, raw_decision: RawRecord, call_end: CallEndRecord | None, raw: bytes
) -> AuditEvent:
    """Build the event of a decision and, if known, the end of its call.

    Args:
        recorder: Name of the recorder.
        raw_decision: The decision, with its own id (`has_matching_id`).
        call_end: End of its call; None for a blocked call or an unknown end.
        raw: Bytes of the end, empty without one.
    """
    decided = raw_decision.record
    caller, act = decided.caller, decided.act
    return AuditEvent(
        event_id=EventId(bytes.fromhex(decided.id)),
        event_time=decided.at,
        source=get_log_source_of_recorder(recorder),
        scope=recorder,
        written_by=_get_author_class(recorder),
        raw_sha256=hashlib.sha256(raw_decision.raw + b"\n" + raw).digest(),
        action=_action_of_method(act.method),
        outcome=_outcome_of_call(decided, call_end),
        native_id=str(decided.sequence),
        identity=act.identity,
        credential=build_token_credential_id(caller.token_sha256)
        if caller.token_sha256
        else "",
        person=caller.person,
        resource=_resource_of_target(act.target, act.server, act.name),
        resource_prefix=_tool_id_prefix(act.server) if act.server else "",
        resources=_list_monitored_resources(act),
        decision_id=decided.id,
        run=caller.run,
        entities=_list_argument_entities(act),
        facts=_list_call_facts(decided, call_end),
        recorder=recorder,
        sequence=decided.sequence,
        agent=caller.agent,
        tool=_tool_id_of_call(act),
    )


def build_refusals_event(
    recorder: str, refusals: RefusalCountRecord, raw: bytes
) -> AuditEvent:
    """Build the event of like requests that were rejected within a second."""
    return AuditEvent(
        event_id=recorded_event_id(recorder, refusals),
        event_time=refusals.at,
        source=get_log_source_of_recorder(recorder),
        scope=recorder,
        written_by=_get_author_class(recorder),
        raw_sha256=hashlib.sha256(raw).digest(),
        action=_refused_action(recorder, refusals.method),
        outcome=EventOutcome.DENIED,
        native_id=str(refusals.sequence),
        resource=f"server:mcp/{refusals.server}" if refusals.server else "",
        resource_prefix=_tool_id_prefix(refusals.server) if refusals.server else "",
        facts=(("count", str(refusals.count)), ("refused", refusals.why)),
        recorder=recorder,
        sequence=refusals.sequence,
        agent=refusals.agent,
        tool=f"{_tool_id_prefix(refusals.server)}*" if refusals.server else "",
    )


def build_revocation_event(
    recorder: str, revocation: RevocationApplied, raw: bytes
) -> AuditEvent:
    """Build the event of a revocation, which is an operator's act."""
    return AuditEvent(
        event_id=recorded_event_id(recorder, revocation),
        event_time=revocation.at,
        source=get_log_source_of_recorder(recorder),
        scope=recorder,
        written_by=_get_author_class(recorder),
        raw_sha256=hashlib.sha256(raw).digest(),
        action="answerable:revive" if revocation.revived else "answerable:kill",
        outcome=EventOutcome.SUCCESS,
        native_id=str(revocation.sequence),
        resource=revocation.subject,
        recorder=recorder,
        sequence=revocation.sequence,
    )


def _get_author_class(recorder: str) -> WrittenBy:
    """Return the author class of a record; a client hook's is self-reported."""
    is_hook = get_log_source_of_recorder(recorder) == HOOK
    return WrittenBy.SELF_REPORTED if is_hook else DECLARATION.written_by


def has_matching_id(recorder: str, decision_record: DecisionRecord) -> bool:
    """Return whether a decision has the id that its recorder assigned."""
    return decision_record.id == recorded_event_id(recorder, decision_record).hex()


def _action_of_method(method: str) -> str:
    """Return the action of an MCP method; a missing method gives `request`."""
    return f"mcp:{method or 'request'}"


def _refused_action(recorder: str, method: str) -> str:
    """Return the refused action: a call, or a sign-in at the web page."""
    return (
        f"web:{method}"
        if get_log_source_of_recorder(recorder) == WEB
        else _action_of_method(method)
    )


def _tool_id_prefix(server: str) -> str:
    """Return the prefix that the ids of an MCP server's tools share."""
    return f"tool:mcp/{server}/"


def _tool_id_of_call(call: CallSummary) -> str:
    """Return the tool id; a call without a tool gets the server's id.

    A decision point may be queried about an unknown server. A client's built-in tool
    has its id from the inventory.
    """
    if not call.server:
        return ""
    client = call.era.removeprefix(_HOOK_METHODS)
    if client != call.era and call.target is TargetKind.TOOL:
        server, _, tool = call.name.removeprefix(_MCP_TOOL_PREFIX).partition("__")
        if call.name.startswith(_MCP_TOOL_PREFIX) and tool:
            return _tool_id_prefix(server) + tool
        return f"tool:{client}/{call.name}"
    return _tool_id_prefix(call.server) + (
        call.name if call.target is TargetKind.TOOL else "*"
    )


def _resource_of_target(target: str, server: str, name: str) -> str:
    """Return the resource: a URI as is, other names within their server."""
    if target == TargetKind.RESOURCE:
        return name
    if target in (TargetKind.TOOL, TargetKind.PROMPT, TargetKind.TASK) and name:
        return f"{target}:mcp/{server}/{name}"
    return f"server:mcp/{server}" if server else ""


def _list_monitored_resources(call: CallSummary) -> tuple[str, ...]:
    """List the resources of a call that its agent had subscribed to."""
    parts = (each.partition(":") for each in call.watched)
    return tuple(
        _resource_of_target(target, call.server, name) for target, _, name in parts
    )


def _list_argument_entities(call: CallSummary) -> tuple[str, ...]:
    """List distinct entities of the arguments: type and text."""
    if call.acted is None:
        return ()
    values = call.acted.seen.values
    return tuple(dict.fromkeys(f"{each.kind}:{each.text}" for each in values))


def _outcome_of_call(
    decision_record: DecisionRecord, call_end: CallEndRecord | None
) -> EventOutcome:
    """Return the outcome: denied, failed, unknown, or that of its end."""
    if not decision_record.decision.passes:
        failed = decision_record.decision.effect is DecisionEffect.ERROR
        return EventOutcome.ERROR if failed else EventOutcome.DENIED
    return EventOutcome.UNKNOWN if call_end is None else _OUTCOMES[call_end.end.outcome]


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
    "self:trace_id",
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


def _list_call_facts(
    decision_record: DecisionRecord, call_end: CallEndRecord | None
) -> tuple[tuple[str, str], ...]:
    """Return the facts of a call, without empty ones."""
    caller, act, decision = (
        decision_record.caller,
        decision_record.act,
        decision_record.decision,
    )
    end = _NO_END if call_end is None else call_end.end
    told = (
        end.sha256,
        str(end.size or ""),
        act.arguments,
        act.asked_by,
        _encode_recorded_behaviour(act),
        _summarize_result(end),
        " ".join(caller.chain),
        str(end.code or ""),
        decision.durability.value,
        decision.effect.value,
        _describe_call_end(decision_record, call_end),
        str(call_end.sequence) if call_end is not None else "",
        " ".join(end.inputs),
        act.jti,
        "true" if caller.known else "false",
        decision.layer.value,
        str((call_end.at - decision_record.at) // 1_000_000)
        if call_end is not None
        else "",
        decision.mode.value,
        end.state,
        decision.policy,
        caller.principal,
        decision.reason.value,
        act.era,
        " ".join(decision.determining),
        act.trace,
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


def _encode_recorded_behaviour(call: CallSummary) -> str:
    """Encode the values and tables of a baseline-monitored call as JSON."""
    return "" if call.acted is None else msgspec.json.encode(call.acted).decode()


def _summarize_result(result: CallResult) -> str:
    """Summarise the result of a monitored call: bytes, records, outsiders' text."""
    if not result.came:
        return ""
    return f"{result.text} {result.records} {'untrusted' if result.untrusted else 'trusted'}"


def _describe_call_end(
    decision_record: DecisionRecord, call_end: CallEndRecord | None
) -> str:
    """Return how a gateway call ended, or `never recorded`."""
    if call_end is not None:
        return call_end.end.outcome.value
    return "never recorded" if decision_record.decision.passes else ""
