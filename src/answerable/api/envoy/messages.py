"""Envoy's messages: a request that it holds, and what it is to do with it.

Envoy gives a field that came twice once, its values joined by a comma: a second token
or content type is no value that anybody takes.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from answerable.api.envoy import ext_authz_proto as proto
from answerable.serving.link import Link
from answerable.serving.mcp.place import server_of
from answerable.serving.wire.head import MAX_BODY, Head
from answerable.serving.wire.refusals import Refused, Why

CheckRequest = proto.CheckRequest
CheckResponse = proto.CheckResponse

# What a route's `context_extensions` names our server by; an operator writes them.
SERVER = "server"
DECISION_ID = "x-answerable-decision-id"
# The caller's token stops here, as it does at the gateway.
REMOVED = ("authorization", "dpop")
_PARTIAL = "x-envoy-auth-partial-body"
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
    fields = {
        name: value for name, value in http.headers.items() if not name.startswith(":")
    }
    fields["host"] = http.host
    server = attributes.context_extensions.get(SERVER, "")
    target = f"/mcp/{server}" if server else http.path
    server_of(target)
    body = http.raw_body or http.body.encode()
    if fields.get(_PARTIAL, "false") != "false":
        raise Refused(Why.CUT_SHORT)
    if len(body) > MAX_BODY:
        raise Refused(Why.BODY_TOO_LARGE)
    if http.method not in ("POST", "GET", "DELETE"):
        raise Refused(Why.METHOD_OF_HTTP)
    head = Head(http.method, target, fields, len(body), expects=False, closes=False)
    return Held(head, body, _link(http, source), source.principal)


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
