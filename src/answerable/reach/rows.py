"""What one principal may do, as rows of patterns: its statements, less what limits them.

A row says: every action of the pattern, on every resource of the pattern that the
action can take. Rows are the statements' own patterns, narrowed by filters, boundary
and denies; where two patterns overlap and neither covers the other, the row stays as
it is and says which statement decides (`answerable:scope`, `answerable:deny`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from answerable.model.catalogue import Catalogue
from answerable.model.policy import Effect
from answerable.reach.clauses import Clause, Gap, Grant
from answerable.reach.conditions import evaluate
from answerable.reach.context import Known, resolve
from answerable.reach.evaluate import DENY, Determining, name
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, negation
from answerable.reach.globs import STAR, inward, outward, overlaps
from answerable.reach.matrix import possible_pattern
from answerable.reach.principals import Principal
from answerable.reach.resources import EVERYTHING, Parts, pattern_parts
from answerable.reach.terms import (
    ACTIONS,
    ALL_ACTIONS,
    ALL_RESOURCES,
    RESOURCES,
    Term,
    action_text,
    covers,
    disjoint,
    meet,
    minus,
    resource_text,
)

SCOPE = "answerable:scope"


@dataclass(frozen=True, slots=True)
class Row:
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
        return replace(
            self,
            formula=both(self.formula, formula),
            determining=(*self.determining, by),
        )


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

    def flat_fits(self, resource: Parts) -> bool:
        """Tell whether a glob that is no ARN could match a resource pattern's text."""
        if not self.flat:
            return True
        text = STAR if resource == EVERYTHING else ":".join(resource)
        return overlaps(self.flat, text)


@dataclass(frozen=True, slots=True)
class _Span:
    """One pair of patterns of a statement, and when it applies."""

    actions: Term[str]
    resources: Term[Parts]
    shown: str
    formula: Formula
    grant: Grant


def rows_of(
    principal: Principal, catalogue: Catalogue, wanted: Filter, given: Known
) -> list[Row]:
    """List what a principal may do by its own policies."""
    known = given.over(principal.known)
    mine = list(_spans(principal.grants, known))
    bounds = list(_spans(principal.boundary or (), known))
    denies = [s for s in mine + bounds if s.grant.clause.effect is Effect.DENY]
    limits = [s for s in bounds if s.grant.clause.effect is Effect.ALLOW]
    found: list[Row] = []
    for span in mine:
        if span.grant.clause.effect is Effect.ALLOW:
            found += _narrowed(span, principal, catalogue, wanted, limits, denies)
    found += _unread(principal, wanted)
    return list(dict.fromkeys(found))


def _narrowed(
    span: _Span,
    principal: Principal,
    catalogue: Catalogue,
    wanted: Filter,
    limits: list[_Span],
    denies: list[_Span],
) -> Iterator[Row]:
    row = _filtered(span, wanted)
    if row is None:
        return
    held = [row] if principal.boundary is None else _bounded(row, limits, principal)
    for deny in denies:
        held = [left for one in held for left in _denied(one, deny)]
    for one in held:
        if one.formula != FALSE and possible_pattern(
            catalogue, one.actions.pattern, one.resources.pattern
        ):
            unread = (gap.may("Denies") for gap in principal.gaps)
            formula = both(one.formula, *(negation(may) for may in unread))
            yield replace(one, formula=formula, gaps=principal.gaps)


def _filtered(span: _Span, wanted: Filter) -> Row | None:
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


def _bounded(row: Row, limits: list[_Span], principal: Principal) -> list[Row]:
    found = []
    for limit in limits:
        if disjoint(ACTIONS, row.actions, limit.actions):
            continue
        if disjoint(RESOURCES, row.resources, limit.resources):
            continue
        actions, sharp = meet(ACTIONS, row.actions, limit.actions)
        resources, plain = meet(RESOURCES, row.resources, limit.resources)
        shown = row.shown if resources == row.resources else limit.shown
        by = name(limit.grant)
        scope = TRUE if sharp and plain else atom(SCOPE, "Matches", (_label(by),))
        narrowed = replace(row, actions=actions, resources=resources, shown=shown)
        found.append(narrowed.limited(both(limit.formula, scope), by))
    for gap in principal.gaps:
        if gap.layer.value == "boundary":
            by = Determining("boundary", gap.policy, gap.sid, gap.key.split(":")[1])
            found.append(row.limited(gap.may("Allows"), by))
    return found


def _denied(row: Row, deny: _Span) -> list[Row]:
    """Take a deny out of a row."""
    if deny.formula == FALSE or disjoint(ACTIONS, row.actions, deny.actions):
        return [row]
    if disjoint(RESOURCES, row.resources, deny.resources):
        return [row]
    by = name(deny.grant)
    all_actions = covers(ACTIONS, deny.actions, row.actions)
    all_resources = covers(RESOURCES, deny.resources, row.resources)
    if all_actions and all_resources:
        limited = row.limited(negation(deny.formula), by)
        return [limited] if limited.formula != FALSE else []
    if deny.formula == TRUE and all_resources:
        left = minus(ACTIONS, row.actions, deny.actions)
        if left is not None:
            return [replace(row.limited(TRUE, by), actions=term) for term in left]
    if deny.formula == TRUE and all_actions:
        on = minus(RESOURCES, row.resources, deny.resources)
        if on is not None:
            return [replace(row.limited(TRUE, by), resources=term) for term in on]
    matched = both(atom(DENY, "Matches", (_label(by),)), deny.formula)
    return [row.limited(negation(matched), by)]


def _unread(principal: Principal, wanted: Filter) -> Iterator[Row]:
    for gap in principal.gaps:
        if gap.layer.value == "identity":
            by = Determining("identity", gap.policy, gap.sid, gap.key.split(":")[1])
            yield Row(
                wanted.actions, wanted.resources, "", gap.may("Allows"), (by,), (gap,)
            )


def _spans(grants: Iterable[Grant], known: Known) -> Iterator[_Span]:
    for grant in grants:
        formula = evaluate(grant.clause.conditions, known)
        if formula == FALSE:
            continue
        for actions in _action_terms(grant.clause):
            for resources, shown, open_ in _resource_terms(grant, known):
                yield _Span(actions, resources, shown, both(formula, open_), grant)


def _action_terms(clause: Clause) -> list[Term[str]]:
    if clause.not_actions:
        return [Term(STAR, clause.not_actions)]
    return [Term(pattern) for pattern in clause.actions]


def _resource_terms(
    grant: Grant, known: Known
) -> Iterator[tuple[Term[Parts], str, Formula]]:
    clause = grant.clause
    if clause.not_resources:
        holes = [resolve(text, known) for text in clause.not_resources]
        sure = [h for h in holes if not h.unknown and not h.void]
        unsure = any(h.unknown for h in holes)
        scope = atom(SCOPE, "Matches", (_label(name(grant)),)) if unsure else TRUE
        excluded = tuple(pattern_parts(hole.pattern) for hole in sure)
        yield Term(EVERYTHING, excluded), "", scope
        return
    for text in clause.resources:
        found = resolve(text, known)
        if not found.void:
            keys = (atom(key, "PolicyVariable", (text,)) for key in found.unknown)
            shown = text if found.unknown else ""
            yield Term(pattern_parts(found.pattern)), shown, both(*keys)


def _label(by: Determining) -> str:
    return f"{by.policy}#{by.statement}"


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
