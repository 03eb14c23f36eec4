from dataclasses import replace

import pytest
from hypothesis import given, settings

from answerable.authorization import decision as fast
from answerable.authorization.decision import NOTHING_STANDS, Standing
from answerable.authorization.decision_table import compile_table, without_policy
from answerable.authorization.revocations import NO_KILLS, Kills
from answerable.model.config import Allow, Config
from answerable.model.decision import (
    Decision,
    Durability,
    Effect,
    Mode,
    Reason,
    Request,
    Target,
)
from tests.authorization.config_strategies import (
    agent,
    config,
    configs,
    kills,
    request,
    requests,
    server,
)
from tests.reference.authorization import decision as spec

MANY = settings(max_examples=60, deadline=None)


def decide(config: Config, kills: Kills, request: Request) -> Decision:
    return fast.decide(compile_table(config), Standing(kills), request)


@MANY
@given(configs(), kills(), requests())
def test_the_table_decides_what_the_configuration_says(
    config: Config, kills: Kills, request: Request
) -> None:
    assert decide(config, kills, request) == spec.decide(config, kills, request)


@MANY
@given(configs(), kills(), kills(), requests())
def test_a_kill_only_ever_makes_stricter(
    config: Config, kills: Kills, more: Kills, request: Request
) -> None:
    before = decide(config, kills, request)
    after = decide(config, kills | more, request)
    assert before.passes or not after.passes
    assert before.effect is Effect.ALLOW or after.effect is not Effect.ALLOW


@MANY
@given(configs(), requests())
def test_nothing_unknown_passes_where_the_gateway_enforces(
    config: Config, request: Request
) -> None:
    config = replace(config, default_mode=Mode.ENFORCE)
    declared = {each.id for each in config.agents}
    servers = {each.name for each in config.servers}
    decision = decide(config, NO_KILLS, request)
    if request.agent not in declared or request.server not in servers:
        assert not decision.passes
        assert decision.effect is Effect.DENY


@MANY
@given(configs(), kills(), requests())
def test_only_a_kill_holds_back_who_is_observed(
    config: Config, kills: Kills, request: Request
) -> None:
    decision = decide(config, kills, request)
    there = request.server in {each.name for each in config.servers}
    if decision.mode is not Mode.ENFORCE and there:
        assert decision.passes is (decision.reason is not Reason.KILLED)


@MANY
@given(configs(), kills(), requests())
def test_the_mode_changes_what_passes_and_never_what_the_policy_says(
    config: Config, kills: Kills, request: Request
) -> None:
    said = set()
    for mode in Mode:
        agents = tuple(replace(each, mode=mode) for each in config.agents)
        changed = replace(config, agents=agents, default_mode=mode)
        decision = decide(changed, kills, request)
        said.add((decision.effect, decision.reason, decision.determining))
        if mode is Mode.ENFORCE:
            assert decision.passes is (decision.effect is Effect.ALLOW)
    assert len(said) == 1


@MANY
@given(configs(), kills(), requests())
def test_what_does_not_go_on_waits_for_no_disk(
    config: Config, kills: Kills, request: Request
) -> None:
    decision = decide(config, kills, request)
    assert decision.passes or decision.durability is Durability.BUFFERED


@given(configs(), requests())
def test_a_decision_names_the_policy_it_was_made_by(
    config: Config, request: Request
) -> None:
    assert decide(config, NO_KILLS, request).policy == config.digest


@pytest.mark.parametrize("target", Target)
def test_without_a_policy_a_client_can_find_a_server_and_no_more(
    target: Target,
) -> None:
    table = without_policy(["files"])
    decision = fast.decide(table, NOTHING_STANDS, request(target=target))
    finds = target in (Target.DISCOVERY, Target.SESSION, Target.PING)
    assert decision.passes is finds
    assert decision.reason is (Reason.ALLOWED if finds else Reason.POLICY_MISSING)
    assert decision.effect is (Effect.ALLOW if finds else Effect.ERROR)


def test_without_a_policy_there_is_still_no_other_server() -> None:
    decision = fast.decide(without_policy([]), NOTHING_STANDS, request())
    assert decision.reason is Reason.UNKNOWN_SERVER


def test_the_first_rule_that_takes_a_name_determines() -> None:
    rules = [
        Allow("agents.ana.allow[0]", "files", ("write",), (), (), ()),
        Allow("agents.ana.allow[1]", "files", ("re*",), (), (), ()),
        Allow("agents.ana.allow[2]", "files", ("read",), (), (), ()),
    ]
    policy = config(agent("ana", *rules), servers=(server("files"),))
    assert decide(policy, NO_KILLS, request()).determining == ("agents.ana.allow[1]",)
