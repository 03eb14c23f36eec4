"""The words between HTTP and what answers: routes, what is asked, answers."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from answerable.model.document import Document
from answerable.web.visit import May, Visit

if TYPE_CHECKING:
    from answerable.web.desk import Desk


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, checked.

    Attributes:
        query: Parameters; a route takes the ones that it names, each once.
        form: Fields of a POST, likewise; its CSRF token was checked and is not here.
        url: Path and query, a permalink of what is shown.
        part: Whether only a part of the page is asked for (htmx).
        said: What was done just before, shown once; empty where nothing was.
        heard: The last event that a stream has had already; empty for none.
        held: Versions of the answer that are held already (`If-None-Match`).
    """

    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    url: str = "/"
    part: bool = False
    said: str = ""
    heard: str = ""
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """A page to be rendered.

    Attributes:
        template: Its template; where `part` was asked for, its block `part` alone.
        title: Of the window.
        values: What the template is given, beside `visit`, `asked` and `title`.
        status: Of HTTP.
    """

    template: str
    title: str
    values: Mapping[str, object]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Told:
    """A document as JSON.

    Attributes:
        document: It.
        after: Cursor of the next page, empty for none.
        status: Of HTTP.
        version: Of what this visitor is told; empty where it may have changed by then.
        next: Path and query of the next page, empty for none.
    """

    document: Document
    after: str = ""
    status: int = 200
    version: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class Json:
    """What is JSON, and no document.

    Attributes:
        body: It.
        version: Of it.
    """

    body: bytes
    version: str


@dataclass(frozen=True, slots=True)
class Same:
    """What is held already is what would be told.

    Attributes:
        version: Of it.
    """

    version: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Done; go on there (303).

    Attributes:
        to: Path and query of ours.
        said: What was done, shown there once.
    """

    to: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file to be kept.

    Attributes:
        name: Proposed for it.
        media: Its type.
        body: Its bytes.
    """

    name: str
    media: str
    body: bytes


Answer: TypeAlias = Page | Told | Json | Same | Moved | File
Handler: TypeAlias = "Callable[[Desk, Visit, Asked], Answer]"


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked.

    Attributes:
        path: Exact; what is meant stands in parameters, never in the path.
        handler: Answers; runs in a thread of a pool.
        may: Any one of these lets a visitor ask; what they see of it is for the handler.
        takes: Names of parameters (GET) or fields (POST); any other is refused.
        method: GET or POST.
        blanks: Whether a field that is sent empty is not as one that is not sent.
    """

    path: str
    handler: Handler
    may: frozenset[May] = frozenset({May.LOOK})
    takes: tuple[str, ...] = ()
    method: str = "GET"
    blanks: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """One event for a page that listens.

    Attributes:
        event: Its name, a word of ours.
        data: Encoded as JSON.
        id: Where to go on after it, as `Asked.heard`; empty for none.
    """

    event: str
    data: object
    id: str = ""


Teller: TypeAlias = "Callable[[Desk, Visit, Asked], AsyncIterator[Happened]]"


@dataclass(frozen=True, slots=True)
class Stream:
    """Something that a page can listen to (server-sent events).

    Attributes:
        path: Exact.
        tell: Gives the events of one visitor, in the event loop: what waits for a disk
            goes into a thread of its own.
        may: Any one of these lets a visitor listen; what they hear is for `tell`.
        takes: Names of parameters.
    """

    path: str
    tell: Teller
    may: frozenset[May]
    takes: tuple[str, ...] = ()


class Forbidden(Exception):  # noqa: N818 - what becomes of a request, no fault
    """The visitor may not see or do this; told as if there were nothing."""
