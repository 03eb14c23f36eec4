"""Permission rows: patterns of actions on patterns of resources.

A row allows every action of its pattern, on every resource of its pattern that the
action can take. A pattern without an account means the principal's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from answerable.model.action_catalogue import Catalogue
from answerable.reach.aws.compiled.statements import Gap
from answerable.reach.aws.evaluation.request import Determining
from answerable.reach.aws.patterns.arns import EVERYTHING, Parts, pattern_parts
from answerable.reach.aws.patterns.globs import STAR, inward, outward, overlaps
from answerable.reach.aws.patterns.terms import (
    ALL_ACTIONS,
    ALL_RESOURCES,
    Term,
    action_text,
    resource_text,
)
from answerable.reach.formula import Formula, both

SCOPE = "answerable:scope"
# Tests actions on resources: whether something may match them, or covers them.
Speaks = Callable[[Term[str], Term[Parts]], bool]


class Row(NamedTuple):
    """Permission row: action and resource patterns under a condition.

    Attributes:
        actions: Action pattern.
        resources: Resource pattern.
        shown: Resource pattern as written, where a variable in it is not known.
        formula: Condition.
        determining: Determining statements.
        gaps: Policies and statements not read that could change it.
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
    """Filter of rows: those that overlap all patterns.

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
        """Tell whether the filter accepts every row."""
        return (self.actions, self.resources, self.flat) == EVERY_ROW

    def flat_fits(self, resource: Parts) -> bool:
        """Tell whether the flat glob could match the text of a resource pattern."""
        if not self.flat:
            return True
        text = STAR if resource == EVERYTHING else ":".join(resource)
        return overlaps(self.flat, text)


def row_texts(row: Row, spelled: Callable[[str], str]) -> tuple[str, str]:
    """Format the action and resource patterns of a row."""
    return (
        action_text(row.actions, spelled),
        resource_text(row.resources, row.shown),
    )


def speller(
    catalogue: Catalogue, written: Mapping[str, str], asked: str
) -> Callable[[str], str]:
    """Build a function that formats an action pattern in its service's spelling.

    Args:
        catalogue: Spelling of whole names.
        written: Patterns as written, by inner form in lower case.
        asked: Action glob of the question.
    """
    filtered = inward(asked.lower())

    def spelled(pattern: str) -> str:
        if pattern == filtered:
            return asked
        entry = catalogue.action(pattern)
        return str(entry) if entry else written.get(pattern) or outward(pattern)

    return spelled


def make_filter(action: str, resource: str) -> Filter:
    """Parse the globs of a question; a resource glob need not be an ARN."""
    actions = Term(inward(action.lower()))
    if resource.startswith("arn:") or resource.strip("*") == "":
        return Filter(actions, Term(pattern_parts(inward(resource or "*"))))
    return Filter(actions, flat=inward(resource))
