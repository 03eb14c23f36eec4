"""Statements as pairs of patterns, and their intersections and differences.

Where two patterns overlap and neither covers the other, the row stays and gets the
deciding statement as a condition (`answerable:scope`, `answerable:deny`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from answerable.model.policy import Effect
from answerable.reach.aws.compiled.organization_policies import is_everything
from answerable.reach.aws.compiled.principal_matching import Names
from answerable.reach.aws.compiled.statements import Clause, Gap, Grant, Terms, held
from answerable.reach.aws.evaluation.context_keys import Known, resolve
from answerable.reach.aws.evaluation.request import DENY, Determining, name, unread_name
from answerable.reach.aws.evaluation.resource_policies import Namer
from answerable.reach.aws.patterns.arns import EVERYTHING, Parts, pattern_parts
from answerable.reach.aws.patterns.globs import STAR
from answerable.reach.aws.patterns.terms import (
    ACTIONS,
    RESOURCES,
    Term,
    covers,
    disjoint,
    meet,
    minus,
)
from answerable.reach.aws.permission_rows.row_types import SCOPE, Filter, Row
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, either, negation


class Span(NamedTuple):
    """Pair of patterns of a statement, with its condition."""

    actions: Term[str]
    resources: Term[Parts]
    shown: str
    formula: Formula
    grant: Grant

    @property
    def denies(self) -> bool:
        """Tell whether the statement denies."""
        return self.grant.clause.effect is Effect.DENY


@dataclass(frozen=True, slots=True)
class Limiting:
    """Limiting layer as spans; some span must allow a row.

    Attributes:
        spans: Its allows.
        gaps: Statements that were not read and could allow.
        is_open: True if it allows everything.
    """

    spans: tuple[Span, ...]
    gaps: tuple[Gap, ...]
    is_open: bool

    def lets(self, actions: Term[str], resources: Term[Parts]) -> bool:
        """Tell whether it may allow some of actions on resources."""
        if self.is_open or self.gaps:
            return True
        return any(_meet(actions, resources, span) for span in self.spans)


def limiting(spans: Iterable[Span], gaps: Iterable[Gap]) -> Limiting:
    """Build a limit from the spans of one layer, denies left out."""
    allows = tuple(span for span in spans if not span.denies)
    is_open = any(s.formula == TRUE and is_everything(s.grant) for s in allows)
    return Limiting(allows, tuple(gaps), is_open)


def everyone(clause: Clause) -> Names:
    """Match every caller, for statements without a Principal element."""
    return [("direct", TRUE)]


def spans_of(
    grants: Iterable[Grant], known: Known, namer: Namer = everyone
) -> Iterator[Span]:
    """List the pairs of patterns of statements.

    Args:
        grants: The statements.
        known: Known condition keys.
        namer: Matches the Principal element against the caller.
    """
    for grant in grants:
        clause = grant.clause
        formula = either(*(formula for _, formula in namer(clause)))
        if formula and clause.conditions:
            formula = both(formula, held(clause, known))
        if formula == FALSE:
            continue
        if clause.parts:
            for on in fixed_terms(clause):
                yield Span(*on, "", formula, grant)
            continue
        for actions in action_terms(clause):
            for resources, shown, open_ in resource_terms(grant, known):
                yield Span(actions, resources, shown, both(formula, open_), grant)


def fixed_terms(clause: Clause) -> Terms:
    """Pair the patterns of a statement without variables; cached."""
    if clause.terms is None:
        on = [Term(parts) for parts in clause.parts]
        if clause.not_resources:
            on = [Term(EVERYTHING, clause.parts)]
        clause.terms = tuple(product(action_terms(clause), on))
    return clause.terms


def filtered(span: Span, wanted: Filter) -> Row | None:
    """Build a row from a span, restricted to the filter."""
    if disjoint(ACTIONS, span.actions, wanted.actions):
        return None
    if disjoint(RESOURCES, span.resources, wanted.resources):
        return None
    if not wanted.flat_fits(span.resources.pattern):
        return None
    actions, _ = meet(ACTIONS, span.actions, wanted.actions)
    resources, _ = meet(RESOURCES, span.resources, wanted.resources)
    shown = span.shown if resources == span.resources else ""
    return Row(actions, resources, shown, span.formula, (name(span.grant),))


def _meet(actions: Term[str], resources: Term[Parts], span: Span) -> bool:
    """Tell whether a span overlaps actions on resources."""
    return not (
        disjoint(ACTIONS, actions, span.actions)
        or disjoint(RESOURCES, resources, span.resources)
    )


def limited(row: Row, limit: Limiting) -> list[Row]:
    """Narrow a row to the parts that a limit allows."""
    if limit.is_open:
        return [row]
    found = []
    for span in limit.spans:
        if not _meet(row.actions, row.resources, span):
            continue
        actions, sharp = meet(ACTIONS, row.actions, span.actions)
        resources, plain = meet(RESOURCES, row.resources, span.resources)
        shown = row.shown if resources == row.resources else span.shown
        by = name(span.grant)
        scope = TRUE if sharp and plain else atom(SCOPE, "Matches", (_label(by),))
        narrowed = row._replace(actions=actions, resources=resources, shown=shown)
        found.append(narrowed.limited(both(span.formula, scope), by))
    unread = (row.limited(gap.may("Allows"), unread_name(gap)) for gap in limit.gaps)
    return [*found, *unread]


def denied(row: Row, deny: Span) -> list[Row]:
    """Subtract a deny from a row."""
    if deny.formula == FALSE or disjoint(ACTIONS, row.actions, deny.actions):
        return [row]
    if disjoint(RESOURCES, row.resources, deny.resources):
        return [row]
    by = name(deny.grant)
    all_actions = covers(ACTIONS, deny.actions, row.actions)
    all_resources = covers(RESOURCES, deny.resources, row.resources)
    if all_actions and all_resources:
        without = row.limited(negation(deny.formula), by)
        return [without] if without.formula != FALSE else []
    if deny.formula == TRUE and all_resources:
        left = minus(ACTIONS, row.actions, deny.actions)
        if left is not None:
            return [row.limited(TRUE, by)._replace(actions=term) for term in left]
    if deny.formula == TRUE and all_actions:
        on = minus(RESOURCES, row.resources, deny.resources)
        if on is not None:
            return [row.limited(TRUE, by)._replace(resources=term) for term in on]
    matched = both(atom(DENY, "Matches", (_label(by),)), deny.formula)
    return [row.limited(negation(matched), by)]


def action_terms(clause: Clause) -> list[Term[str]]:
    """List the actions of a statement as terms."""
    if clause.not_actions:
        return [Term(STAR, clause.not_actions)]
    return [Term(pattern) for pattern in clause.actions]


def resource_terms(
    grant: Grant, known: Known
) -> Iterator[tuple[Term[Parts], str, Formula]]:
    """List the resources of a statement as terms, each with its open condition."""
    clause = grant.clause
    if clause.not_resources:
        holes = [resolve(text, known) for text in clause.not_resources]
        sure = [h for h in holes if not h.unknown and not h.void]
        unsure = any(h.unknown for h in holes)
        scope = atom(SCOPE, "Matches", (_label(name(grant)),)) if unsure else TRUE
        excluded = tuple(pattern_parts(hole.pattern) for hole in sure)
        yield Term(EVERYTHING, excluded), "", scope
        return
    if not clause.resources:
        yield Term(EVERYTHING), "", TRUE
    for text in clause.resources:
        found = resolve(text, known)
        if not found.void:
            keys = (atom(key, "PolicyVariable", (text,)) for key in found.unknown)
            shown = text if found.unknown else ""
            yield Term(pattern_parts(found.pattern)), shown, both(*keys)


def _label(by: Determining) -> str:
    return f"{by.policy}#{by.statement}"
