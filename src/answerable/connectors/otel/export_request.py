"""Split OTLP export requests into resources in OTLP JSON, and encode the response.

Source: OpenTelemetry, "OTLP Specification", OTLP/HTTP
(opentelemetry.io/docs/specs/otlp/#otlphttp): the response has the encoding of the
request; records that were not accepted are counted in `partialSuccess`.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from google.protobuf.message import Message

_IDS = ("traceId", "spanId", "parentSpanId")


class ExportRequestError(ValueError):
    """Undecodable export request; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class OtlpSignal:
    """Kind of telemetry that an endpoint accepts.

    Attributes:
        name: `logs` or `traces`, as in the path.
        resources: Member with the telemetry of each resource.
        scopes: Member of a resource with the telemetry of each scope.
        records: Member of a scope with the records.
        rejected: Member of the response with the number of rejected records.
    """

    name: str
    resources: str
    scopes: str
    records: str
    rejected: str


LOGS = OtlpSignal(
    "logs", "resourceLogs", "scopeLogs", "logRecords", "rejectedLogRecords"
)
TRACES = OtlpSignal("traces", "resourceSpans", "scopeSpans", "spans", "rejectedSpans")


class _ExportRequest(msgspec.Struct, rename="camel"):
    resource_logs: list[msgspec.Raw] | None = None
    resource_spans: list[msgspec.Raw] | None = None


_REQUESTS = msgspec.json.Decoder(_ExportRequest)


def split_json_request(body: bytes, signal: OtlpSignal) -> list[bytes]:
    """Return the resources of a request in JSON.

    Raises:
        ExportRequestError: It is not one.
    """
    try:
        found = _REQUESTS.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ExportRequestError("the body is not OTLP JSON") from None
    listed = found.resource_logs if signal is LOGS else found.resource_spans
    return [bytes(each) for each in listed or ()]


def split_protobuf_request(body: bytes, signal: OtlpSignal) -> list[bytes]:
    """Return the resources of a request in protobuf, each as OTLP JSON.

    Raises:
        ExportRequestError: It is not one.
        ImportError: The extra `otel` is not installed.
    """
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError

    request = _load_messages(signal)[0]()
    try:
        request.ParseFromString(body)
        decoded = MessageToDict(request, use_integers_for_enums=True)
    except (DecodeError, UnicodeError, ValueError, RecursionError):
        raise ExportRequestError("the body is not an OTLP message") from None
    resources: list[dict[str, Any]] = decoded.get(signal.resources, [])
    for record in _iter_records(resources, signal):
        _write_ids_in_hex(record)
    return [msgspec.json.encode(each) for each in resources]


def encode_json_response(signal: OtlpSignal, rejected: int, reason: str) -> bytes:
    """Encode the response to a request in JSON."""
    if not rejected:
        return b"{}"
    # 64-bit integers are text in the JSON encoding of protobuf.
    partial = {signal.rejected: str(rejected), "errorMessage": reason}
    return msgspec.json.encode({"partialSuccess": partial})


def encode_protobuf_response(signal: OtlpSignal, rejected: int, reason: str) -> bytes:
    """Encode the response to a request in protobuf."""
    response: Any = _load_messages(signal)[1]()
    if rejected:
        partial = response.partial_success
        partial.error_message = reason
        if signal is LOGS:
            partial.rejected_log_records = rejected
        else:
            partial.rejected_spans = rejected
    encoded: bytes = response.SerializeToString()
    return encoded


def _load_messages(signal: OtlpSignal) -> "tuple[type[Message], type[Message]]":
    """Import the messages of a signal: its request and its response."""
    if signal is LOGS:
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs

        return logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

    return traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse


def _iter_records(
    resources: Sequence[dict[str, Any]], signal: OtlpSignal
) -> Iterator[dict[str, Any]]:
    """Yield the records of decoded resources."""
    for resource in resources:
        for scope in resource.get(signal.scopes, ()):
            yield from scope.get(signal.records, ())


def _write_ids_in_hex(record: dict[str, Any]) -> None:
    """Write trace and span ids in hex, as OTLP JSON has them, instead of base64."""
    for name in _IDS:
        if name in record:
            record[name] = base64.b64decode(record[name]).hex()
    for link in record.get("links", ()):
        _write_ids_in_hex(link)
