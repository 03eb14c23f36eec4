"""Parse OTLP JSON into events of agents and MCP; other telemetry is skipped.

Sources: OpenTelemetry, "Semantic conventions for Model Context Protocol" and "for
generative AI tool execution" (github.com/open-telemetry/semantic-conventions-genai,
docs/gen-ai/mcp.md and docs/gen-ai/execute-tool.md); Claude Code documentation,
"Monitoring" (code.claude.com/docs/en/monitoring-usage).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

from answerable.connectors.formats.log_entry import (
    LogEntry,
    build_event,
    describe_decoding_error,
)
from answerable.connectors.formats.log_format import (
    EventFactory,
    LogFormat,
    LogOptions,
    ParsedRecord,
    RecordRefused,
)
from answerable.connectors.formats.parsed_parts import ParsedParts
from answerable.connectors.otel.declaration import DECLARATION
from answerable.connectors.otel.otlp_types import (
    ResourceTelemetry,
    Scope,
    ScopeTelemetry,
    Telemetry,
    get_attributes,
    get_safe_text,
)
from answerable.model.event import EventOutcome

_NOUN = "not OTLP JSON"
_EVENT_SCOPES = {
    "com.anthropic.claude_code": "claude_code.",
    "com.anthropic.claude_code.events": "claude_code.",
}
_EVENT_NAME = re.compile(r"(?:claude_code|codex|gemini_cli|gen_ai|mcp)\.[\w.]{1,100}")
_OPERATION = re.compile(r"[\w./-]{1,128}")
_HEX_ID = re.compile(r"[0-9a-fA-F]{16}|[0-9a-fA-F]{32}")
_NANOSECONDS = re.compile(r"[1-9]\d{17,18}")  # since 1973
_ERROR_CODES = (2, "2", "STATUS_CODE_ERROR")
_SUCCESS_CODES = (1, "1", "STATUS_CODE_OK")
_OUTCOMES_OF_ATTRIBUTES = {
    ("success", "true"): EventOutcome.SUCCESS,
    ("success", "false"): EventOutcome.ERROR,
    ("decision", "accept"): EventOutcome.SUCCESS,
    ("decision", "reject"): EventOutcome.DENIED,
    ("decision_type", "accept"): EventOutcome.SUCCESS,
    ("decision_type", "reject"): EventOutcome.DENIED,
}
_OUTCOME_ATTRIBUTES = tuple(dict.fromkeys(name for name, _ in _OUTCOMES_OF_ATTRIBUTES))
_OPERATION_KEYS = ("mcp.method.name", "gen_ai.operation.name")
_NO_OPERATION = RecordRefused("the operation of an agent or MCP is not a name")
_OTHER = "telemetry that is not of an agent or MCP"
_AGENT_NAMES = ("gen_ai.agent.id", "gen_ai.agent.name")
# Attributes that are stored as facts; the values are names, ids and numbers.
_FACTS = (
    "agent_id",
    "call_id",
    "decision",
    "decision_source",
    "decision_type",
    "error.type",
    "event.sequence",
    "function_name",
    "gen_ai.agent.id",
    "gen_ai.agent.name",
    "gen_ai.conversation.id",
    "gen_ai.operation.name",
    "gen_ai.tool.call.id",
    "gen_ai.tool.name",
    "jsonrpc.request.id",
    "mcp.method.name",
    "mcp.session.id",
    "parent_agent_id",
    "prompt.id",
    "prompt_id",
    "request_id",
    "session.id",
    "tool_name",
    "tool_use_id",
)
_FACT_OF_ATTRIBUTE = {name: f"self:{name}" for name in _FACTS}
_RESOURCES = msgspec.json.Decoder(ResourceTelemetry)
_SCOPES = msgspec.json.Decoder(Scope | None)
_TELEMETRY = msgspec.json.Decoder(Telemetry)


def _parse_resource(
    raw: bytes, options: LogOptions, make: EventFactory
) -> ParsedRecord | list[ParsedRecord]:
    """Parse the telemetry of one resource into events, or refuse it.

    Of the unreadable records, only the first reason is kept. A receiver sets the options
    `sender`, and `agents`: the agents that telemetry of this sender may name, one per
    line.
    """
    try:
        found = _RESOURCES.decode(raw)
        if bytes(found.resource_metrics):
            return RecordRefused("metrics, which contain no events", skipped=True)
        scopes = [*(found.scope_spans or ()), *(found.scope_logs or ())]
        if found.resource_spans == [] or found.resource_logs == []:
            return []
        if found.scope_spans is None and found.scope_logs is None:
            return RecordRefused(f"{_NOUN}: it has no spans and no log records")
    except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
        return RecordRefused(describe_decoding_error(_NOUN, refusal))
    resource = bytes(found.resource)
    return _group_refusals(
        event
        for scope in scopes
        for event in _parse_scope(resource, scope, options, make)
    )


def _group_refusals(events: Iterable[ParsedRecord | None]) -> list[ParsedRecord]:
    """List events, then the count of unreadable records, and that of other ones."""
    parsed: list[ParsedRecord] = []
    refused: list[RecordRefused] = []
    skipped = 0
    for event in events:
        if event is None:
            skipped += 1
        elif isinstance(event, RecordRefused):
            refused.append(event)
        else:
            parsed.append(event)
    if refused:
        count = sum(each.count for each in refused)
        parsed.append(RecordRefused(refused[0].reason, count=count))
    if skipped:
        parsed.append(RecordRefused(_OTHER, skipped=True, count=skipped))
    return parsed


def _parse_scope(
    resource: bytes, scope: ScopeTelemetry, options: LogOptions, make: EventFactory
) -> Iterator[ParsedRecord | None]:
    """Yield for each record of one scope its event, or the refusal.

    None stands for a record that is not of an agent or MCP.
    """
    raws = (*(scope.spans or ()), *(scope.log_records or ()))
    try:
        name = _scope_names[bytes(scope.scope)]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
        reason = describe_decoding_error(_NOUN, refusal)
        yield RecordRefused(reason, count=max(len(raws), 1))
        return
    for raw in raws:
        try:
            telemetry = _TELEMETRY.decode(raw)
            entry = _read_telemetry(telemetry, name, options)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
            yield RecordRefused(describe_decoding_error(_NOUN, refusal))
            continue
        if entry is None or isinstance(entry, RecordRefused):
            yield entry
        else:
            context = b",".join((resource, bytes(scope.scope), bytes(raw)))
            yield build_event(DECLARATION, b"[" + context + b"]", entry, make)


def _parse_scope_name(raw: bytes) -> str:
    """Parse the name of a scope, which most records share.

    Raises:
        msgspec.DecodeError: It is not a scope.
    """
    return (_SCOPES.decode(raw) or Scope()).name or ""


_scope_names = ParsedParts(_parse_scope_name)


def _read_telemetry(
    telemetry: Telemetry, scope: str, options: LogOptions
) -> LogEntry | RecordRefused | None:
    """Map a span or log record to its entry; None if it is not of an agent or MCP."""
    attributes = get_attributes(telemetry.attributes)
    operation = _get_operation(telemetry, attributes, scope)
    if not operation:
        listed = telemetry.attributes or ()
        is_named = any(each.key in _OPERATION_KEYS for each in listed)
        return _NO_OPERATION if is_named else None
    if agents := options.get("agents"):
        named = {attributes[name] for name in _AGENT_NAMES if name in attributes}
        if not named <= set(agents.split("\n")):
            return RecordRefused(
                "the record names an agent that is not in `agents` of its sender"
            )
    trace, span = _check_hex(telemetry.trace_id), _check_hex(telemetry.span_id)
    is_span = telemetry.start_time_unix_nano is not None
    facts = {"sender": options.get("sender")}
    for name, value in attributes.items():
        if name in _FACT_OF_ATTRIBUTE:
            facts[_FACT_OF_ATTRIBUTE[name]] = value
    facts["self:parent_span_id"] = _check_hex(telemetry.parent_span_id)
    facts["self:span_id"] = span
    facts["self:trace_id"] = trace
    return LogEntry(
        time=_get_time(telemetry),
        action=f"otel:{operation}",
        outcome=_get_outcome(telemetry, attributes),
        native_id=f"{trace}/{span}" if is_span and trace and span else "",
        facts=facts,
    )


def _get_operation(
    telemetry: Telemetry, attributes: Mapping[str, str], scope: str
) -> str:
    """Return the operation of an agent or MCP; empty for other telemetry."""
    event = attributes.get("event.name", "")
    prefix = _EVENT_SCOPES.get(scope, "")
    if event and prefix and not event.startswith(prefix):
        event = prefix + event
    body = get_safe_text(telemetry.body) if telemetry.body else ""
    for name in (event, telemetry.event_name, telemetry.name, body):
        if name and _is_event_name(name):
            return name
    for key in _OPERATION_KEYS:
        if key in attributes and _is_operation(attributes[key]):
            return attributes[key]
    return ""


@lru_cache(maxsize=1024)
def _is_event_name(name: str) -> bool:
    """Return whether a name is that of an event of a coding agent, GenAI or MCP."""
    return _EVENT_NAME.fullmatch(name) is not None


@lru_cache(maxsize=1024)
def _is_operation(name: str) -> bool:
    """Return whether a text is the name of an operation."""
    return _OPERATION.fullmatch(name) is not None


def _get_outcome(telemetry: Telemetry, attributes: Mapping[str, str]) -> EventOutcome:
    """Return the outcome; a span without a status did not say how it ended."""
    code = telemetry.status.code if telemetry.status else None
    if code in _ERROR_CODES or "error.type" in attributes:
        return EventOutcome.ERROR
    for name in _OUTCOME_ATTRIBUTES:
        if name in attributes and (
            outcome := _OUTCOMES_OF_ATTRIBUTES.get((name, attributes[name]))
        ):
            return outcome
    return EventOutcome.SUCCESS if code in _SUCCESS_CODES else EventOutcome.UNKNOWN


def _get_time(telemetry: Telemetry) -> int | str:
    """Return the time in nanoseconds, or text that is not a time."""
    times = (
        telemetry.start_time_unix_nano,
        telemetry.time_unix_nano,
        telemetry.observed_time_unix_nano,
    )
    for time in times:
        if time and time != "0":
            text = str(time)
            return int(text) if _NANOSECONDS.fullmatch(text) else "not a number"
    return 0


def _check_hex(value: str | None) -> str:
    """Return a trace or span id in lower case; empty for other text."""
    return value.lower() if value and _HEX_ID.fullmatch(value) else ""


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "OpenTelemetry",
    _parse_resource,
    lists=("resourceSpans", "resourceLogs"),
    is_content=True,
)
