"""Globs, ARNs and terms against a matcher that is plainly right."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.reach.aws.evaluation.context_keys import NOTHING, Known, resolve
from answerable.reach.aws.patterns import globs, terms
from answerable.reach.aws.patterns.arns import matches_parts, pattern_parts, text_parts
from answerable.reach.aws.patterns.globs import inward, literal, matches, overlaps
from answerable.reach.aws.patterns.terms import ACTIONS, Term
from tests.reference.reach.conditions import glob

patterns = st.text("ab*?", max_size=6)
texts = st.text("ab", max_size=6)


@given(patterns, texts)
def test_a_glob_matches_what_the_readable_one_matches(pattern: str, text: str) -> None:
    assert matches(inward(pattern), text) == glob(pattern, text)


@given(patterns, texts)
def test_a_pattern_too_large_for_an_automaton_matches_the_same(
    pattern: str, text: str
) -> None:
    found = globs._Stepwise(inward(pattern)).fullmatch(text)
    assert (found is not None) == glob(pattern, text)


@given(patterns, patterns, texts)
def test_what_covers_a_pattern_matches_what_it_matches(
    outer: str, inner: str, text: str
) -> None:
    if matches(inward(outer), inward(inner)) and glob(inner, text):
        assert glob(outer, text)


@given(patterns, patterns, texts)
def test_patterns_that_share_a_text_overlap(one: str, other: str, text: str) -> None:
    if glob(one, text) and glob(other, text):
        assert overlaps(inward(one), inward(other))


some_terms = st.builds(
    Term, patterns.map(inward), st.lists(patterns.map(inward), max_size=2).map(tuple)
)


def takes(term: Term[str], text: str) -> bool:
    return matches(term.pattern, text) and not any(
        matches(hole, text) for hole in term.excluded
    )


@given(some_terms, some_terms, texts)
def test_terms_err_one_way_only(one: Term[str], other: Term[str], text: str) -> None:
    in_one, in_other = takes(one, text), takes(other, text)
    if terms.covers(ACTIONS, one, other) and in_other:
        assert in_one
    if terms.disjoint(ACTIONS, one, other):
        assert not (in_one and in_other)
    met, exact = terms.meet(ACTIONS, one, other)
    if in_one and in_other:
        assert takes(met, text)
    if exact and takes(met, text):
        assert in_one
        assert in_other
    left = terms.minus(ACTIONS, one, other)
    if left is not None:
        assert any(takes(term, text) for term in left) == (in_one and not in_other)


def test_a_wildcard_from_a_variables_value_is_a_letter() -> None:
    known = Known({"aws:principaltag/team": ("*",)})
    found = resolve("arn:aws:s3:::${aws:PrincipalTag/team}/*", known)
    parts = pattern_parts(found.pattern)
    assert matches_parts(parts, text_parts("arn:aws:s3:::*/a"))
    assert not matches_parts(parts, text_parts("arn:aws:s3:::red/a"))


def test_a_colon_from_a_variables_value_makes_no_part() -> None:
    known = Known({"aws:userid": ("AROA:session",)})
    parts = pattern_parts(resolve("arn:aws:s3:::b/${aws:userid}", known).pattern)
    assert matches_parts(parts, text_parts("arn:aws:s3:::b/AROA:session"))


@pytest.mark.parametrize(
    ("text", "letters"), [("${*}", "*"), ("${?}", "?"), ("${$}{x}", "${x}")]
)
def test_escapes_are_letters(text: str, letters: str) -> None:
    assert resolve(text, NOTHING).pattern == literal(letters)


def test_a_default_stands_where_a_key_is_known_to_be_absent() -> None:
    known = Known({}, ("aws:principaltag/",))
    assert resolve("${aws:PrincipalTag/team, 'red'}", known).pattern == "red"
    assert resolve("${aws:PrincipalTag/team}", known).void
    assert resolve("${aws:PrincipalTag/team, 'red'}", NOTHING).unknown


def test_a_hostile_pattern_takes_no_time() -> None:
    pattern = inward("*a" * 900 + "?" + "*b" * 900)
    start = time.perf_counter()
    assert not matches(pattern, "a" * 2000)
    assert time.perf_counter() - start < 5
