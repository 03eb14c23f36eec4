"""A request that is for us, and the form in it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from answerable.serving.link import Link
from answerable.serving.wire.place import Served
from answerable.web.http.asking import LARGEST_FORM
from answerable.web.http.refusals import Refused

CSRF = "csrf"  # the field of a form that holds its session's token
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Come:
    """A request that is for us.

    Attributes:
        request: As Starlette has it.
        fields: Its header, by name.
        served: What its listener answers to.
        link: What the transport knows.
    """

    request: Request
    fields: Mapping[str, str]
    served: Served
    link: Link

    @property
    def path(self) -> str:
        """Its path, decoded."""
        return str(self.request.scope["path"])

    @property
    def query(self) -> bytes:
        """Its query, as sent."""
        return bytes(self.request.scope["query_string"])

    @property
    def peer(self) -> str:
        """Address of the other end, empty for a socket in the file system."""
        client = self.request.client
        return client.host if client else ""

    @property
    def is_post(self) -> bool:
        """Whether it may change anything."""
        return self.request.method == "POST"


Endpoint: TypeAlias = Callable[[Come], Awaitable[Response]]


async def body_of(come: Come) -> bytes:
    """Read a form's bytes.

    Raises:
        Refused: It is no form, or too large.
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
