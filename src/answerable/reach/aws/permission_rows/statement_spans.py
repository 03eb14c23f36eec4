"""Convert statements to pairs of patterns (spans), then intersect and subtract them.

Where two patterns overlap and neither covers the other, the row stays and gets the
deciding statement as a condition (`answerable:scope`, `answerable:deny`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from answerable.model.policy import PolicyEffect
from answerable.reach.aws.compiled.limiting_policies import is_unconditional_full_allow
from answerable.reach.aws.compiled.principal_matching import NamingFormulas
from answerable.reach.aws.compiled.statements import (
    CompiledStatement,
    PolicyGap,
    PolicyStatement,
    StatementTerms,
    evaluate_statement_conditions,
)
from answerable.reach.aws.evaluation.context_keys import (
    ContextKeys,
    resolve_policy_variables,
)
from answerable.reach.aws.evaluation.request import (
    DENY_KEY,
    describe_gap,
    describe_statement,
)
from answerable.reach.aws.evaluation.resource_policies import Namer
from answerable.reach.aws.patterns.arn_matching import ANY_ARN, ArnParts, split_glob_arn
from answerable.reach.aws.patterns.glob_matching import ANY_TEXT
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    RESOURCES,
    PatternTerm,
    are_patterns_disjoint,
    covers,
    intersect_patterns,
    subtract_pattern,
)
from answerable.reach.aws.permission_rows.row_types import (
    SCOPE,
    PermissionRow,
    RowFilter,
)
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin,
    disjoin,
    negate,
)
from answerable.reach.platform import DeterminingStatement


class StatementSpan(NamedTuple):
    """Pair of patterns of a statement, with its condition."""

    actions: PatternTerm[str]
    resources: PatternTerm[ArnParts]
    shown: str
    formula: Formula
    grant: PolicyStatement

    @property
    def is_deny(self) -> bool:
        """Return whether the statement denies."""
        return self.grant.clause.effect is PolicyEffect.DENY


@dataclass(frozen=True, slots=True)
class LimitingSpans:
    """Limiting layer as spans; some span must allow a row.

    Attributes:
        spans: Its allows.
        gaps: Statements that were not read and could allow.
        is_open: True if it allows everything.
    """

    spans: tuple[StatementSpan, ...]
    gaps: tuple[PolicyGap, ...]
    is_open: bool

    def may_allow_some_resources(
        self, actions: PatternTerm[str], resources: PatternTerm[ArnParts]
    ) -> bool:
        """Return whether a boundary or SCP may allow part of these permissions."""
        if self.is_open or self.gaps:
            return True
        return any(
            _span_overlaps_patterns(actions, resources, span) for span in self.spans
        )


def build_limiting_spans(
    spans: Iterable[StatementSpan], gaps: Iterable[PolicyGap]
) -> LimitingSpans:
    """Build a limit from one layer's allow spans; its denies are left out."""
    allows = tuple(span for span in spans if not span.is_deny)
    is_open = any(
        s.formula == TRUE and is_unconditional_full_allow(s.grant) for s in allows
    )
    return LimitingSpans(allows, tuple(gaps), is_open)


def match_every_caller(clause: CompiledStatement) -> NamingFormulas:
    """Match every caller; for statements without a `Principal` element."""
    return [("direct", TRUE)]


def list_pattern_pairs_of_statements(
    grants: Iterable[PolicyStatement],
    context_keys: ContextKeys,
    match_principals: Namer = match_every_caller,
) -> Iterator[StatementSpan]:
    """Yield the (actions, resources) pattern pairs of statements.

    Args:
        grants: The statements.
        context_keys: Known condition keys.
        match_principals: Matches the Principal element against the caller.
    """
    for grant in grants:
        clause = grant.clause
        formula = disjoin(*(formula for _, formula in match_principals(clause)))
        if formula and clause.conditions:
            formula = conjoin(
                formula, evaluate_statement_conditions(clause, context_keys)
            )
        if formula == FALSE:
            continue
        if clause.parts:
            for on in list_constant_pattern_pairs(clause):
                yield StatementSpan(*on, "", formula, grant)
            continue
        for actions in list_action_terms_of_statement(clause):
            for resources, shown, open_ in list_resource_terms_of_statement(
                grant, context_keys
            ):
                yield StatementSpan(
                    actions, resources, shown, conjoin(formula, open_), grant
                )


def list_constant_pattern_pairs(clause: CompiledStatement) -> StatementTerms:
    """List the pattern pairs of a statement without variables; cached."""
    if clause.terms is None:
        on = [PatternTerm(parts) for parts in clause.parts]
        if clause.not_resources:
            on = [PatternTerm(ANY_ARN, clause.parts)]
        clause.terms = tuple(product(list_action_terms_of_statement(clause), on))
    return clause.terms


def build_row_from_span(
    span: StatementSpan, row_filter: RowFilter
) -> PermissionRow | None:
    """Build a permission row from a span, restricted to the filter."""
    has_exceptions = span.actions.excluded or span.resources.excluded
    if row_filter.accepts_every_row and not has_exceptions:
        by = (describe_statement(span.grant),)
        return PermissionRow(span.actions, span.resources, span.shown, span.formula, by)
    if are_patterns_disjoint(ACTIONS, span.actions, row_filter.actions):
        return None
    if are_patterns_disjoint(RESOURCES, span.resources, row_filter.resources):
        return None
    if not row_filter.may_match_resource_pattern(span.resources.pattern):
        return None
    actions, _ = intersect_patterns(ACTIONS, span.actions, row_filter.actions)
    resources, _ = intersect_patterns(RESOURCES, span.resources, row_filter.resources)
    shown = span.shown if resources == span.resources else ""
    by = (describe_statement(span.grant),)
    return PermissionRow(actions, resources, shown, span.formula, by)


def _span_overlaps_patterns(
    actions: PatternTerm[str], resources: PatternTerm[ArnParts], span: StatementSpan
) -> bool:
    """Return whether a span overlaps actions on resources."""
    return not (
        are_patterns_disjoint(ACTIONS, actions, span.actions)
        or are_patterns_disjoint(RESOURCES, resources, span.resources)
    )


def apply_limit_to_row(row: PermissionRow, limit: LimitingSpans) -> list[PermissionRow]:
    """Yield the parts of a row that a limit allows."""
    if limit.is_open:
        return [row]
    found = []
    for span in limit.spans:
        if not _span_overlaps_patterns(row.actions, row.resources, span):
            continue
        actions, sharp = intersect_patterns(ACTIONS, row.actions, span.actions)
        resources, plain = intersect_patterns(RESOURCES, row.resources, span.resources)
        shown = row.shown if resources == row.resources else span.shown
        by = describe_statement(span.grant)
        scope = (
            TRUE
            if sharp and plain
            else build_atom(SCOPE, "Matches", (_format_statement_id(by),))
        )
        narrowed = row._replace(actions=actions, resources=resources, shown=shown)
        found.append(narrowed.with_further_condition(conjoin(span.formula, scope), by))
    unread = (
        row.with_further_condition(gap.get_open_condition("Allows"), describe_gap(gap))
        for gap in limit.gaps
    )
    return [*found, *unread]


def apply_deny_to_row(row: PermissionRow, deny: StatementSpan) -> list[PermissionRow]:
    """Yield the parts of a row that a deny leaves."""
    if deny.formula == FALSE or are_patterns_disjoint(
        ACTIONS, row.actions, deny.actions
    ):
        return [row]
    if are_patterns_disjoint(RESOURCES, row.resources, deny.resources):
        return [row]
    by = describe_statement(deny.grant)
    all_actions = covers(ACTIONS, deny.actions, row.actions)
    all_resources = covers(RESOURCES, deny.resources, row.resources)
    if all_actions and all_resources:
        without = row.with_further_condition(negate(deny.formula), by)
        return [without] if without.formula != FALSE else []
    if deny.formula == TRUE and all_resources:
        left = subtract_pattern(ACTIONS, row.actions, deny.actions)
        if left is not None:
            return [
                row.with_further_condition(TRUE, by)._replace(actions=term)
                for term in left
            ]
    if deny.formula == TRUE and all_actions:
        on = subtract_pattern(RESOURCES, row.resources, deny.resources)
        if on is not None:
            return [
                row.with_further_condition(TRUE, by)._replace(resources=term)
                for term in on
            ]
    matched = conjoin(
        build_atom(DENY_KEY, "Matches", (_format_statement_id(by),)), deny.formula
    )
    return [row.with_further_condition(negate(matched), by)]


def list_action_terms_of_statement(clause: CompiledStatement) -> list[PatternTerm[str]]:
    """Convert `Action` or `NotAction` of a statement to pattern terms."""
    if clause.not_actions:
        return [PatternTerm(ANY_TEXT, clause.not_actions)]
    return [PatternTerm(pattern) for pattern in clause.actions]


def list_resource_terms_of_statement(
    grant: PolicyStatement, context_keys: ContextKeys
) -> Iterator[tuple[PatternTerm[ArnParts], str, Formula]]:
    """List a statement's resource patterns, each with its undecided condition."""
    clause = grant.clause
    if clause.not_resources:
        holes = [
            resolve_policy_variables(text, context_keys)
            for text in clause.not_resources
        ]
        sure = [h for h in holes if not h.unknown and not h.void]
        unsure = any(h.unknown for h in holes)
        scope = (
            build_atom(
                SCOPE, "Matches", (_format_statement_id(describe_statement(grant)),)
            )
            if unsure
            else TRUE
        )
        excluded = tuple(split_glob_arn(hole.pattern) for hole in sure)
        yield PatternTerm(ANY_ARN, excluded), "", scope
        return
    if not clause.resources:
        yield PatternTerm(ANY_ARN), "", TRUE
    for text in clause.resources:
        found = resolve_policy_variables(text, context_keys)
        if not found.void:
            keys = (build_atom(key, "PolicyVariable", (text,)) for key in found.unknown)
            shown = text if found.unknown else ""
            yield PatternTerm(split_glob_arn(found.pattern)), shown, conjoin(*keys)


def _format_statement_id(statement: DeterminingStatement) -> str:
    """Format a statement's policy and id for a condition."""
    return f"{statement.policy}#{statement.statement}"
