"""Choose marks for hop statuses, verdicts and checks, in Unicode or ASCII."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MarkSet:
    """Set of marks; each mark is printed next to its word.

    Attributes:
        hops: Stroke to a node, by status, four cells each.
        hop: One cell by status, for tables.
        no: Missing, or failed.
        ellipsis: Mark for text removed from the middle.
        dot: Separates the parts of a line.
        rule: Line under a table head.
    """

    hops: Mapping[str, str]
    hop: Mapping[str, str]
    verdicts: Mapping[str, str]
    yes: str
    no: str
    ellipsis: str
    dot: str
    rule: str
    branch: str
    times: str


UNICODE = MarkSet(
    hops={
        "observed": "──  ",
        "declared": "─ ─ ",
        "inferred": "··· ",
        "missing": " ∅  ",
    },
    hop={"observed": "─", "declared": "╌", "inferred": "⋯", "missing": "∅"},
    verdicts={"always": "●", "only-if": "◑", "never": "○", "not-known": "?"},
    yes="✔",
    no="✘",
    ellipsis="…",
    dot=" · ",
    rule="─",
    branch="└ ",
    times="×",  # noqa: RUF001 - the multiplication sign is meant
)

ASCII = MarkSet(
    hops={
        "observed": "--  ",
        "declared": "- - ",
        "inferred": "... ",
        "missing": " 0  ",
    },
    hop={"observed": "-", "declared": "~", "inferred": ".", "missing": "0"},
    verdicts={"always": "*", "only-if": "~", "never": "o", "not-known": "?"},
    yes="+",
    no="x",
    ellipsis="..",
    dot=" - ",
    rule="-",
    branch="` ",
    times="x",
)


def choose_marks(encoding: str | None) -> MarkSet:
    """Choose the marks that an encoding can represent."""
    try:
        "".join(
            (*UNICODE.hops.values(), *UNICODE.verdicts.values(), "…·└×╌⋯✔✘")  # noqa: RUF001 - meant
        ).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE
