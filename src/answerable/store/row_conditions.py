"""SQL conditions on the rows of a segment: source, and mentions of a person."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from string import punctuation
from urllib.parse import quote

from answerable.store.event_columns import TYPES

# A name is mentioned where no letter, digit or sign of a longer name adjoins it.
_BEFORE = r"(^|[^A-Za-z0-9._%+@-])"
_AFTER = r"($|[^A-Za-z0-9._@-]|\.($|[^A-Za-z0-9]))"
_TEXTS = [name for name, kind in TYPES.items() if kind == "VARCHAR"]
_LISTS = [name for name, kind in TYPES.items() if kind == "VARCHAR[]"]
# The separator adjoins a name but is no part of one.
_ALL_TEXT_SQL = (
    "concat_ws(chr(10), "
    + ", ".join(f'"{name}"' for name in _TEXTS)
    + "".join(f', array_to_string("{name}", chr(10))' for name in _LISTS)
    + ', array_to_string(flatten("facts"), chr(10)))'
)


@dataclass(frozen=True, slots=True)
class RowCondition:
    """SQL condition on the columns of a segment, with its parameters."""

    sql: str
    parameters: tuple[object, ...] = ()

    def __and__(self, other: "RowCondition") -> "RowCondition":
        return RowCondition(
            f"({self.sql}) AND ({other.sql})", (*self.parameters, *other.parameters)
        )

    def __or__(self, other: "RowCondition") -> "RowCondition":
        return RowCondition(
            f"({self.sql}) OR ({other.sql})", (*self.parameters, *other.parameters)
        )

    def __invert__(self) -> "RowCondition":
        return RowCondition(f"NOT ({self.sql})", self.parameters)


ALL_ROWS = RowCondition("true")


def join_conditions(conditions: Iterable[RowCondition]) -> RowCondition | None:
    """Join conditions with OR; None for none."""
    joined: RowCondition | None = None
    for each in conditions:
        joined = each if joined is None else joined | each
    return joined


def list_names(persons: Sequence[str]) -> list[str]:
    """List the texts that mention persons: without `person:`, encoded, and as hashes."""
    plain = [each.removeprefix("person:").strip() for each in persons]
    encoded = [quote(each, safe="") for each in plain]
    hashes = [text for each in plain for text in _list_unsalted_hashes(each)]
    return list(dict.fromkeys([*plain, *encoded, *hashes]))


def _list_unsalted_hashes(name: str) -> Iterator[str]:
    """Yield SHA-256 of a name, as written and in lower case, in hex and in base64.

    Sources write such hashes instead of names; each can be found by trying names.
    """
    for value in (name, name.lower()):
        digest = hashlib.sha256(value.encode("utf-8", "replace")).digest()
        yield digest.hex()
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(digest).decode("ascii").rstrip("=")


def build_mention_pattern(persons: Sequence[str]) -> str:
    """Build the regular expression of a mention, for RE2 and for Python."""
    names = "|".join(_escape_regex(each) for each in list_names(persons))
    return f"(?i){_BEFORE}({names}){_AFTER}"


def build_person_condition(persons: Sequence[str]) -> RowCondition:
    """Build the condition of rows that mention a person in any text column."""
    return RowCondition(
        f"regexp_matches({_ALL_TEXT_SQL}, ?)", (build_mention_pattern(persons),)
    )


def _escape_regex(text: str) -> str:
    """Escape a text for a regular expression of RE2 and of Python."""
    return "".join(f"\\{each}" if each in punctuation else each for each in text)
