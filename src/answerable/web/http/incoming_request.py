"""Incoming HTTP request after the host and origin checks; read its form body."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from answerable.server.connection_info import ConnectionInfo
from answerable.server.wire.host_check import ServedNames
from answerable.web.http.errors import RequestRejected
from answerable.web.http.request_parsing import MAX_FORM

CSRF_FIELD = "csrf"  # form field of the CSRF token
SENT_FORM = "form"  # key of the form in the state of a request
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """A checked request.

    Attributes:
        fields: Header fields by name.
        served: Hosts of the listener.
    """

    request: Request
    fields: Mapping[str, str]
    served: ServedNames
    link: ConnectionInfo

    @property
    def path(self) -> str:
        """Return the decoded path."""
        return str(self.request.scope["path"])

    @property
    def query(self) -> bytes:
        """Return the raw query string."""
        return bytes(self.request.scope["query_string"])

    @property
    def peer(self) -> str:
        """Return the peer address, empty for a unix socket."""
        client = self.request.client
        return client.host if client else ""

    @property
    def origin(self) -> str:
        """Return the web origin of the page, `scheme://host:port`."""
        return f"{urlsplit(self.link.url).scheme}://{self.fields.get('host', '')}"

    @property
    def is_post(self) -> bool:
        """Return whether the method is POST, which may change state."""
        return self.request.method == "POST"


Endpoint: TypeAlias = Callable[[IncomingRequest], Awaitable[Response]]


async def read_form_body(incoming: IncomingRequest) -> bytes:
    """Read a form body of at most 1 MiB, and keep it for the page of a refusal.

    Raises:
        RequestRejected: It is not a form, or too large.
    """
    kind = incoming.fields.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    if kind not in ("", FORM_TYPE):
        raise RequestRejected(415, "content-type", f"a form was expected: {FORM_TYPE}")
    async for piece in incoming.request.stream():
        body += piece
        if body and not kind:  # an empty body is an empty form
            raise RequestRejected(
                415, "content-type", f"a form was expected: {FORM_TYPE}"
            )
        if len(body) > MAX_FORM:
            raise RequestRejected(
                413, "too-large", f"more than {MAX_FORM} bytes were sent"
            )
    sent = bytes(body)
    incoming.request.scope["state"][SENT_FORM] = sent
    return sent
