"""What is compiled, against Cedar: each condition with each argument."""

import pytest

from answerable.authorization.decision import EMPTY_STATE, decide
from answerable.authorization.decision_table import build_decision_table
from answerable.model.decision import DecisionLayer
from tests.authorization.cedar.policy_strategies import call, rules_of
from tests.authorization.config_strategies import agent, config, server
from tests.reference.authorization import decision as spec

CALL = 'principal, action == Action::"tools/call", resource'
FILE = config(agent("ana"), servers=(server("files"),))

VALUES: tuple[object, ...] = (
    *(None, 0, 1, -1, 10, True, False, "", "1", "true", "a", "ab", "aba", "abcab"),
    *("a*b", "a\\b", "é", "file:///srv/x", 1.0, 1.5, 2**63, "\ud800", [], ["a"]),
    *([1, 1], [1.5], {}, {"x": 1}, {"x": "a"}, {"x": {"x": 1}}),
)
CONDITIONS = (
    *(f"context.arguments.v {word} 1" for word in ("==", "!=", "<", "<=", ">", ">=")),
    *("context.arguments.v == true", "context.arguments.v", "!context.arguments.v"),
    'context.arguments.v == "1"',
    *("1 == context.arguments.v", "0 < context.arguments.v"),
    *(
        f'context.arguments.v like "{pattern}"'
        for pattern in ("", "*", "a*", "*b", "ab*ab", "a*b*a", "a\\*b", "*b*c*", "a")
    ),
    *('["a", "1"].contains(context.arguments.v)', "[1].contains(context.arguments.v)"),
    *('context.arguments.v.contains("a")', "context.arguments.v.contains(1)"),
    *("context.arguments has v", "context.arguments.v has x"),
    *("context.arguments.v.x == 1", "context.arguments.v.x.x == 1"),
    "context.arguments has v && context.arguments.v == 1",
    "context.arguments.v == 1 || context.arguments.v == 10",
    "context.arguments.v == 1 && context.arguments.v < 0",
)


@pytest.mark.parametrize("word", ["when", "unless"])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_compiled_condition_means_what_it_means_in_cedar(
    condition: str, word: str
) -> None:
    rules = rules_of(f"permit ({CALL}) {word} {{ {condition} }};")
    assert rules.rules[0].layer is DecisionLayer.CONSTRAINT
    found = build_decision_table(FILE, rules)
    for value in VALUES:
        request = call(arguments={"v": value})
        expected = spec.decide(FILE, frozenset(), request, rules)
        assert decide(found, EMPTY_STATE, request) == expected, value
