"""Define routes, parsed requests and responses, independent of HTTP."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import VerificationError
from answerable.web.visitor import Visitor, WebPermission

if TYPE_CHECKING:
    from answerable.web.store_cache import StoreCache


API_PREFIX = "/api/"  # of every path of the API


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """A checked request.

    Attributes:
        query: Query parameters, each once.
        form: Fields of a POST, without the checked CSRF token.
        url: Path and query, a permalink.
        part: Whether only a part of the page is requested (htmx).
        said: Confirmation to show once; empty for none.
        last_event_id: Last received event of a stream; empty for none.
        etags: ETags that the client holds (`If-None-Match`).
        counts: Counts of the navigation as text, by path; a path without one is not known.
        origin: Web origin of the request, such as `https://answerable.example`.
        shown: Stamp of the data that pages show; empty if not known.
        killed: Killed subjects, which every page marks; None if they are not known.
    """

    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    url: str = "/"
    part: bool = False
    said: str = ""
    last_event_id: str = ""
    etags: frozenset[str] = frozenset()
    counts: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    shown: str = ""
    killed: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """A page to render.

    Attributes:
        template: Its template; for `part`, only its block `part`.
        values: Template values, besides `visit`, `asked` and `title`.
    """

    template: str
    title: str
    values: Mapping[str, object]
    status: int = 200


@dataclass(frozen=True, slots=True)
class DocumentAnswer:
    """A document as JSON.

    Attributes:
        after: Cursor of the next page, empty for none.
        version: ETag for this visitor; empty if not cacheable.
        next: Path and query of the next page, empty for none.
    """

    document: Document
    after: str = ""
    status: int = 200
    version: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """JSON that is no document, with its ETag."""

    body: bytes
    version: str


@dataclass(frozen=True, slots=True)
class NotModified:
    """The client already holds this version (304)."""

    version: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect after a change (303).

    Attributes:
        location: Local path and query.
        confirmation: Confirmation shown there once.
    """

    location: str
    confirmation: str = ""


@dataclass(frozen=True, slots=True)
class FileDownload:
    """A file download."""

    name: str
    media: str
    body: bytes


RouteAnswer: TypeAlias = (
    PageAnswer | DocumentAnswer | JsonAnswer | NotModified | Redirect | FileDownload
)
RouteHandler: TypeAlias = "Callable[[StoreCache, Visitor, RouteRequest], RouteAnswer]"


@dataclass(frozen=True, slots=True)
class WebRoute:
    """One route.

    Attributes:
        path: Exact path; ids are in parameters, never in the path.
        handler: Runs in a worker thread.
        permissions: Permissions, any of which suffices; the handler filters further.
        parameters: Accepted parameters (GET) or fields (POST).
        keeps_empty_fields: Whether an empty field differs from an absent one.
        labels: Labels of the fields that a person fills in; a refused form shows them
            again.
    """

    path: str
    handler: RouteHandler
    permissions: frozenset[WebPermission] = frozenset({WebPermission.LOOK})
    parameters: tuple[str, ...] = ()
    method: str = "GET"
    keeps_empty_fields: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One server-sent event.

    Attributes:
        data: Encoded as JSON.
        id: Resume position (`RouteRequest.heard`); empty for none.
    """

    event: str
    data: object
    id: str = ""


EventSource: TypeAlias = (
    "Callable[[StoreCache, Visitor, RouteRequest], AsyncIterator[StreamEvent]]"
)


@dataclass(frozen=True, slots=True)
class StreamRoute:
    """A route with server-sent events.

    Attributes:
        event_source: Yields the events of one visitor in the event loop; must not block.
        permissions: Permissions, any of which suffices; `tell` filters further.
    """

    path: str
    event_source: EventSource
    permissions: frozenset[WebPermission]
    parameters: tuple[str, ...] = ()


class StateConflict(VerificationError):  # noqa: N818 - an outcome, no fault
    """The current state excludes the action.

    Args:
        hint: Text of the link.
        link: Path and query of the page with the next step.
    """

    def __init__(self, message: str, hint: str, link: str) -> None:
        super().__init__(message, hint)
        self.link = link


class Forbidden(Exception):  # noqa: N818 - an outcome, no fault
    """The visitor may not see or do this; answered as not found."""
