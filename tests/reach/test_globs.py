"""Globs, ARNs and terms against a matcher that is plainly right."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.reach.aws.evaluation.context_keys import (
    NO_KEYS,
    ContextKeys,
    resolve_policy_variables,
)
from answerable.reach.aws.patterns import glob_matching, pattern_set_algebra
from answerable.reach.aws.patterns.arn_matching import (
    matches_arn,
    split_arn,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import (
    do_globs_overlap,
    encode_glob,
    encode_literal,
    matches_glob,
)
from answerable.reach.aws.patterns.pattern_set_algebra import ACTIONS, PatternTerm
from tests.reference.reach.conditions import glob

patterns = st.text("ab*?", max_size=6)
texts = st.text("ab", max_size=6)


@given(patterns, texts)
def test_a_glob_matches_what_the_readable_one_matches(pattern: str, text: str) -> None:
    assert matches_glob(encode_glob(pattern), text) == glob(pattern, text)


@given(patterns, texts)
def test_a_pattern_too_large_for_an_automaton_matches_the_same(
    pattern: str, text: str
) -> None:
    found = glob_matching._StateSetMatcher(encode_glob(pattern)).fullmatch(text)
    assert (found is not None) == glob(pattern, text)


@given(patterns, patterns, texts)
def test_what_covers_a_pattern_matches_what_it_matches(
    outer: str, inner: str, text: str
) -> None:
    if matches_glob(encode_glob(outer), encode_glob(inner)) and glob(inner, text):
        assert glob(outer, text)


@given(patterns, patterns, texts)
def test_patterns_that_share_a_text_overlap(one: str, other: str, text: str) -> None:
    if glob(one, text) and glob(other, text):
        assert do_globs_overlap(encode_glob(one), encode_glob(other))


some_terms = st.builds(
    PatternTerm,
    patterns.map(encode_glob),
    st.lists(patterns.map(encode_glob), max_size=2).map(tuple),
)


def takes(term: PatternTerm[str], text: str) -> bool:
    return matches_glob(term.pattern, text) and not any(
        matches_glob(hole, text) for hole in term.excluded
    )


@given(some_terms, some_terms, texts)
def test_terms_err_one_way_only(
    one: PatternTerm[str], other: PatternTerm[str], text: str
) -> None:
    in_one, in_other = takes(one, text), takes(other, text)
    if pattern_set_algebra.covers(ACTIONS, one, other) and in_other:
        assert in_one
    if pattern_set_algebra.are_patterns_disjoint(ACTIONS, one, other):
        assert not (in_one and in_other)
    met, exact = pattern_set_algebra.intersect_patterns(ACTIONS, one, other)
    if in_one and in_other:
        assert takes(met, text)
    if exact and takes(met, text):
        assert in_one
        assert in_other
    left = pattern_set_algebra.subtract_pattern(ACTIONS, one, other)
    if left is not None:
        assert any(takes(term, text) for term in left) == (in_one and not in_other)


def test_a_wildcard_from_a_variables_value_is_a_letter() -> None:
    known = ContextKeys({"aws:principaltag/team": ("*",)})
    found = resolve_policy_variables("arn:aws:s3:::${aws:PrincipalTag/team}/*", known)
    parts = split_glob_arn(found.pattern)
    assert matches_arn(parts, split_arn("arn:aws:s3:::*/a"))
    assert not matches_arn(parts, split_arn("arn:aws:s3:::red/a"))


def test_a_colon_from_a_variables_value_makes_no_part() -> None:
    known = ContextKeys({"aws:userid": ("AROA:session",)})
    parts = split_glob_arn(
        resolve_policy_variables("arn:aws:s3:::b/${aws:userid}", known).pattern
    )
    assert matches_arn(parts, split_arn("arn:aws:s3:::b/AROA:session"))


@pytest.mark.parametrize(
    ("text", "letters"), [("${*}", "*"), ("${?}", "?"), ("${$}{x}", "${x}")]
)
def test_escapes_are_letters(text: str, letters: str) -> None:
    assert resolve_policy_variables(text, NO_KEYS).pattern == encode_literal(letters)


def test_a_default_stands_where_a_key_is_known_to_be_absent() -> None:
    known = ContextKeys({}, ("aws:principaltag/",))
    assert (
        resolve_policy_variables("${aws:PrincipalTag/team, 'red'}", known).pattern
        == "red"
    )
    assert resolve_policy_variables("${aws:PrincipalTag/team}", known).void
    assert resolve_policy_variables("${aws:PrincipalTag/team, 'red'}", NO_KEYS).unknown


def test_a_hostile_pattern_takes_no_time() -> None:
    pattern = encode_glob("*a" * 900 + "?" + "*b" * 900)
    start = time.process_time()
    assert not matches_glob(pattern, "a" * 2000)
    assert time.process_time() - start < 5
