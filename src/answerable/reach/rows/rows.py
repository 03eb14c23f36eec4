"""Rows: what one principal may do, as patterns of actions on patterns of resources.

A row says: every action of the pattern, on every resource of the pattern that the
action can take. A pattern that names no account speaks of the principal's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from answerable.model.catalogue import Catalogue
from answerable.reach.estate.clauses import Gap
from answerable.reach.patterns.globs import STAR, inward, outward, overlaps
from answerable.reach.patterns.resources import EVERYTHING, Parts, pattern_parts
from answerable.reach.patterns.terms import (
    ALL_ACTIONS,
    ALL_RESOURCES,
    Term,
    action_text,
    resource_text,
)
from answerable.reach.verdict.formula import Formula, both
from answerable.reach.verdict.request import Determining

SCOPE = "answerable:scope"
# Whether something may speak of actions on resources, or speaks of all of them.
Speaks = Callable[[Term[str], Term[Parts]], bool]


class Row(NamedTuple):
    """A row under construction, then an answer.

    Attributes:
        actions: Which actions.
        resources: On which resources.
        shown: The resource pattern as written, where a variable in it is not known.
        formula: When.
        determining: The statements that decided.
        gaps: What was not read and could change it.
    """

    actions: Term[str]
    resources: Term[Parts]
    shown: str
    formula: Formula
    determining: tuple[Determining, ...]
    gaps: tuple[Gap, ...] = ()

    def limited(self, formula: Formula, by: Determining) -> "Row":
        """Return the row under one more condition."""
        return self._replace(
            formula=both(self.formula, formula),
            determining=(*self.determining, by),
        )


EVERY_ROW = (ALL_ACTIONS, ALL_RESOURCES, "")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are asked for: those that could touch all patterns.

    Attributes:
        actions: Action pattern.
        resources: Resource pattern, an ARN's.
        flat: Resource pattern in inner form that is no ARN's, or empty.
    """

    actions: Term[str] = ALL_ACTIONS
    resources: Term[Parts] = ALL_RESOURCES
    flat: str = ""

    @property
    def is_all(self) -> bool:
        """Tell whether every row is asked for."""
        return (self.actions, self.resources, self.flat) == EVERY_ROW

    def flat_fits(self, resource: Parts) -> bool:
        """Tell whether a glob that is no ARN could match a resource pattern's text."""
        if not self.flat:
            return True
        text = STAR if resource == EVERYTHING else ":".join(resource)
        return overlaps(self.flat, text)


def row_texts(row: Row, spelled: Callable[[str], str]) -> tuple[str, str]:
    """Write a row's action and resource patterns."""
    return (
        action_text(row.actions, spelled),
        resource_text(row.resources, row.shown),
    )


def speller(
    catalogue: Catalogue, written: Mapping[str, str], asked: str
) -> Callable[[str], str]:
    """Return a function that writes an action pattern the way its service does.

    Args:
        catalogue: Spells whole names.
        written: How patterns were written, by inner form in lower case.
        asked: The action glob of the question.
    """
    filtered = inward(asked.lower())

    def spelled(pattern: str) -> str:
        if pattern == filtered:
            return asked
        entry = catalogue.action(pattern)
        return str(entry) if entry else written.get(pattern) or outward(pattern)

    return spelled


def make_filter(action: str, resource: str) -> Filter:
    """Read the globs of a question; a resource glob need not be an ARN's."""
    actions = Term(inward(action.lower()))
    if resource.startswith("arn:") or resource.strip("*") == "":
        return Filter(actions, Term(pattern_parts(inward(resource or "*"))))
    return Filter(actions, flat=inward(resource))
