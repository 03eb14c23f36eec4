"""Policies are judged alike, whichever of them together and against whatever schema."""

import random
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.authorization.cedar import validation
from answerable.authorization.cedar.lexer import PolicyText, split_policies
from answerable.authorization.cedar.validation import validate_policies
from answerable.authorization.cedar.validation_schema import (
    ArgumentTypes,
    build_cedar_schema,
)
from answerable.model.cedar_policy import CedarPolicy
from tests.authorization.cedar.faulty_policies import MISTAKES, planted
from tests.authorization.cedar.policy_strategies import policies

MANY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# Heads and conditions that name methods, with and without a fault.
_METHODS = (
    'action == Action::"tools/call"',
    'action == Action::"prompts/get"',
    'action == Action::"resources/read"',
    'action == Action::"subscriptions/listen"',
    'action == Action::"tools/kall"',
    'action == No::Action::"tools/call"',
    'action in Action::"tools/call"',
    "action in []",
)
_SAYINGS = (
    "",
    'when { action == Action::"tools/list" }',
    'when { action == Action::"tools/lost" }',
    'when { [Action::"tools/list", Action::"ping"].contains(action) }',
    "when { context.arguments.amount < 1 }",
    'when { context.identity == Identity::"x" }',
    "when { context has person && context.nobody }",
    'unless { resource.nmae like "x*" }',
    "when { principal is Server }",
)
_KINDS = ("", " is Tool", " is Prompt", ' in Server::"server:files"', " is Nothing")
_about_methods = st.builds(
    lambda method, kind, said: f"permit (principal, {method}, resource{kind}) {said};",
    st.sampled_from(_METHODS),
    st.sampled_from(_KINDS),
    st.sampled_from(_SAYINGS),
)


def _pieces(*texts: str) -> list[PolicyText]:
    return list(split_policies("\n".join(texts)))


def _judged(pieces: list[PolicyText]) -> list[tuple[CedarPolicy | None, list[str]]]:
    """Judge; Cedar says what is wrong in no order."""
    return [(each.rule, sorted(each.faults)) for each in validate_policies(pieces)]


def _judged_by_every_method(
    pieces: list[PolicyText],
) -> list[tuple[CedarPolicy | None, list[str]]]:
    def whole(uses: ArgumentTypes, only: str) -> str:
        return build_cedar_schema(uses)

    with patch.object(validation, "build_cedar_schema", whole):
        return _judged(pieces)


@MANY
@given(st.lists(st.one_of(policies(), _about_methods), min_size=1, max_size=12))
def test_one_method_of_the_schema_finds_what_all_of_it_finds(texts: list[str]) -> None:
    pieces = _pieces(*texts)
    assert _judged(pieces) == _judged_by_every_method(pieces)


def test_each_mistake_is_found_with_one_method_of_the_schema_as_with_all() -> None:
    text, _ = planted(60)
    pieces = _pieces(text)
    found = _judged(pieces)
    assert found == _judged_by_every_method(pieces)
    # Its twin is nobody's fault but the file's.
    assert sum(bool(faults) for _, faults in found) >= len(MISTAKES) - 4


@MANY
@given(
    st.lists(st.one_of(policies(), _about_methods), min_size=2, max_size=12),
    st.randoms(use_true_random=False),
)
def test_in_parts_and_in_any_order_policies_are_judged_alike(
    texts: list[str], rng: random.Random
) -> None:
    pieces = _pieces(*texts)
    together = dict(zip(pieces, _judged(pieces), strict=True))
    rng.shuffle(pieces)
    cut = rng.randrange(len(pieces))
    apart = [*_judged(pieces[:cut]), *_judged(pieces[cut:])]
    assert apart == [together[each] for each in pieces]
