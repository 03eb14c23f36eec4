"""Open conditions as a formula in disjunctive normal form.

A formula is a set of alternatives, an alternative a set of atoms that must all hold.
`TRUE` holds one empty alternative, `FALSE` none. A formula is stored as the set of its
prime implicants, so that a tautology is `TRUE`, a contradiction `FALSE`, and equivalent
formulas are equal. Beyond a size it becomes one opaque atom: the answer is `only-if`.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import combinations


class Verdict(StrEnum):
    """Verdict: three values over collected data, and `not-known` without it."""

    ALWAYS = "always"
    ONLY_IF = "only-if"
    NEVER = "never"
    NOT_KNOWN = "not-known"


@dataclass(frozen=True, slots=True, order=True)
class Atom:
    """Condition that is not decided yet.

    Attributes:
        key: Condition key, or one of this product (`answerable:...`).
        operator: As written in the policy.
        values: As written in the policy, sorted.
        negated: True if it must not hold.
    """

    key: str
    operator: str
    values: tuple[str, ...]
    negated: bool = False


Alternative = frozenset[Atom]
Formula = frozenset[Alternative]

TRUE: Formula = frozenset({frozenset()})
FALSE: Formula = frozenset()

MOST_ALTERNATIVES = 32
MOST_CONSENSUS = 48
MOST_COMPARED = 512
_KEPT = 1 << 16
TOO_MANY = "answerable:too-many-alternatives"


def atom(key: str, operator: str, values: tuple[str, ...]) -> Formula:
    """Build a formula of one atom."""
    return frozenset({frozenset({Atom(key, operator, values)})})


def either(*formulas: Formula) -> Formula:
    """Disjunction."""
    if TRUE in formulas:
        return TRUE
    some = [formula for formula in formulas if formula]
    if len(some) < 2:
        return some[0] if some else FALSE
    return _either(*some)


@lru_cache(maxsize=_KEPT)
def _either(*formulas: Formula) -> Formula:
    return simplified(frozenset().union(*formulas))


def both(*formulas: Formula) -> Formula:
    """Conjunction of conditions on one request."""
    if FALSE in formulas:
        return FALSE
    result = TRUE
    for formula in formulas:
        if result == TRUE:
            result = formula
        elif formula != TRUE:
            result = _both(result, formula)
    return result


@lru_cache(maxsize=_KEPT)
def _both(one: Formula, other: Formula) -> Formula:
    return simplified(frozenset(a | b for a in one for b in other))


def negation(formula: Formula) -> Formula:
    """Complement."""
    if not formula:
        return TRUE
    return FALSE if formula == TRUE else _negation(formula)


@lru_cache(maxsize=_KEPT)
def _negation(formula: Formula) -> Formula:
    result = TRUE
    for alternative in formula:
        flipped = (frozenset({flip(a)}) for a in alternative)
        result = both(result, frozenset(flipped))
    return result


def chained(*formulas: Formula) -> Formula:
    """Conjunction over different requests, in which equal atoms may differ in truth.

    An atom and its negation in two hops are no contradiction, so none cancels.
    """
    result = TRUE
    for formula in formulas:
        result = frozenset(a | b for a in result for b in formula)
        if len(result) > MOST_ALTERNATIVES:
            result = _opaque(result)
    return result


def verdict(formula: Formula) -> Verdict:
    """Return the verdict of a formula."""
    if not formula:
        return Verdict.NEVER
    return Verdict.ALWAYS if frozenset() in formula else Verdict.ONLY_IF


def flip(a: Atom) -> Atom:
    """Negate an atom."""
    return Atom(a.key, a.operator, a.values, not a.negated)


def simplified(formula: Formula) -> Formula:
    """Reduce to prime implicants by iterated consensus, within bounds."""
    if frozenset() in formula:
        return TRUE
    if len(formula) > MOST_COMPARED:
        return _opaque(formula)
    terms = {t for t in formula if not _contradicts(t)}
    if len(terms) < 2:
        return frozenset(terms)
    terms = _absorbed(terms)
    if len(terms) > MOST_CONSENSUS:
        return _opaque(formula)
    grown = True
    while grown and len(terms) <= MOST_CONSENSUS:
        grown = False
        for one, other in combinations(sorted(terms, key=sorted), 2):
            new = _consensus(one, other)
            if new is not None and not any(t <= new for t in terms):
                terms = _absorbed(terms | {new})
                grown = True
                break
    if frozenset() in terms:
        return TRUE
    if len(terms) > MOST_ALTERNATIVES:
        return _opaque(formula)
    return frozenset(terms)


def _contradicts(term: Alternative) -> bool:
    """Tell whether an alternative holds an atom and its negation."""
    if len(term) < 2:
        return False
    negated = [a for a in term if a.negated]
    return any(flip(a) in term for a in negated)


def _opaque(formula: Formula) -> Formula:
    """Replace a formula that is too large by an atom of its own."""
    listed = sorted(sorted(map(repr, alternative)) for alternative in formula)
    digest = hashlib.sha256(repr(listed).encode()).hexdigest()[:12]
    return atom(TOO_MANY, "Unknown", (digest,))


def _absorbed(terms: set[Alternative]) -> set[Alternative]:
    kept: list[Alternative] = []
    for term in sorted(terms, key=len):
        if not any(other <= term for other in kept):
            kept.append(term)
    return set(kept)


def _consensus(one: Alternative, other: Alternative) -> Alternative | None:
    opposed = [a for a in one if flip(a) in other]
    if len(opposed) != 1:
        return None
    return (one - {opposed[0]}) | (other - {flip(opposed[0])})
