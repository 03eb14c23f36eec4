"""Envoy's messages: a request that it holds, and what it is to do with it.

Envoy gives a field that came twice once, its values joined by a comma: a second token
or content type is no value that anybody takes.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from answerable.api.envoy import ext_authz_proto as proto
from answerable.serving.link import Link
from answerable.serving.mcp.place import server_of
from answerable.serving.wire.head import (
    MAX_BODY,
    MAX_HEAD,
    MCP_PREFIX,
    METHODS,
    Head,
    head_of,
)
from answerable.serving.wire.refusals import Refused, Why

CheckRequest = proto.CheckRequest
CheckResponse = proto.CheckResponse

# What a route's `context_extensions` names our server by; an operator writes them.
SERVER = "server"
DECISION_ID = "x-answerable-decision-id"
# The caller's token stops here, as it does at the gateway.
REMOVED = ("authorization", "dpop")
_PARTIAL = "x-envoy-auth-partial-body"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
# Envoy writes `!` or U+FFFD for what is not UTF-8 in a body that it passes on as text.
_FAITHFUL = re.compile("[^!\ufffd]*")
_OVERWRITE = proto.OVERWRITE_IF_EXISTS_OR_ADD


@dataclass(frozen=True, slots=True)
class Held:
    """A request that Envoy holds until it hears.

    Attributes:
        head: Its head; its target is `/mcp/SERVER`.
        body: Its body.
        link: What Envoy knows of its client.
        principal: Name in the client's certificate, as Envoy verified it; empty for
            none.
    """

    head: Head
    body: bytes = field(repr=False)
    link: Link
    principal: str


def read_check(request: Any) -> Held:
    """Read what Envoy asks about.

    Raises:
        Refused: It is no request of MCP, or its body is not all there.
    """
    attributes = request.attributes
    http, source = attributes.request.http, attributes.source
    server = attributes.context_extensions.get(SERVER, "")
    target = f"/mcp/{server}" if server else http.path
    server_of(target)
    method = http.method.encode()
    if method not in METHODS:
        raise Refused(Why.METHOD_OF_HTTP)
    body = _body(http)
    head = head_of(method, target, _pairs(http))
    _check_length(head, http.size, body)
    return Held(head, body, _link(http, source), source.principal)


def _pairs(http: Any) -> list[tuple[bytes, bytes]]:
    """Return the fields of the head as names and values; Envoy has two places for them.

    Raises:
        Refused: The body is not whole, or they could be read in more than one way.
    """
    raw = [(e.key, e.raw_value or e.value.encode()) for e in http.header_map.headers]
    merged = [(name, value.encode()) for name, value in http.headers.items()]
    if any(
        name.lower() == _PARTIAL and value != b"false"
        for name, value in (*raw, *merged)
    ):
        raise Refused(Why.CUT_SHORT)
    if raw and merged:
        raise Refused(Why.MALFORMED_HEAD)
    if sum(len(name) + len(value) for name, value in raw or merged) > MAX_HEAD:
        raise Refused(Why.HEAD_TOO_LARGE)
    pairs = [(b"host", http.host.encode())]
    for name, value in raw or merged:
        if name.startswith(":") or (name.lower() == "host" and value == pairs[0][1]):
            continue
        if _TOKEN.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise Refused(Why.MALFORMED_HEAD)
        # Where Envoy merges, two fields may have become one value.
        if merged and name.lower().startswith(MCP_PREFIX) and b"," in value:
            raise Refused(Why.REPEATED_FIELD)
        pairs.append((name.encode(), value))
    return pairs


def _body(http: Any) -> bytes:
    """Return the body as the bytes that go on.

    Raises:
        Refused: It is too large, or a text in which Envoy may have replaced bytes.
    """
    if http.body and (http.raw_body or not _FAITHFUL.fullmatch(http.body)):
        raise Refused(Why.CUT_SHORT)
    body: bytes = http.raw_body or http.body.encode()
    if len(body) > MAX_BODY:
        raise Refused(Why.BODY_TOO_LARGE)
    return body


def _check_length(head: Head, size: int, body: bytes) -> None:
    """Refuse a body where there is none, and one that is not all that was sent.

    Args:
        head: The head.
        size: Bytes that Envoy has seen of the body; 0 or -1 where it does not say.
        body: The body.

    Raises:
        Refused: See above.
    """
    if body and head.method != "POST":
        raise Refused(Why.BODY_NOT_EXPECTED)
    is_cut = "content-length" in head.fields and head.length != len(body)
    if is_cut or (size > 0 and size != len(body)):
        raise Refused(Why.CUT_SHORT)


def _link(http: Any, source: Any) -> Link:
    secure = http.scheme == "https"
    return Link(
        certificate=_der(source.certificate),
        tls=secure,
        url=f"{http.scheme or 'http'}://{http.host}",
    )


def _der(spelled: str) -> bytes:
    """Give a certificate that is spelled as PEM in a URL's escapes; empty for none."""
    if not spelled:
        return b""
    try:
        read = x509.load_pem_x509_certificate(unquote_to_bytes(spelled))
    except ValueError:
        return b""
    return read.public_bytes(Encoding.DER)


def passed(decision_id: str) -> Any:
    """Let it go on, without the caller's token, and with the id of the decision."""
    return CheckResponse(
        status=proto.Status(code=proto.OK),
        ok_response=proto.OkHttpResponse(
            headers=[_header(DECISION_ID, decision_id)], headers_to_remove=REMOVED
        ),
    )


def stopped(
    status: int, body: bytes = b"", fields: dict[str, str] | None = None
) -> Any:
    """Answer it in the server's place.

    Args:
        status: HTTP status.
        body: JSON, or nothing.
        fields: Further fields.
    """
    named = ({"content-type": "application/json"} if body else {}) | (fields or {})
    return CheckResponse(
        status=proto.Status(code=proto.PERMISSION_DENIED),
        denied_response=proto.DeniedHttpResponse(
            status=proto.HttpStatus(code=status),
            headers=[_header(name, value) for name, value in named.items()],
            body=body.decode(),
        ),
    )


def _header(name: str, value: str) -> Any:
    return proto.HeaderValueOption(
        header=proto.HeaderValue(key=name, value=value), append_action=_OVERWRITE
    )
