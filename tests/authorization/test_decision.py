from dataclasses import replace

import pytest
from hypothesis import given, settings

from answerable.authorization import decision as fast
from answerable.authorization.decision import EMPTY_STATE, PolicyOverrides
from answerable.authorization.decision_table import (
    build_decision_table,
    build_missing_policy_table,
)
from answerable.authorization.revocations import NO_REVOCATIONS, Revocations
from answerable.model.config import AllowRule, Config
from answerable.model.decision import (
    AuthorizationRequest,
    Decision,
    DecisionEffect,
    DecisionReason,
    EnforcementMode,
    RecordDurability,
    TargetKind,
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


def decide(
    config: Config, kills: Revocations, request: AuthorizationRequest
) -> Decision:
    return fast.decide(build_decision_table(config), PolicyOverrides(kills), request)


@MANY
@given(configs(), kills(), requests())
def test_the_table_decides_what_the_configuration_says(
    config: Config, kills: Revocations, request: AuthorizationRequest
) -> None:
    assert decide(config, kills, request) == spec.decide(config, kills, request)


@MANY
@given(configs(), kills(), kills(), requests())
def test_a_kill_only_ever_makes_stricter(
    config: Config, kills: Revocations, more: Revocations, request: AuthorizationRequest
) -> None:
    before = decide(config, kills, request)
    after = decide(config, kills | more, request)
    assert before.passes or not after.passes
    assert (
        before.effect is DecisionEffect.ALLOW
        or after.effect is not DecisionEffect.ALLOW
    )


@MANY
@given(configs(), requests())
def test_nothing_unknown_passes_where_the_gateway_enforces(
    config: Config, request: AuthorizationRequest
) -> None:
    config = replace(config, default_mode=EnforcementMode.ENFORCE)
    declared = {each.id for each in config.agents}
    servers = {each.name for each in config.servers}
    decision = decide(config, NO_REVOCATIONS, request)
    if request.agent not in declared or request.server not in servers:
        assert not decision.passes
        assert decision.effect is DecisionEffect.DENY


@MANY
@given(configs(), kills(), requests())
def test_only_a_kill_holds_back_who_is_observed(
    config: Config, kills: Revocations, request: AuthorizationRequest
) -> None:
    decision = decide(config, kills, request)
    there = request.server in {each.name for each in config.servers}
    if decision.mode is not EnforcementMode.ENFORCE and there:
        assert decision.passes is (decision.reason is not DecisionReason.KILLED)


@MANY
@given(configs(), kills(), requests())
def test_the_mode_changes_what_passes_and_never_what_the_policy_says(
    config: Config, kills: Revocations, request: AuthorizationRequest
) -> None:
    said = set()
    for mode in EnforcementMode:
        agents = tuple(replace(each, mode=mode) for each in config.agents)
        changed = replace(config, agents=agents, default_mode=mode)
        decision = decide(changed, kills, request)
        said.add((decision.effect, decision.reason, decision.determining))
        if mode is EnforcementMode.ENFORCE:
            assert decision.passes is (decision.effect is DecisionEffect.ALLOW)
    assert len(said) == 1


@MANY
@given(configs(), kills(), requests())
def test_what_does_not_go_on_waits_for_no_disk(
    config: Config, kills: Revocations, request: AuthorizationRequest
) -> None:
    decision = decide(config, kills, request)
    assert decision.passes or decision.durability is RecordDurability.BUFFERED


@given(configs(), requests())
def test_a_decision_names_the_policy_it_was_made_by(
    config: Config, request: AuthorizationRequest
) -> None:
    assert decide(config, NO_REVOCATIONS, request).policy == config.digest


@pytest.mark.parametrize("target", TargetKind)
def test_without_a_policy_a_client_can_find_a_server_and_no_more(
    target: TargetKind,
) -> None:
    table = build_missing_policy_table(["files"])
    decision = fast.decide(table, EMPTY_STATE, request(target=target))
    finds = target in (TargetKind.DISCOVERY, TargetKind.SESSION, TargetKind.PING)
    assert decision.passes is finds
    assert decision.reason is (
        DecisionReason.ALLOWED if finds else DecisionReason.POLICY_MISSING
    )
    assert decision.effect is (DecisionEffect.ALLOW if finds else DecisionEffect.ERROR)


def test_without_a_policy_there_is_still_no_other_server() -> None:
    decision = fast.decide(build_missing_policy_table([]), EMPTY_STATE, request())
    assert decision.reason is DecisionReason.UNKNOWN_SERVER


def test_the_first_rule_that_takes_a_name_determines() -> None:
    rules = [
        AllowRule("agents.ana.allow[0]", "files", ("write",), (), (), ()),
        AllowRule("agents.ana.allow[1]", "files", ("re*",), (), (), ()),
        AllowRule("agents.ana.allow[2]", "files", ("read",), (), (), ()),
    ]
    policy = config(agent("ana", *rules), servers=(server("files"),))
    assert decide(policy, NO_REVOCATIONS, request()).determining == (
        "agents.ana.allow[1]",
    )
