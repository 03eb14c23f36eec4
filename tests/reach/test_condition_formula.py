"""Formulas are what their truth tables say, in one form each, and bounded."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    ConditionAtom,
    Formula,
    build_atom,
    conjoin,
    conjoin_hops,
    disjoin,
    get_verdict,
    negate,
    reduce_to_prime_implicants,
)

NAMES = "abcd"
atoms = st.builds(
    ConditionAtom, st.sampled_from(NAMES), st.just("Is"), st.just(()), st.booleans()
)
formulas = st.frozensets(st.frozensets(atoms, max_size=3), max_size=5)


def table(formula: Formula) -> list[bool]:
    return [
        any(
            all(row[NAMES.index(a.key)] != a.negated for a in alternative)
            for alternative in formula
        )
        for row in product((True, False), repeat=len(NAMES))
    ]


@given(formulas)
def test_simplifying_keeps_the_truth_table(formula: Formula) -> None:
    assert table(reduce_to_prime_implicants(formula)) == table(formula)


@given(formulas, formulas)
def test_formulas_that_say_the_same_are_equal(one: Formula, other: Formula) -> None:
    same = table(one) == table(other)
    assert (
        reduce_to_prime_implicants(one) == reduce_to_prime_implicants(other)
    ) == same


@given(formulas, formulas)
def test_and_or_not_are_those_of_logic(one: Formula, other: Formula) -> None:
    one, other = reduce_to_prime_implicants(one), reduce_to_prime_implicants(other)
    pairs = list(zip(table(one), table(other), strict=True))
    assert table(conjoin(one, other)) == [a and b for a, b in pairs]
    assert table(disjoin(one, other)) == [a or b for a, b in pairs]
    assert table(negate(one)) == [not a for a, _ in pairs]


@given(formulas)
def test_the_verdict_is_the_truth_tables(formula: Formula) -> None:
    found = set(table(formula))
    expected = (
        {True: "always", False: "never"}[min(found)] if len(found) == 1 else "only-if"
    )
    assert get_verdict(reduce_to_prime_implicants(formula)) == expected


def test_hops_do_not_cancel_each_other() -> None:
    mfa = build_atom("aws:MultiFactorAuthPresent", "Bool", ("true",))
    assert conjoin(mfa, negate(mfa)) == FALSE
    assert get_verdict(conjoin_hops(mfa, negate(mfa))) == "only-if"
    assert conjoin_hops(TRUE, mfa) == mfa
    assert conjoin_hops(mfa, FALSE) == FALSE


@settings(max_examples=5)
@given(st.integers(600, 3000))
def test_a_flood_of_alternatives_becomes_one_open_condition(many: int) -> None:
    flood = disjoin(*(build_atom(f"key{n}", "Is", ()) for n in range(many)))
    assert len(flood) == 1
    assert get_verdict(flood) == "only-if"
    assert get_verdict(disjoin(flood, TRUE)) == "always"


def test_two_floods_do_not_cancel_each_other() -> None:
    one = disjoin(*(build_atom(f"a{n}", "Is", ()) for n in range(900)))
    other = disjoin(*(build_atom(f"b{n}", "Is", ()) for n in range(900)))
    assert get_verdict(conjoin(one, negate(other))) == "only-if"
