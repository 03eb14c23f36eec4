"""Convert Envoy ext_authz messages: CheckRequest to request, decision to response.

Envoy joins repeated header fields with a comma: a second token or content type makes
the value invalid.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from answerable.pdp.envoy import ext_authz_proto as proto
from answerable.server.connection_info import ConnectionInfo
from answerable.server.mcp.server_target_path import parse_server_name
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import (
    MAX_BODY,
    MAX_HEAD,
    MCP_PREFIX,
    METHODS,
    HttpRequestHead,
    build_head,
)

CheckRequest = proto.CheckRequest
CheckResponse = proto.CheckResponse

# Key of the server in a route's `context_extensions`, which an operator writes.
SERVER_KEY = "server"
DECISION_ID_FIELD = "x-answerable-decision-id"
# The caller's token is removed, as at the gateway.
REMOVED_FIELDS = ("authorization", "dpop")
_PARTIAL = "x-envoy-auth-partial-body"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
# Envoy writes `!` or U+FFFD for what is not UTF-8 in a body that it passes on as text.
_FAITHFUL = re.compile("[^!\ufffd]*")
_OVERWRITE = proto.OVERWRITE_IF_EXISTS_OR_ADD


@dataclass(frozen=True, slots=True)
class EnvoyRequest:
    """An HTTP request that Envoy holds for a decision.

    Attributes:
        head: Its target is `/mcp/SERVER`.
        link: Envoy's facts about its client.
        principal: Name in the client certificate verified by Envoy; empty for none.
    """

    head: HttpRequestHead
    body: bytes = field(repr=False)
    link: ConnectionInfo
    principal: str


def parse_check_request(request: Any) -> EnvoyRequest:
    """Parse a CheckRequest into request head, body, connection and principal.

    Raises:
        Refused: It is no MCP request, or its body is incomplete.
    """
    attributes = request.attributes
    http, source = attributes.request.http, attributes.source
    server = attributes.context_extensions.get(SERVER_KEY, "")
    target = f"/mcp/{server}" if server else http.path
    parse_server_name(target)
    method = http.method.encode()
    if method not in METHODS:
        raise RequestRefused(RefusalReason.METHOD_OF_HTTP)
    body = _read_body(http)
    head = build_head(method, target, _get_header_pairs(http))
    _check_body_length(head, http.size, body)
    return EnvoyRequest(
        head, body, _build_connection_info(http, source), source.principal
    )


def _get_header_pairs(http: Any) -> list[tuple[bytes, bytes]]:
    """Return the header fields as pairs; Envoy has two places for them.

    Raises:
        Refused: The body is incomplete, or the fields are ambiguous.
    """
    raw = [(e.key, e.raw_value or e.value.encode()) for e in http.header_map.headers]
    merged = [(name, value.encode()) for name, value in http.headers.items()]
    if any(
        name.lower() == _PARTIAL and value != b"false"
        for name, value in (*raw, *merged)
    ):
        raise RequestRefused(RefusalReason.CUT_SHORT)
    if raw and merged:
        raise RequestRefused(RefusalReason.MALFORMED_HEAD)
    if sum(len(name) + len(value) for name, value in raw or merged) > MAX_HEAD:
        raise RequestRefused(RefusalReason.HEAD_TOO_LARGE)
    pairs = [(b"host", http.host.encode())]
    for name, value in raw or merged:
        if name.startswith(":") or (name.lower() == "host" and value == pairs[0][1]):
            continue
        if _TOKEN.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise RequestRefused(RefusalReason.MALFORMED_HEAD)
        # Where Envoy merges, two fields may have become one value.
        if merged and name.lower().startswith(MCP_PREFIX) and b"," in value:
            raise RequestRefused(RefusalReason.REPEATED_FIELD)
        pairs.append((name.encode(), value))
    return pairs


def _read_body(http: Any) -> bytes:
    """Return the request body that Envoy forwarded; empty without one.

    Raises:
        Refused: It is too large, or a text in which Envoy may have replaced bytes.
    """
    if http.body and (http.raw_body or not _FAITHFUL.fullmatch(http.body)):
        raise RequestRefused(RefusalReason.CUT_SHORT)
    body: bytes = http.raw_body or http.body.encode()
    if len(body) > MAX_BODY:
        raise RequestRefused(RefusalReason.BODY_TOO_LARGE)
    return body


def _check_body_length(head: HttpRequestHead, size: int, body: bytes) -> None:
    """Check that the body is complete and within the size limit.

    Args:
        size: Bytes of the body that Envoy has seen; 0 or -1 if unknown.

    Raises:
        Refused: A check failed.
    """
    if body and head.method != "POST":
        raise RequestRefused(RefusalReason.BODY_NOT_EXPECTED)
    is_cut = "content-length" in head.fields and head.length != len(body)
    if is_cut or (size > 0 and size != len(body)):
        raise RequestRefused(RefusalReason.CUT_SHORT)


def _build_connection_info(http: Any, source: Any) -> ConnectionInfo:
    """Build the connection facts: client certificate, TLS, URL."""
    secure = http.scheme == "https"
    return ConnectionInfo(
        certificate=_decode_certificate(source.certificate),
        tls=secure,
        url=f"{http.scheme or 'http'}://{http.host}",
    )


def _decode_certificate(escaped_pem: str) -> bytes:
    """Decode a URL-escaped PEM certificate to DER; empty for none."""
    if not escaped_pem:
        return b""
    try:
        read = x509.load_pem_x509_certificate(unquote_to_bytes(escaped_pem))
    except ValueError:
        return b""
    return read.public_bytes(Encoding.DER)


def build_allow_response(decision_id: str) -> Any:
    """Build the response that lets the call proceed, without the caller's token."""
    return CheckResponse(
        status=proto.Status(code=proto.OK),
        ok_response=proto.OkHttpResponse(
            headers=[_build_header_option(DECISION_ID_FIELD, decision_id)],
            headers_to_remove=REMOVED_FIELDS,
        ),
    )


def build_deny_response(
    status: int, body: bytes = b"", fields: dict[str, str] | None = None
) -> Any:
    """Build the response that answers in place of the server.

    Args:
        body: JSON, or empty.
    """
    named = ({"content-type": "application/json"} if body else {}) | (fields or {})
    return CheckResponse(
        status=proto.Status(code=proto.PERMISSION_DENIED),
        denied_response=proto.DeniedHttpResponse(
            status=proto.HttpStatus(code=status),
            headers=[
                _build_header_option(name, value) for name, value in named.items()
            ],
            body=body.decode(),
        ),
    )


def _build_header_option(name: str, value: str) -> Any:
    """Build a header field that Envoy sets, replacing an existing one."""
    return proto.HeaderValueOption(
        header=proto.HeaderValue(key=name, value=value), append_action=_OVERWRITE
    )
