"""SQL conditions on the rows of a segment: source, and mentions of a person."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from answerable.store.event_columns import TYPES
from answerable.store.letter_escapes import (
    build_decoded_sql,
    build_escape_test_sql,
)
from answerable.store.mention_pattern import build_mention_pattern

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


def build_person_condition(persons: Sequence[str]) -> RowCondition:
    """Build the condition of rows that mention a person in any text column."""
    return build_mention_condition(_ALL_TEXT_SQL, persons)


def build_mention_condition(text: str, persons: Sequence[str]) -> RowCondition:
    """Build the condition that the text of a row mentions a person.

    Args:
        text: SQL of the text.
        persons: Names of the person, with or without `person:`.
    """
    pattern = build_mention_pattern(persons)
    decoded = [build_decoded_sql(text)]
    if any("\\" in each for each in persons):
        decoded.append(build_decoded_sql(text, keeps_backslash=True))
    found = " OR ".join(f"regexp_matches({each}, ?)" for each in decoded)
    return RowCondition(
        f"CASE WHEN regexp_matches({text}, ?) THEN true "
        f"WHEN {build_escape_test_sql(text)} THEN {found} ELSE false END",
        (pattern,) * (1 + len(decoded)),
    )
