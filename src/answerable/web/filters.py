"""What templates say of a value: its link, its age, its shortened form."""

import time
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from answerable.flows.words import ages, coverage, text
from answerable.flows.words.decisions import REASONS
from answerable.model.document import Coverage

_PAGES = (
    ("agent:", "/agent"),
    ("person:", "/person"),
    ("cred:", "/credential"),
)
# What an id begins with and a column's head says already.
_KINDS = ("agent:", "person:", "tool:mcp/")
_NANOSECOND = 1_000_000_000


class Middle(NamedTuple):
    """A text in parts; put together they are the text.

    Attributes:
        kind: What kind of thing it is, left out where a column says so.
        front: Left out in front.
        head: Shown.
        cut: Left out of the middle.
        tail: Shown.
    """

    kind: str
    front: str
    head: str
    cut: str
    tail: str


def middle(value: str, cells: int) -> Middle:
    """Part an id so that its middle can be left out."""
    whole = text.safe(value)
    kind = next((each for each in _KINDS if whole.startswith(each)), "")
    return Middle(kind, *text.middle(whole.removeprefix(kind), cells))


def url(path: str, **query: object) -> str:
    """Spell a link of ours; a parameter that is empty or None is left out."""
    said = {name: each for name, each in query.items() if each not in ("", None)}
    return f"{path}?{urlencode(said)}" if said else path


def page_of(key: str) -> str:
    """Give the link of an agent, a person, a credential, a tool or an identity."""
    if key.startswith("tool:"):
        return url("/tools", q=key)
    page = next((page for kind, page in _PAGES if key.startswith(kind)), "/identity")
    return url(page, id=key)


def at(value: object) -> str:
    """Spell a time, given as RFC 3339 or in UTC nanoseconds, as RFC 3339."""
    if not isinstance(value, int) or isinstance(value, bool):
        return str(value or "")
    moment = datetime.fromtimestamp(value // _NANOSECOND, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(value: object) -> str:
    """Write a time as a distance from now."""
    return ages.ago(at(value), time.time_ns())


def covered(value: Coverage) -> list[str]:
    """Say what an answer rests on, piece by piece."""
    return coverage.parts(value)


def gaps(value: Coverage) -> str:
    """Name what was not collected and could change an answer."""
    return coverage.missing(value)


def number(value: int | None) -> str:
    """Write a count with its thousands apart; None is a count that is not known."""
    return "not known" if value is None else f"{value:,}"


def bare(value: str) -> str:
    """Leave out the kind that an id begins with."""
    kind = next((each for each in _KINDS if value.startswith(each)), "")
    return value.removeprefix(kind)


def shown(value: object) -> object:
    """Make foreign text harmless to the eye, as the terminal does.

    A mark that reverses a line, or a character without width, is written as its escape;
    what HTML would take for markup is escaped after this, by the template.
    """
    if type(value) is not str or (value.isascii() and value.isprintable()):
        return value
    return "\n".join(text.safe(line) for line in value.split("\n"))


def why(reason: str) -> str:
    """Say a reason in words; a word that is none of ours stays as it is."""
    return REASONS.get(reason, reason)


FILTERS = {
    "middle": middle,
    "page_of": page_of,
    "at": at,
    "ago": ago,
    "covered": covered,
    "gaps": gaps,
    "number": number,
    "bare": bare,
    "why": why,
}
