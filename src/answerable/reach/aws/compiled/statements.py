"""Compiled policy statements: matching of actions, resources and conditions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from answerable.model.ids import PolicyId
from answerable.model.policy import (
    ConditionClause,
    Effect,
    Layer,
)
from answerable.reach.aws.compiled.principal_element import NOBODY, Naming, read_naming
from answerable.reach.aws.evaluation.conditions import evaluate
from answerable.reach.aws.evaluation.context_keys import Known, has_variable, resolve
from answerable.reach.aws.patterns.action_sets import NO_ACTIONS, ActionSet, action_set
from answerable.reach.aws.patterns.arns import (
    EVERYTHING,
    Parts,
    matches_parts,
    overlaps_parts,
    pattern_parts,
)
from answerable.reach.aws.patterns.globs import inward, is_literal
from answerable.reach.aws.patterns.terms import Term
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, either, negation

Terms = tuple[tuple[Term[str], Term[Parts]], ...]
_Principals = tuple[tuple[str, str], ...]


@dataclass(eq=False, slots=True)
class Clause:
    """Compiled statement, independent of the policy it is written in.

    Attributes:
        number: Position in the order of interning.
        effect: Allow or deny.
        actions: Patterns in lower case and inner form.
        not_actions: Likewise.
        resources: Patterns as written.
        not_resources: Likewise.
        conditions: As written, each key in the spelling first met.
        principals: As written.
        not_principals: As written.
        static: True without conditions and policy variables.
        wide: True if static and for every resource.
        naming: Principals that it names, or excepts.
        keys: Condition keys, in lower case, that its conditions depend on.
        action_set: Index of its actions, or of those it excepts.
        services: Prefixes of the services whose actions it matches; None for any.
        kept: Cache of evaluated conditions, by known values of its keys.
        terms: Cache of its pairs of patterns (`spans`).
    """

    number: int
    effect: Effect
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: tuple[ConditionClause, ...]
    principals: _Principals
    not_principals: _Principals
    static: bool = False
    parts: tuple[Parts, ...] = ()
    wide: bool = False
    naming: Naming = NOBODY
    keys: tuple[str, ...] = ()
    action_set: ActionSet = NO_ACTIONS
    services: frozenset[str] | None = None
    kept: dict[tuple[object, ...], Formula] = field(default_factory=dict)
    terms: Terms | None = None
    _by_action: dict[str, bool] = field(default_factory=dict)

    @property
    def text(self) -> "ClauseText":
        """Text that it was compiled from."""
        return ClauseText(
            self.effect,
            self.actions,
            self.not_actions,
            self.resources,
            self.not_resources,
            self.conditions,
            self.principals,
            self.not_principals,
        )

    def takes_action(self, action: str) -> bool:
        """Tell whether the statement matches an action in lower case."""
        found = self._by_action.get(action)
        if found is None:
            found = self._by_action[action] = takes_action(self, action)
        return found


class ClauseText(NamedTuple):
    """Text of a statement, with actions in lower case and inner form."""

    effect: Effect
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: tuple[ConditionClause, ...]
    principals: _Principals
    not_principals: _Principals


def make_clause(number: int, text: ClauseText) -> Clause:
    """Compile a statement."""
    patterns = text.resources or text.not_resources
    fixed = not any(has_variable(p) for p in patterns)
    parts = tuple(pattern_parts(inward(p)) for p in patterns) if fixed else ()
    static = fixed and not text.conditions
    return Clause(
        number=number,
        effect=text.effect,
        actions=text.actions,
        not_actions=text.not_actions,
        resources=text.resources,
        not_resources=text.not_resources,
        conditions=text.conditions,
        principals=text.principals,
        not_principals=text.not_principals,
        static=static,
        parts=parts,
        wide=static and not text.not_resources and EVERYTHING in parts,
        naming=read_naming(text.principals or text.not_principals),
        keys=_keys_of(text.conditions),
        action_set=action_set(text.actions or text.not_actions),
        services=_services_of(text.actions) if text.actions else None,
    )


class Grant(NamedTuple):
    """Compiled statement with its layer, policy and statement id."""

    clause: Clause
    layer: Layer
    policy: PolicyId
    sid: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Policy not collected, or statement not read, that could allow or deny.

    Attributes:
        key: `answerable:unread-statement` or `answerable:uncollected-policy`.
        layer: Layer it belongs to.
        sid: Id of the statement, empty for a whole policy.
        denies: False if it could only allow.
    """

    key: str
    layer: Layer
    policy: PolicyId
    sid: str
    denies: bool = True

    @property
    def name(self) -> str:
        """Policy and statement in one text."""
        return f"{self.policy}#{self.sid}" if self.sid else self.policy

    def may(self, effect: str) -> Formula:
        """Return the open condition that it `Allows`, or that it `Denies`."""
        if effect == "Denies" and not self.denies:
            return FALSE
        return atom(self.key, effect, (self.name,))


UNREAD = "answerable:unread-statement"
UNCOLLECTED = "answerable:uncollected-policy"


def takes_action(clause: Clause, action: str) -> bool:
    """Match an action in lower case against Action or NotAction."""
    return clause.action_set.holds(action) != bool(clause.not_actions)


Compare = Callable[[Parts, Parts], bool]


def takes_resource(
    clause: Clause, resource: Parts, known: Known, compare: Compare = matches_parts
) -> Formula:
    """Match a resource against Resource or NotResource.

    Trust and repository policies have neither: they apply to their own resource.
    """
    if clause.not_resources:
        return negation(_any(clause, clause.not_resources, resource, known, compare))
    if clause.resources:
        return _any(clause, clause.resources, resource, known, compare)
    return TRUE


def _any(
    clause: Clause,
    patterns: tuple[str, ...],
    resource: Parts,
    known: Known,
    compare: Compare,
) -> Formula:
    if clause.parts:
        for parts in clause.parts:
            if compare(parts, resource):
                return TRUE
        return FALSE
    return either(*(_one(p, resource, known, compare) for p in patterns))


def _one(pattern: str, resource: Parts, known: Known, compare: Compare) -> Formula:
    resolved = resolve(pattern, known)
    if resolved.void:
        return FALSE
    if not compare(pattern_parts(resolved.pattern), resource):
        return FALSE
    return both(*(atom(k, "PolicyVariable", (pattern,)) for k in resolved.unknown))


def takes_all(clause: Clause) -> bool:
    """Tell whether a statement is for every resource."""
    return not clause.not_resources and EVERYTHING in clause.parts


def applies(clause: Clause, resource: Parts, known: Known) -> Formula:
    """Build the condition under which a statement that matches the action applies."""
    return _held(clause, takes_resource(clause, resource, known), known)


def applies_to_all(clause: Clause, resources: Parts, known: Known) -> Formula:
    """Build the condition under which a statement applies to all of a pattern."""
    compare = overlaps_parts if clause.not_resources else matches_parts
    return _held(clause, takes_resource(clause, resources, known, compare), known)


def applies_to_some(clause: Clause, resources: Parts, known: Known) -> Formula:
    """Build the condition under which a statement applies to some of a pattern."""
    compare = matches_parts if clause.not_resources else overlaps_parts
    return _held(clause, takes_resource(clause, resources, known, compare), known)


def _held(clause: Clause, on: Formula, known: Known) -> Formula:
    if not clause.conditions or not on:
        return on
    return both(on, held(clause, known))


def held(clause: Clause, known: Known) -> Formula:
    """Evaluate a statement's conditions; cached by known values of its keys."""
    signature = tuple([known.get(key) for key in clause.keys])
    found = clause.kept.get(signature)
    if found is None:
        if len(clause.kept) >= _MOST_KEPT:
            clause.kept.clear()
        found = clause.kept[signature] = evaluate(clause.conditions, known)
    return found


_MOST_KEPT = 1 << 10


@lru_cache(maxsize=1 << 16)
def _keys_of(conditions: tuple[ConditionClause, ...]) -> tuple[str, ...]:
    """List the keys of conditions, and of the variables in their values."""
    found = dict.fromkeys(condition.key.lower() for condition in conditions)
    for condition in conditions:
        for value in condition.values:
            found.update(dict.fromkeys(_variables(value)))
    return tuple(found)


def asked_keys(clause: Clause) -> Iterable[str]:
    """List the condition keys, in lower case, that a statement depends on."""
    if clause.parts:
        return clause.keys
    written = (*clause.resources, *clause.not_resources)
    return (*clause.keys, *(key for text in written for key in _variables(text)))


def _variables(text: str) -> Iterator[str]:
    """List the keys of the policy variables in a text, in lower case."""
    for part in text.split("${")[1:]:
        inside = part.partition("}")[0].partition(",")[0]
        yield inside.strip().lower()


@lru_cache(maxsize=1 << 16)
def _services_of(actions: tuple[str, ...]) -> frozenset[str] | None:
    found = frozenset(action.partition(":")[0] for action in actions)
    return found if all(map(is_literal, found)) else None


def speaking(
    grants: Sequence[Grant], known: dict[str, tuple[Grant, ...]], action: str
) -> tuple[Grant, ...]:
    """Select the statements that match an action in lower case; cached in `known`."""
    found = known.get(action)
    if found is None:
        found = tuple(g for g in grants if g.clause.takes_action(action))
        known[action] = found
    return found
