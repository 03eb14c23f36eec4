"""Template filters: links, ages, shortened ids."""

import time
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from answerable.model.documents.core import Coverage
from answerable.presentation import coverage_text, relative_time, text
from answerable.presentation.decision_reasons import REASONS

_PAGES = (
    ("agent:", "/agent"),
    ("person:", "/person"),
    ("cred:", "/credential"),
)
# Prefixes of ids that the column heading already shows.
_KINDS = ("agent:", "person:", "tool:mcp/")
_NANOSECOND = 1_000_000_000


class Middle(NamedTuple):
    """A text in parts; joined they are the whole text.

    Attributes:
        kind: Kind prefix, hidden if the column shows it.
    """

    kind: str
    front: str
    head: str
    cut: str
    tail: str


def middle(value: str, cells: int) -> Middle:
    """Split an id so that its middle can be hidden."""
    whole = text.safe(value)
    kind = next((each for each in _KINDS if whole.startswith(each)), "")
    return Middle(kind, *text.middle(whole.removeprefix(kind), cells))


def url(path: str, **query: object) -> str:
    """Build a local URL; empty parameters are left out."""
    said = {name: each for name, each in query.items() if each not in ("", None)}
    return f"{path}?{urlencode(said)}" if said else path


def page_of(key: str) -> str:
    """Return the page of an agent, person, credential, tool or identity."""
    if key.startswith("tool:"):
        return url("/tools", q=key)
    page = next((page for kind, page in _PAGES if key.startswith(kind)), "/identity")
    return url(page, id=key)


def at(value: object) -> str:
    """Format a time, RFC 3339 text or UTC nanoseconds, as RFC 3339."""
    if not isinstance(value, int) or isinstance(value, bool):
        return str(value or "")
    moment = datetime.fromtimestamp(value // _NANOSECOND, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(value: object) -> str:
    """Format a time as its age."""
    return relative_time.ago(at(value), time.time_ns())


def covered(value: Coverage) -> list[str]:
    """Describe the coverage of an answer."""
    return coverage_text.parts(value)


def gaps(value: Coverage) -> str:
    """Name the sources that are missing and could change an answer."""
    return coverage_text.missing(value)


def number(value: int | None) -> str:
    """Format a count with thousands separators; None is unknown."""
    return "not known" if value is None else f"{value:,}"


def bare(value: str) -> str:
    """Remove the kind prefix of an id."""
    kind = next((each for each in _KINDS if value.startswith(each)), "")
    return value.removeprefix(kind)


def shown(value: object) -> object:
    """Make foreign text visually harmless, as the terminal does.

    Bidirectional marks and zero-width characters become escapes; the template escapes
    HTML afterwards.
    """
    if type(value) is not str or (value.isascii() and value.isprintable()):
        return value
    return "\n".join(text.safe(line) for line in value.split("\n"))


def why(reason: str) -> str:
    """Describe a reason code; an unknown code stays."""
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
