"""Formulas are what their truth tables say, in one form each, and bounded."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.reach.formula import (
    FALSE,
    TRUE,
    Atom,
    Formula,
    atom,
    both,
    chained,
    either,
    negation,
    simplified,
    verdict,
)

NAMES = "abcd"
atoms = st.builds(
    Atom, st.sampled_from(NAMES), st.just("Is"), st.just(()), st.booleans()
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
    assert table(simplified(formula)) == table(formula)


@given(formulas, formulas)
def test_formulas_that_say_the_same_are_equal(one: Formula, other: Formula) -> None:
    same = table(one) == table(other)
    assert (simplified(one) == simplified(other)) == same


@given(formulas, formulas)
def test_and_or_not_are_those_of_logic(one: Formula, other: Formula) -> None:
    one, other = simplified(one), simplified(other)
    pairs = list(zip(table(one), table(other), strict=True))
    assert table(both(one, other)) == [a and b for a, b in pairs]
    assert table(either(one, other)) == [a or b for a, b in pairs]
    assert table(negation(one)) == [not a for a, _ in pairs]


@given(formulas)
def test_the_verdict_is_the_truth_tables(formula: Formula) -> None:
    found = set(table(formula))
    expected = (
        {True: "always", False: "never"}[min(found)] if len(found) == 1 else "only-if"
    )
    assert verdict(simplified(formula)) == expected


def test_hops_do_not_cancel_each_other() -> None:
    mfa = atom("aws:MultiFactorAuthPresent", "Bool", ("true",))
    assert both(mfa, negation(mfa)) == FALSE
    assert verdict(chained(mfa, negation(mfa))) == "only-if"
    assert chained(TRUE, mfa) == mfa
    assert chained(mfa, FALSE) == FALSE


@settings(max_examples=5)
@given(st.integers(600, 3000))
def test_a_flood_of_alternatives_becomes_one_open_condition(many: int) -> None:
    flood = either(*(atom(f"key{n}", "Is", ()) for n in range(many)))
    assert len(flood) == 1
    assert verdict(flood) == "only-if"
    assert verdict(either(flood, TRUE)) == "always"


def test_two_floods_do_not_cancel_each_other() -> None:
    one = either(*(atom(f"a{n}", "Is", ()) for n in range(900)))
    other = either(*(atom(f"b{n}", "Is", ()) for n in range(900)))
    assert verdict(both(one, negation(other))) == "only-if"
