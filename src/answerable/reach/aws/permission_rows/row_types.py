"""Dataclasses of permission rows (action and resource patterns) and their filter.

A row allows every action of its pattern, on every resource of its pattern that the
action can take. A pattern without an account means the principal's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from answerable.model.action_catalogue import ActionCatalogue
from answerable.reach.aws.compiled.statements import PolicyGap
from answerable.reach.aws.patterns.arn_matching import ANY_ARN, ArnParts, split_glob_arn
from answerable.reach.aws.patterns.glob_matching import (
    ANY_TEXT,
    decode_glob,
    do_globs_overlap,
    encode_glob,
)
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ALL_ACTIONS,
    ALL_RESOURCES,
    PatternTerm,
    format_action_pattern,
    format_resource_pattern,
)
from answerable.reach.condition_formula import Formula, conjoin
from answerable.reach.platform import DeterminingStatement

SCOPE = "answerable:scope"
# Tests actions on resources: whether something may match them, or covers them.
TermPairTest = Callable[[PatternTerm[str], PatternTerm[ArnParts]], bool]


class PermissionRow(NamedTuple):
    """Permission row: action and resource patterns under a condition.

    Attributes:
        actions: Action pattern.
        resources: Resource pattern.
        shown: Resource pattern as written, where a variable in it is not known.
        formula: Condition.
        determining: Determining statements.
        gaps: Policies and statements not read that could change it.
    """

    actions: PatternTerm[str]
    resources: PatternTerm[ArnParts]
    shown: str
    formula: Formula
    determining: tuple[DeterminingStatement, ...]
    gaps: tuple[PolicyGap, ...] = ()

    def with_further_condition(
        self, formula: Formula, statement: DeterminingStatement
    ) -> "PermissionRow":
        """Return the permission row restricted by one more condition."""
        return self._replace(
            formula=conjoin(self.formula, formula),
            determining=(*self.determining, statement),
        )


ALL_ROWS = (ALL_ACTIONS, ALL_RESOURCES, "")


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Filter of rows: those that overlap all patterns.

    Attributes:
        actions: Action pattern.
        resources: Resource pattern, an ARN's.
        text_glob: Resource pattern in encoded form that is no ARN's, or empty.
    """

    actions: PatternTerm[str] = ALL_ACTIONS
    resources: PatternTerm[ArnParts] = ALL_RESOURCES
    text_glob: str = ""

    @property
    def accepts_every_row(self) -> bool:
        """Return whether the filter accepts every row."""
        return (self.actions, self.resources, self.text_glob) == ALL_ROWS

    def may_match_resource_pattern(self, resource: ArnParts) -> bool:
        """Return whether the text glob could match a resource pattern."""
        if not self.text_glob:
            return True
        text = ANY_TEXT if resource == ANY_ARN else ":".join(resource)
        return do_globs_overlap(self.text_glob, text)


def format_permission_row(
    row: PermissionRow, format_action: Callable[[str], str]
) -> tuple[str, str]:
    """Format the action and resource patterns of a row."""
    return (
        format_action_pattern(row.actions, format_action),
        format_resource_pattern(row.resources, row.shown),
    )


def build_action_formatter(
    catalogue: ActionCatalogue, written_patterns: Mapping[str, str], question: str
) -> Callable[[str], str]:
    """Build a function that formats an action pattern in the format of its service.

    Args:
        catalogue: Spelling of whole names.
        written_patterns: Patterns as written, by encoded form in lower case.
        question: Action glob of the question.
    """
    filtered = encode_glob(question.lower())

    def spelled(pattern: str) -> str:
        if pattern == filtered:
            return question
        entry = catalogue.find_action(pattern)
        return (
            str(entry)
            if entry
            else written_patterns.get(pattern) or decode_glob(pattern)
        )

    return spelled


def parse_row_filter(action: str, resource: str) -> RowFilter:
    """Parse the action and resource globs of a question into a row filter."""
    actions = PatternTerm(encode_glob(action.lower()))
    if resource.startswith("arn:") or resource.strip("*") == "":
        return RowFilter(
            actions, PatternTerm(split_glob_arn(encode_glob(resource or "*")))
        )
    return RowFilter(actions, text_glob=encode_glob(resource))
