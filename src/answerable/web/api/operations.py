"""What can be asked over `/api/v1`: each with its parameters, and what it answers.

One description makes the route, checks what comes, and is written into the OpenAPI
document: what is said there is what is done.
"""

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from answerable.model.document import Document
from answerable.model.errors import AmbiguousError, UsageError
from answerable.web.desk import Desk
from answerable.web.http.refusals import Refused
from answerable.web.routes import Answer, Asked, Forbidden, Route, Same, Told
from answerable.web.visit import May, Visit

PREFIX = "/api/v1"
LOOK = frozenset({May.LOOK})
DEEDS = frozenset({May.INVESTIGATE, May.OWN})
EVERY_DEED = frozenset({May.INVESTIGATE})
LONGEST = 2_000
MOST, USUAL = 1_000, 100
_MINUTE = 60_000_000_000
# No control characters but line ends and tabs: as fields are read.
_TEXT = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F]*$"

Params = Mapping[str, str]
Teller = Callable[[Desk, Visit, Params], "Document | Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a document.

    Attributes:
        document: Its items.
        after: Cursor of what follows, empty at the end.
    """

    document: Document
    after: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Attributes:
        name: As the command line's option is called.
        what: What it is for.
        choices: What it may be; empty for any text.
        required: Whether it must be there.
        most: Where it is a number: the largest; 0 for a text.
        usual: Of a number that is not given.
        longest: Most characters of a text.
    """

    name: str
    what: str
    choices: tuple[str, ...] = ()
    required: bool = False
    most: int = 0
    usual: int = 0
    longest: int = LONGEST

    @property
    def schema(self) -> Mapping[str, object]:
        """What it may be, in JSON Schema."""
        if self.most:
            return {
                "type": "integer",
                "minimum": 1,
                "maximum": self.most,
                "default": self.usual,
            }
        if self.choices:
            return {"type": "string", "enum": list(self.choices)}
        least = 1 if self.required else 0
        return {
            "type": "string",
            "minLength": least,
            "maxLength": self.longest,
            "pattern": _TEXT,
        }

    def check(self, value: str | None) -> None:
        """Refuse what the schema does not allow.

        Raises:
            Refused: It says what was expected.
        """
        if value is None:
            if self.required:
                raise _wrong(self.name, "is missing", self.what)
        elif self.most:
            plain = value.isascii() and value.isdigit() and len(value) <= 9
            if not plain or not 1 <= int(value) <= self.most or value[0] == "0":
                raise _wrong(
                    self.name, "is no such number", f"expected 1 to {self.most}"
                )
        elif self.choices:
            if value not in self.choices:
                raise _wrong(
                    self.name,
                    "is none of its choices",
                    f"expected {', '.join(self.choices)}",
                )
        elif len(value) > self.longest or (self.required and not value):
            raise _wrong(
                self.name,
                "is empty or too long",
                f"expected up to {self.longest:,} characters",
            )


def _wrong(name: str, how: str, expected: str) -> Refused:
    return Refused(400, "parameter", f"the parameter {name} {how}", expected)


def flag(name: str, what: str) -> Parameter:
    """Describe one that is on or off."""
    return Parameter(name, what, ("true", "false"))


LIMIT = Parameter("limit", "Most items of one answer.", most=MOST, usual=USUAL)
AFTER = Parameter("after", "Where to go on: `after` of the answer before.")
PAGED = (LIMIT, AFTER)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked.

    Attributes:
        path: Below `/api/v1`.
        what: One sentence.
        tell: Answers; gets the parameters that are there.
        kind: Of the document.
        item: Type of its items; None where they have no fixed shape.
        takes: Parameters.
        may: Any one of these lets a visitor ask.
        passing: The answer changes as time passes, or by more than the store.
        command: The same on the command line.
        method: GET, or POST where something is done.
        held: Whether an answer has a version, and may be asked about again.
    """

    path: str
    what: str
    tell: Teller
    kind: str
    item: type | None
    takes: tuple[Parameter, ...] = ()
    may: frozenset[May] = LOOK
    passing: bool = False
    command: str = ""
    method: str = "GET"
    held: bool = True

    @property
    def name(self) -> str:
        """Its `operationId`."""
        name = self.path.strip("/").replace("/", "-")
        return name if self.method == "GET" else f"do-{name}"

    @property
    def route(self) -> Route:
        """As it is served."""
        names = tuple(each.name for each in self.takes)
        return Route(
            *(PREFIX + self.path, self.answer, self.may, names, self.method),
            blanks=True,
        )

    def answer(self, desk: Desk, visit: Visit, asked: Asked) -> Answer:
        """Check what is asked, and answer."""
        given = asked.query if self.method == "GET" else asked.form
        for each in self.takes:
            each.check(given.get(each.name))
        params = {name: value for name, value in given.items() if value}
        held = self.held and self.method == "GET"
        version = self._version(desk, visit, params) if held else ""
        if held and version in asked.held:
            return Same(version)
        told = _told(partial(self.tell, desk, visit, params))
        part = told if isinstance(told, Part) else Part(told)
        onward = ""
        if part.after:
            more = urlencode({**params, "after": part.after})
            onward = f"{PREFIX}{self.path}?{more}"
        return Told(part.document, part.after, version=version, next=onward)

    def _version(self, desk: Desk, visit: Visit, params: Params) -> str:
        said = [
            *(self.path, desk.version(), visit.person or ""),
            *sorted(visit.roles),
            *sorted(visit.owns),
            *(f"{name}={value}" for name, value in sorted(params.items())),
        ]
        if self.passing:
            said += [str(minute_of(desk)), *_spooled(desk)]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:32]


def _told(tell: Callable[[], Document | Part]) -> Document | Part:
    """Tell what well-formed parameters do not fit: there is nothing of that name."""
    try:
        return tell()
    except AmbiguousError as error:
        raise Refused(422, "ambiguous", error.message, error.hint) from None
    except UsageError as error:
        raise Refused(422, "usage", error.message, error.hint) from None


def _spooled(desk: Desk) -> list[str]:
    """Name the state of the spools: what waits there is answered with, too."""
    said = []
    for spool in desk.spools:
        # Folders go meanwhile, and `walk` leaves out what is gone.
        for folder, _, names in os.walk(spool):
            for name in names:
                with contextlib.suppress(OSError):
                    found = os.stat(os.path.join(folder, name))
                    said.append(f"{name} {found.st_size} {found.st_mtime_ns}")
    return sorted(said)


def minute_of(desk: Desk) -> int:
    """Give the beginning of this minute: all that passes is judged as of then."""
    return desk.now // _MINUTE * _MINUTE


def paged(
    document: Document, by: tuple[str, str], params: Params, *, newest: bool = False
) -> Part:
    """Give a part of a document whose items are few enough to be made all.

    Args:
        document: It.
        by: Fields by which items are ordered; no two items have the same in both.
        params: `after` and `limit` of it.
        newest: Whether the greatest come first.

    Raises:
        UsageError: `after` is no place in it.
    """

    def place(item: Mapping[str, object]) -> tuple[str, str]:
        return str(item[by[0]]), str(item[by[1]])

    items = sorted(document.items, key=place, reverse=newest)
    if params.get("after"):
        last = _read(params["after"])
        items = [e for e in items if (place(e) < last if newest else place(e) > last)]
    limit = limit_of(params)
    more = _spelled(place(items[limit - 1])) if len(items) > limit else ""
    total = len(document.items) if more or params.get("after") else -1
    kept = Document(document.kind, items[:limit], document.coverage, total=total)
    return Part(kept, more)


def _spelled(place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read(text: str) -> tuple[str, str]:
    try:
        first, second = json.loads(base64.b64decode(text, b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        first = second = None
    if not isinstance(first, str) or not isinstance(second, str):
        raise UsageError(
            f"not a place in this list (got {text[:40]!r})",
            "give `after` as the answer before has it, or leave it out",
        )
    return first, second


def limit_of(params: Params) -> int:
    """Read how many items are asked for."""
    return int(params.get("limit", USUAL))


def is_on(params: Params, name: str) -> bool:
    """Tell whether a flag is on."""
    return params.get(name) == "true"


def of_theirs(visit: Visit, *subjects: str) -> None:
    """Refuse to tell of deeds that are not for this visitor.

    Raises:
        Forbidden: None of the subjects is theirs.
    """
    if not visit.sees_deeds_of(*subjects):
        raise Forbidden
