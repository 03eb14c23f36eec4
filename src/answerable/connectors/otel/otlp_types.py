"""Types of OTLP JSON with only the fields that are read, and values of attributes.

Sources: "OTLP Specification", JSON Protobuf Encoding
(opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): lower camel case, trace and
span ids in hex, integers of 64 bits as text or number, enumerations as integers, unknown
members ignored; "OTLP File Exporter"
(opentelemetry.io/docs/specs/otel/protocol/file-exporter/): one object per line.
"""

import re
from collections.abc import Sequence

import msgspec

_is_safe_value = re.compile(r"[\w.:/@ -]{1,128}").fullmatch


class AttributeValue(msgspec.Struct, rename="camel", gc=False):
    """Value of an attribute; lists, maps and bytes are not read."""

    string_value: str | None = None
    int_value: int | str | None = None
    bool_value: bool | None = None


class Attribute(msgspec.Struct, gc=False):
    """Attribute of a resource, span or log record."""

    key: str = ""
    value: AttributeValue | None = None


class Status(msgspec.Struct, gc=False):
    """Status of a span; its message is not read."""

    code: int | str | None = None


class Telemetry(msgspec.Struct, rename="camel", gc=False):
    """Span or log record."""

    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    event_name: str | None = None
    start_time_unix_nano: int | str | None = None
    time_unix_nano: int | str | None = None
    observed_time_unix_nano: int | str | None = None
    status: Status | None = None
    body: AttributeValue | None = None
    attributes: list[Attribute] | None = None


class Scope(msgspec.Struct, gc=False):
    """Instrumentation scope."""

    name: str | None = None


class ScopeTelemetry(msgspec.Struct, rename="camel", gc=False):
    """Spans or log records of one scope, undecoded."""

    scope: msgspec.Raw = msgspec.Raw(b"null")
    spans: list[msgspec.Raw] | None = None
    log_records: list[msgspec.Raw] | None = None


class ResourceTelemetry(msgspec.Struct, rename="camel", gc=False):
    """Spans or log records of one resource; `resource_metrics` are not read."""

    resource: msgspec.Raw = msgspec.Raw(b"null")
    scope_spans: list[ScopeTelemetry] | None = None
    scope_logs: list[ScopeTelemetry] | None = None
    resource_metrics: msgspec.Raw = msgspec.Raw()
    resource_spans: list[msgspec.Raw] | None = None
    resource_logs: list[msgspec.Raw] | None = None


def get_attributes(attributes: Sequence[Attribute] | None) -> dict[str, str]:
    """Return the attributes that are names, ids, numbers or truth values, as text.

    Other text could be content, and is left out.
    """
    found: dict[str, str] = {}
    for each in attributes or ():
        value = each.value
        if value is None or each.key in found:
            continue
        text = value.string_value
        if text is None or value.int_value is not None or value.bool_value is not None:
            text = get_safe_text(value)
        elif not _is_safe_value(text):
            continue
        if text:
            found[each.key] = text
    return found


def get_safe_text(value: AttributeValue | None) -> str:
    """Return a value as text; empty for text that is no name or id."""
    if value is None:
        return ""
    if value.bool_value is not None:
        return "true" if value.bool_value else "false"
    text = value.string_value if value.int_value is None else str(value.int_value)
    return text if text and _is_safe_value(text) else ""
