"""Incoming request that passed the host and origin checks."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from answerable.server.connection_info import Link
from answerable.server.wire.host_check import Served
from answerable.web.http.errors import Refused
from answerable.web.http.request_parsing import LARGEST_FORM

CSRF = "csrf"  # the field of a form that holds its session's token
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Come:
    """A checked request.

    Attributes:
        fields: Header fields by name.
        served: Hosts of the listener.
    """

    request: Request
    fields: Mapping[str, str]
    served: Served
    link: Link

    @property
    def path(self) -> str:
        """Return the decoded path."""
        return str(self.request.scope["path"])

    @property
    def query(self) -> bytes:
        """Return the raw query."""
        return bytes(self.request.scope["query_string"])

    @property
    def peer(self) -> str:
        """Return the peer address, empty for a unix socket."""
        client = self.request.client
        return client.host if client else ""

    @property
    def is_post(self) -> bool:
        """Tell whether the request may change state."""
        return self.request.method == "POST"


Endpoint: TypeAlias = Callable[[Come], Awaitable[Response]]


async def body_of(come: Come) -> bytes:
    """Read the body of a form.

    Raises:
        Refused: It is not a form, or too large.
    """
    kind = come.fields.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    if kind not in ("", FORM):
        raise Refused(415, "content-type", f"a form was expected: {FORM}")
    async for piece in come.request.stream():
        body += piece
        if body and not kind:  # nothing at all is an empty form
            raise Refused(415, "content-type", f"a form was expected: {FORM}")
        if len(body) > LARGEST_FORM:
            raise Refused(413, "too-large", f"more than {LARGEST_FORM} bytes were sent")
    return bytes(body)
