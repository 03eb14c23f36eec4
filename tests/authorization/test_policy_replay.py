"""What another policy would have decided is told by how many calls, whose, and why."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.authorization.decision import EMPTY_STATE, decide
from answerable.authorization.decision_table import build_decision_table
from answerable.authorization.policy_replay import (
    MAX_GROUPS,
    DecisionPairs,
    compare_decisions,
    merge_replays,
)
from answerable.model.config import AllowRule, Config
from answerable.model.decision import (
    AuthorizationRequest,
    DecisionEffect,
    EnforcementMode,
)
from answerable.model.policy_replay import PolicyReplayResult
from tests.authorization.config_strategies import (
    agent,
    config,
    configs,
    request,
    requests,
    server,
)

FEW = settings(max_examples=40, deadline=None)
READ = AllowRule("agents.ana.allow[0]", "files", ("read",), (), (), ())
ALLOWS = config(agent("ana", READ), servers=(server("files"),))
DENIES = config(agent("ana"), servers=(server("files"),))


def redecided(
    before: Config, after: Config, *asked: AuthorizationRequest
) -> list[DecisionPairs]:
    tables = [build_decision_table(each) for each in (before, after)]
    return [
        (each, *(decide(table, EMPTY_STATE, each) for table in tables))
        for each in asked
    ]


def test_a_rule_that_is_gone_is_told_with_those_whom_it_held() -> None:
    told = compare_decisions(
        redecided(ALLOWS, DENIES, *[request()] * 3, request("write")), 2
    )
    assert (told.calls, told.left_out, told.held_back, told.more) == (4, 2, 3, 0)
    (turned,) = told.turned
    assert (turned.agent, turned.count) == ("agent:declared/ana", 3)
    assert (turned.rules_before, turned.reason) == (("agents.ana.allow[0]",), "no-rule")
    back = compare_decisions(redecided(DENIES, ALLOWS, *[request()] * 3), 0)
    assert (back.held_back, back.let_through) == (0, 3)


def test_what_the_mode_lets_pass_is_denied_in_name_alone() -> None:
    rule = agent("ana", READ, mode=EnforcementMode.SHADOW)
    shadows = config(rule, servers=(server("files"),))
    bare = config(agent("ana", mode=EnforcementMode.SHADOW), servers=(server("files"),))
    told = compare_decisions(redecided(shadows, bare, request()), 0)
    assert (told.held_back, told.in_name, len(told.turned)) == (0, 1, 1)
    enforced = compare_decisions(redecided(bare, DENIES, request()), 0)
    assert (enforced.held_back, enforced.in_name) == (1, 0)


def test_the_same_policy_turns_nothing() -> None:
    assert compare_decisions(
        redecided(ALLOWS, ALLOWS, request()), 0
    ) == PolicyReplayResult(calls=1)


def test_what_is_told_names_no_tool_and_no_argument() -> None:
    asked = msgspec.structs.replace(request(), arguments=b'{"secret":1}')
    told = compare_decisions(redecided(ALLOWS, DENIES, asked), 0)
    assert b"secret" not in msgspec.json.encode(told)
    assert "name" not in msgspec.json.decode(msgspec.json.encode(told))["turned"][0]


@FEW
@given(configs(), configs(), st.lists(st.tuples(requests(), st.booleans())))
def test_workers_together_find_what_one_would_have(
    before: Config, after: Config, asked: list[tuple[AuthorizationRequest, bool]]
) -> None:
    pairs = redecided(before, after, *(each for each, _ in asked))
    one = [pair for pair, (_, first) in zip(pairs, asked, strict=True) if first]
    two = [pair for pair, (_, first) in zip(pairs, asked, strict=True) if not first]
    whole = compare_decisions(pairs, 3)
    parts = merge_replays([compare_decisions(one, 1), compare_decisions(two, 2)])
    assert set(parts.turned) == set(whole.turned)
    assert msgspec.structs.replace(parts, turned=()) == (
        msgspec.structs.replace(whole, turned=())
    )
    held = [p for p in pairs if p[1].passes and not p[2].passes]
    assert whole.held_back == len(held)
    named = [p for p in pairs if p[2].passes and p[1].effect is DecisionEffect.ALLOW]
    assert whole.in_name == sum(p[2].effect is not DecisionEffect.ALLOW for p in named)


def test_more_than_a_screen_holds_is_a_number() -> None:
    names = [f"a{number}" for number in range(MAX_GROUPS + 5)]
    many = config(*(agent(name, READ) for name in names), servers=(server("files"),))
    bare = config(*(agent(name) for name in names), servers=(server("files"),))
    asked = [request(agent=each.id) for each in many.agents]
    told = compare_decisions(redecided(many, bare, *asked), 0)
    assert (len(told.turned), told.more, told.held_back) == (MAX_GROUPS, 5, 69)
    assert merge_replays([told, told]).more == 10
