"""What a baseline would judge is not allowed where it cannot be judged."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from answerable.authorization.exception_validity import index_exceptions
from answerable.model.baseline import BaselineProfile, BaselineStage, BaselineSubject
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionReason,
    EnforcementMode,
    RecordDurability,
    TargetKind,
)
from answerable.model.ids import AgentId
from answerable.model.policy_exception import PolicyException, PolicyExceptionKind
from answerable.services.statements.signed_baselines import ActiveBaseline
from tests.pdp.decision_point_harness import (
    ALLOWED,
    EVALUATION,
    OF_SUBJECTS,
    SUBJECTS,
    DecisionPointHarness,
    deciding,
    settings,
)
from tests.pdp.envoy.test_check_request import EnvoyClient, request
from tests.signed_baselines import active_baseline, in_force

ANA = "agent:declared/ana"


def watched(cold: str = "off", **more: Any) -> dict[str, Any]:
    said = settings()
    said["agents"]["ana"] |= {"baseline": {"cold": cold}} | more
    return said


def profile(
    stage: BaselineStage, server: str = "files", identity: str = ""
) -> ActiveBaseline:
    return active_baseline(
        BaselineProfile(BaselineSubject(identity, ANA, server)), stage
    )


def hold_to(point: DecisionPointHarness, *profiles: ActiveBaseline) -> None:
    point.house.core.baselines.apply_statements(in_force(*profiles))


@pytest.mark.parametrize(
    ("cold", "decision"), [("off", True), ("shadow", True), ("enforce", False)]
)
def test_origins_alone_hold_back_what_they_would_at_the_gateway(
    tmp_path: Path, cold: str, decision: bool
) -> None:
    with deciding(tmp_path, watched(cold)) as point:
        assert point.evaluate() is decision
        assert EnvoyClient(point).passes(request()) is decision
        found = point.ask(SUBJECTS, OF_SUBJECTS).said["results"]
        assert ("ana" in [each["id"] for each in found]) is decision
        assert point.evaluate(subject={"type": "agent", "id": "ben"})
        whole = {"type": "mcp_server", "id": "files"}
        assert point.evaluate(action={"name": "tools/list"}, resource=whole)


@pytest.mark.parametrize("identity", ["", "https://server.example"])
def test_a_signed_profile_holds_back_through_whatever_identity(
    tmp_path: Path, identity: str
) -> None:
    with deciding(tmp_path, watched()) as point:
        hold_to(point, profile(BaselineStage.SHADOW))
        assert point.evaluate()
        hold_to(
            point,
            profile(BaselineStage.ENFORCE, identity=identity),
            profile(BaselineStage.SHADOW),
        )
        assert not point.evaluate()
        record = point.decided()[-1].decision
        assert (record.reason, record.layer) == ("behaviour", "baseline")
        assert record.determining == (f"baseline:{'d' * 64}", "unseen-here")
        hold_to(point, profile(BaselineStage.ENFORCE, "other"))
        assert point.evaluate()


def test_a_mode_that_holds_nothing_back_does_so_here(tmp_path: Path) -> None:
    with deciding(tmp_path, watched("enforce", mode="shadow")) as point:
        assert point.ask(EVALUATION, ALLOWED).decision
        assert point.decided()[-1].decision.effect == "deny"


def test_what_an_owner_signs_lifts_it(tmp_path: Path) -> None:
    word = PolicyException(
        id="a" * 64,
        kind=PolicyExceptionKind.OWNER,
        agent=AgentId(ANA),
        server="files",
        target=TargetKind.TOOL,
        name="read",
        arguments="",
        until=0,
        persons=("person:ana",),
    )
    with deciding(tmp_path, watched("enforce")) as point:
        assert not point.evaluate()
        point.house.core.authorizer.set_policy_exceptions(index_exceptions((word,)))
        assert point.evaluate()


def test_a_profile_of_an_agent_that_is_not_watched_holds_nothing(
    tmp_path: Path,
) -> None:
    with deciding(tmp_path) as point:
        hold_to(point, profile(BaselineStage.ENFORCE))
        assert point.evaluate()
        point.swap(watched())
        assert not point.evaluate()


def test_a_sub_agent_that_is_not_watched_is_held_like_the_agent_above_it(
    tmp_path: Path,
) -> None:
    decision = Decision(
        DecisionEffect.ALLOW,
        True,
        EnforcementMode.ENFORCE,
        DecisionReason.ALLOWED,
        (),
        "",
        RecordDurability.BUFFERED,
    )
    agent = AgentId("agent:declared/below")
    below = VerifiedCaller(
        agent, True, "", "run", AuthenticationMethod.DPOP_TOKEN, "own/below", b"", 0
    )
    with deciding(tmp_path, watched("enforce")) as point:
        judge = point.house.core.baselines.apply_baseline
        assert judge(below, "files", TargetKind.TOOL, decision) == decision
        under = replace(below, chain=(AgentId(ANA),))
        assert (
            judge(under, "files", TargetKind.TOOL, decision).effect
            is DecisionEffect.DENY
        )
