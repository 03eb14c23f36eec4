"""Read the trace context of a message, which its caller writes.

Sources: W3C, "Trace Context", 3.2 (w3.org/TR/trace-context/#traceparent-header); Model
Context Protocol 2026-07-28, basic/index, "_meta".
"""

import re

import msgspec

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_INVALID = "0" * 32


class _TraceMeta(msgspec.Struct):
    traceparent: str = ""


class _TraceParams(msgspec.Struct, rename={"meta": "_meta"}):
    meta: _TraceMeta | None = None


class _TraceMessage(msgspec.Struct):
    params: _TraceParams | None = None


_message_decoder = msgspec.json.Decoder(_TraceMessage)


def parse_traceparent(body: bytes) -> str:
    """Find the `traceparent` of a message; empty without one."""
    if b"traceparent" not in body:
        return ""
    try:
        params = _message_decoder.decode(body).params
    except (msgspec.MsgspecError, RecursionError):
        return ""
    return params.meta.traceparent if params and params.meta else ""


def parse_trace_id(body: bytes) -> str:
    """Find the trace id of a message, 32 hex digits; empty without a valid one."""
    found = TRACEPARENT.fullmatch(parse_traceparent(body))
    return "" if found is None or found[1] == _INVALID else found[1]
