"""Build and simplify formulas of undecided conditions, in disjunctive normal form.

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
class ConditionAtom:
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


Alternative = frozenset[ConditionAtom]
Formula = frozenset[Alternative]

TRUE: Formula = frozenset({frozenset()})
FALSE: Formula = frozenset()

MAX_ALTERNATIVES = 32
MAX_CONSENSUS_TERMS = 48
MAX_COMPARED_TERMS = 512
_CACHE_SIZE = 1 << 16
TOO_MANY = "answerable:too-many-alternatives"


def build_atom(key: str, operator: str, values: tuple[str, ...]) -> Formula:
    """Build a formula of one undecided condition (atom)."""
    return frozenset({frozenset({ConditionAtom(key, operator, values)})})


def disjoin(*formulas: Formula) -> Formula:
    """Return the disjunction (OR) of formulas, simplified."""
    if TRUE in formulas:
        return TRUE
    some = [formula for formula in formulas if formula]
    if len(some) < 2:
        return some[0] if some else FALSE
    return _disjoin_cached(*some)


@lru_cache(maxsize=_CACHE_SIZE)
def _disjoin_cached(*formulas: Formula) -> Formula:
    """Return the simplified disjunction of formulas; cached."""
    return reduce_to_prime_implicants(frozenset().union(*formulas))


def conjoin(*formulas: Formula) -> Formula:
    """Return the conjunction (AND) of formulas about one request, simplified."""
    if FALSE in formulas:
        return FALSE
    result = TRUE
    for formula in formulas:
        if result == TRUE:
            result = formula
        elif formula != TRUE:
            result = _conjoin_cached(result, formula)
    return result


@lru_cache(maxsize=_CACHE_SIZE)
def _conjoin_cached(one: Formula, other: Formula) -> Formula:
    """Return the simplified conjunction of two formulas; cached."""
    return reduce_to_prime_implicants(frozenset(a | b for a in one for b in other))


def negate(formula: Formula) -> Formula:
    """Return the negation (NOT) of a formula, simplified."""
    if not formula:
        return TRUE
    return FALSE if formula == TRUE else _negate_cached(formula)


@lru_cache(maxsize=_CACHE_SIZE)
def _negate_cached(formula: Formula) -> Formula:
    """Return the simplified negation of a formula; cached."""
    result = TRUE
    for alternative in formula:
        flipped = (frozenset({negate_atom(a)}) for a in alternative)
        result = conjoin(result, frozenset(flipped))
    return result


def conjoin_hops(*formulas: Formula) -> Formula:
    """Return the conjunction (AND) of formulas about different requests.

    An atom and its negation in two hops are no contradiction, so none cancels.
    """
    result = TRUE
    for formula in formulas:
        result = frozenset(a | b for a in result for b in formula)
        if len(result) > MAX_ALTERNATIVES:
            result = _replace_by_opaque_atom(result)
    return result


def get_verdict(formula: Formula) -> Verdict:
    """Return a formula's verdict: never, always or only-if."""
    if not formula:
        return Verdict.NEVER
    return Verdict.ALWAYS if frozenset() in formula else Verdict.ONLY_IF


def negate_atom(atom: ConditionAtom) -> ConditionAtom:
    """Return the negation of one condition of a formula."""
    return ConditionAtom(atom.key, atom.operator, atom.values, not atom.negated)


def reduce_to_prime_implicants(formula: Formula) -> Formula:
    """Reduce a formula to its prime implicants, by iterated consensus."""
    if frozenset() in formula:
        return TRUE
    if len(formula) > MAX_COMPARED_TERMS:
        return _replace_by_opaque_atom(formula)
    terms = {t for t in formula if not _has_atom_and_its_negation(t)}
    if len(terms) < 2:
        return frozenset(terms)
    terms = _absorb_implied_alternatives(terms)
    if len(terms) > MAX_CONSENSUS_TERMS:
        return _replace_by_opaque_atom(formula)
    grown = True
    while grown and len(terms) <= MAX_CONSENSUS_TERMS:
        grown = False
        for one, other in combinations(sorted(terms, key=sorted), 2):
            new = _find_consensus_term(one, other)
            if new is not None and not any(t <= new for t in terms):
                terms = _absorb_implied_alternatives(terms | {new})
                grown = True
                break
    if frozenset() in terms:
        return TRUE
    if len(terms) > MAX_ALTERNATIVES:
        return _replace_by_opaque_atom(formula)
    return frozenset(terms)


def _has_atom_and_its_negation(term: Alternative) -> bool:
    """Return whether an alternative holds an atom and its negation."""
    if len(term) < 2:
        return False
    negated = [a for a in term if a.negated]
    return any(negate_atom(a) in term for a in negated)


def _replace_by_opaque_atom(formula: Formula) -> Formula:
    """Replace a formula that is too large by one opaque atom."""
    listed = sorted(sorted(map(repr, alternative)) for alternative in formula)
    digest = hashlib.sha256(repr(listed).encode()).hexdigest()[:12]
    return build_atom(TOO_MANY, "Unknown", (digest,))


def _absorb_implied_alternatives(terms: set[Alternative]) -> set[Alternative]:
    """Remove each alternative that a shorter one implies (absorption law)."""
    kept: list[Alternative] = []
    for term in sorted(terms, key=len):
        if not any(other <= term for other in kept):
            kept.append(term)
    return set(kept)


def _find_consensus_term(one: Alternative, other: Alternative) -> Alternative | None:
    """Return the consensus term of two alternatives, None if there is none."""
    opposed = [a for a in one if negate_atom(a) in other]
    if len(opposed) != 1:
        return None
    return (one - {opposed[0]}) | (other - {negate_atom(opposed[0])})
