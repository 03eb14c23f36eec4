"""Values of CEL expressions, and the operations on those that are known."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import re2

from answerable.reach.condition_formula import FALSE, TRUE, Formula

UNREAD = "gcp:condition"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Value that is not known, with the attribute that it depends on."""

    attribute: str


@dataclass(frozen=True, slots=True)
class CelError:
    """Error of an evaluation: the condition grants nothing."""


@dataclass(frozen=True, slots=True, order=True)
class CelInstant:
    """Time, UTC nanoseconds."""

    ns: int


@dataclass(frozen=True, slots=True)
class LaterTime:
    """Time of a request: some time from the given one on."""

    earliest: int


@dataclass(frozen=True, slots=True)
class CelList:
    """List of values."""

    items: "tuple[CelValue, ...]"


CelValue = (
    str
    | int
    | float
    | Formula
    | Unknown
    | CelError
    | CelInstant
    | LaterTime
    | CelList
    | None
)


def parse_timestamp(text: str) -> CelInstant | CelError:
    """Parse a timestamp of RFC 3339."""
    try:
        when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return CelError()
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return CelInstant(int(when.timestamp()) * 10**9)


def is_open(value: CelValue) -> bool:
    """Return whether a value is boolean and open, or a list with such a part."""
    return isinstance(value, frozenset) and value not in (TRUE, FALSE)


def compare_later_time(mark: str, left: CelValue, right: CelValue) -> bool | None:
    """Compare the time of a later request with a fixed one; None if requests differ."""
    if isinstance(right, LaterTime) and isinstance(left, CelInstant):
        flipped = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(mark, mark)
        return compare_later_time(flipped, right, left)
    if not isinstance(left, LaterTime) or not isinstance(right, CelInstant):
        return None
    if mark in ("<", ">="):
        passed = right.ns <= left.earliest
    else:
        passed = right.ns < left.earliest
    if not passed or mark not in ("<", "<=", ">", ">=", "==", "!="):
        return None
    return mark in (">", ">=", "!=")


def contains_value(items: CelValue, value: CelValue) -> bool | None:
    """Return whether a list contains a value."""
    if not isinstance(items, CelList):
        return None
    if value in items.items:
        return True
    unknown = any(isinstance(each, (Unknown, CelError)) for each in items.items)
    return None if unknown else False


def order_values(mark: str, left: CelValue, right: CelValue) -> bool | None:
    """Order two values of one kind."""
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return _compare_numbers(mark, left, right)
    if isinstance(left, str) and isinstance(right, str):
        return _compare_numbers(mark, (left > right) - (left < right), 0)
    if isinstance(left, CelInstant) and isinstance(right, CelInstant):
        return _compare_numbers(mark, left.ns, right.ns)
    return None


def _compare_numbers(mark: str, left: float, right: float) -> bool:
    """Compare two numbers."""
    if mark in ("<", "<="):
        return left < right or (mark == "<=" and left == right)
    return left > right or (mark == ">=" and left == right)


def compute_value(mark: str, left: CelValue, right: CelValue) -> CelValue:
    """Add texts; arithmetic of conditions is left open."""
    for value in (left, right):
        if isinstance(value, (Unknown, CelError)):
            return value
    if mark == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    return Unknown(UNREAD)


def call_text_method(name: str, value: str, arguments: Sequence[CelValue]) -> CelValue:
    """Call a method of a text."""
    first = arguments[0] if arguments else None
    if not isinstance(first, str):
        lowered = {"lowerAscii": value.lower(), "upperAscii": value.upper()}
        return lowered.get(name, Unknown(UNREAD))
    if name == "extract":
        return extract_text(value, first)
    tests: Mapping[str, Callable[[], bool]] = {
        "startsWith": lambda: value.startswith(first),
        "endsWith": lambda: value.endswith(first),
        "contains": lambda: first in value,
        "matches": lambda: re2.search(first, value) is not None,
    }
    if name not in tests:
        return Unknown(UNREAD)
    try:
        return TRUE if tests[name]() else FALSE
    except re2.error:
        return CelError()


def extract_text(value: str, template: str) -> str:
    """Extract the text that a template marks, as `{name}`; empty if it does not match.

    Source: https://docs.cloud.google.com/iam/docs/conditions-attribute-reference,
    "Extract values from resource names".
    """
    found = re.fullmatch(r"([^{}]*)\{[A-Za-z_]\w*\}([^{}]*)", template)
    if found is None:
        return ""
    head, tail = found[1], found[2]
    start = value.find(head)
    if start < 0:
        return ""
    start += len(head)
    end = value.find(tail, start) if tail else len(value)
    return value[start:end] if end >= 0 else ""
