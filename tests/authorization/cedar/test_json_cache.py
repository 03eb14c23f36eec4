"""What is written of a policy that is like others is what Cedar writes of it."""

import json
import re
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.authorization.cedar import json_cache
from answerable.authorization.cedar.json_cache import MIN_REPEATS, PolicyJsonCache
from answerable.authorization.cedar.lexer import split_policies
from answerable.authorization.cedar.validation import (
    ValidatedPolicy,
    policies_to_json,
    validate_policies,
)
from tests.authorization.cedar.faulty_policies import planted
from tests.authorization.cedar.policy_strategies import policies

MANY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|\b[0-9]+\b')
# Of the form of `tools/call` and of other forms; words of Cedar and of ours in them.
_TEXTS = st.one_of(
    st.sampled_from(
        ("", "*", "a**b", "*/", "//", "7", "x y", "{}", "tools/call", r"\*", "é", r"\"")
    ),
    st.text(alphabet='abZ0*/{}[]():;,@."<>=&|!?- ', max_size=6).map(
        lambda text: text.replace('"', "")
    ),
)
_NUMBERS = st.one_of(
    st.sampled_from(("0", "007", "9223372036854775807", "9" * 18, "9" * 19)),
    st.integers(0, 10**19).map(str),
)


def _with(text: str, literals: list[str]) -> str:
    """Put literals where a policy has some, one after another."""
    given_ = iter(literals)
    return _LITERAL.sub(lambda found: next(given_, found[0]), text)


def _judged(text: str, often: int) -> list[ValidatedPolicy]:
    with patch.object(json_cache, "MIN_REPEATS", often):
        found = validate_policies(split_policies(text))
    return [ValidatedPolicy(each.rule, tuple(sorted(each.faults))) for each in found]


@MANY
@given(
    st.lists(
        st.tuples(
            policies(),
            st.lists(
                st.lists(
                    st.one_of(_TEXTS.map(lambda text: f'"{text}"'), _NUMBERS),
                    max_size=8,
                ),
                min_size=3,
                max_size=5,
            ),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_policies_that_are_alike_are_judged_as_cedar_reads_each(
    drawn: list[tuple[str, list[list[str]]]],
) -> None:
    text = "\n".join(
        _with(policy, literals) for policy, many in drawn for literals in many
    )
    assert _judged(text, often=1) == _judged(text, often=1 << 30)


def test_mistakes_among_policies_that_are_alike_are_found() -> None:
    text, wrong = planted(60)
    found = _judged(text, often=1)
    assert found == _judged(text, often=1 << 30)
    assert sum(bool(each.faults) for each in found) > len(wrong) // 2


def _policy(*conditions: str) -> str:
    head = 'principal, action == Action::"tools/call", resource'
    return f'@id("a") permit ({head}) when {{ {" && ".join(conditions)} }};'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("context.arguments.x == 5", 'context.arguments.x == "5"'),
        ('context.arguments.x like "*"', 'context.arguments.x == "*"'),
        ('context.arguments.x == "a"', r'context.arguments.x == "\n"'),
        ("context.arguments.x == 5", "context.arguments.x == 05"),
        ("context.arguments.x5 == 5", "context.arguments.x6 == 5"),
        ("5 == 5 // 5\n", "5 == 5 // 6\n"),
    ],
)
def test_policies_of_two_kinds_are_not_taken_for_alike(one: str, other: str) -> None:
    known = PolicyJsonCache(policies_to_json)
    for _ in range(MIN_REPEATS):
        known.to_json(_policy(one))
    assert known.to_json(_policy(one))
    assert not known.to_json(_policy(other))


def test_what_is_alike_is_written_by_cedar_a_few_times_alone() -> None:
    asked: list[str] = []

    def write(text: str) -> str:
        asked.append(text)
        return policies_to_json(text)

    known = PolicyJsonCache(write)
    patterns = ("/a/*", "", "*", "**", "a***b", "{}", "Wildcard", "//", "0", "a, b")
    texts = [
        _policy(f'context.arguments.x like "{each}" && -{n} < 9 && "{each}" == "x"')
        for n, each in enumerate(patterns)
    ]
    found = [known.to_json(text) for text in texts * 2]
    assert found[: MIN_REPEATS - 1] == [""] * (MIN_REPEATS - 1)
    for one, text in zip(found[len(texts) :], texts, strict=True):
        assert json.loads(one) == json.loads(policies_to_json(text))  # -0 is 0
    assert len(asked) == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": 2}.a == 1',  # members that may be the same, or change places
        "context.arguments.x700000000000000002 == 5",  # as the number is marked
    ],
)
def test_a_form_that_could_be_mistaken_is_none(text: str) -> None:
    known = PolicyJsonCache(policies_to_json)
    assert not any(known.to_json(_policy(text)) for _ in range(MIN_REPEATS + 2))


def test_what_cedar_refuses_is_not_right_for_being_alike() -> None:
    class Mistaken(PolicyJsonCache):
        def written(self, text: str) -> str:
            return policies_to_json(text.replace("7 7", "7"))

    good = [_policy(f"context.arguments.x == {n}") for n in range(4)]
    text = "\n".join([*good, _policy("context.arguments.x == 7 7"), *good])
    found = validate_policies(
        split_policies(text), json_cache=Mistaken(policies_to_json)
    )
    assert [bool(each.faults) for each in found] == [False] * 4 + [True] + [False] * 4
