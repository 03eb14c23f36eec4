"""Rules whose facts no small file has: directories, root users, logs, baselines."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from answerable.model.agent import Agent, FactStatus
from answerable.model.credential import Credential, CredentialClass, CredentialLifetime
from answerable.model.documents.shared_shapes import PathItem
from answerable.model.ids import AgentId, CredentialId, IdentityId, PersonId
from answerable.model.inventory import (
    AgentEntity,
    CredentialEntity,
    Inventory,
    SourceCoverage,
)
from answerable.model.person import OwnerState, SubjectOwnership
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import SightedFacts
from answerable.posture.agent_reach import list_exposure_factors
from answerable.posture.facts import NO_LOG, IdentityReach, PostureFacts, UsageCount
from answerable.posture.rule import (
    Finding,
    NotEvaluated,
    build_finding_id,
)
from answerable.posture.rule_engine import Posture, evaluate_rules
from answerable.posture.severity import (
    ExposureFactor,
    ReachLevel,
    Severity,
    SeverityFacts,
    Trigger,
    is_at_least,
)
from tests.posture.test_log_coverage import inventory

DAY = 86_400_000_000_000
GOOGLE_AGENT = "481516234200@cloudservices.gserviceaccount.com"
ROBOT = "service-1@gcp-sa-robot.iam.gserviceaccount.com"  # of a project of this name
NOW = 20_000 * DAY
AGENT = AgentId("agent:cursor/dana")
KEY = CredentialId("cred:aws/AKIAEXAMPLE")
USER = IdentityId("arn:aws:iam::222233334444:user/sync")
SEEN = FactProvenance("aws:account.json", "account.json#/0", WrittenBy.PLATFORM, NOW)


class Reach:
    def get_reach(self, identity: str) -> IdentityReach:
        return IdentityReach(ReachLevel.WRITE, "its policies allow changes")

    def list_administrators(self) -> tuple[str, ...]:
        return ()

    def list_accounts_without_paths(self) -> tuple[str, ...]:
        return ()

    def list_outside_entries(self) -> tuple[()]:
        return ()

    def list_platform_entries(self) -> tuple[()]:
        return ()

    def find_administrator_path(self, identity: str) -> tuple[PathItem, ...]:
        return ()


class Use:
    def __init__(self, use: UsageCount | None) -> None:
        self.use = use

    def get_use(self, identity: str) -> UsageCount | None:
        return self.use

    def load_uses(self, identities: Collection[str]) -> None:
        pass

    def find_log_gap(self, identity: str) -> str:
        return "" if self.use else NO_LOG


def agent(note: str = "", facts: tuple[tuple[str, str], ...] = ()) -> Agent:
    return Agent(
        id=AGENT,
        kind="cursor",
        name="cursor",
        place="/home/dana/.cursor/mcp.json",
        scope="home:/home/dana",
        parent=None,
        unattended=False,
        known=FactStatus.DECLARED,
        runs_as=(),
        note=note,
        facts=facts,
        seen=SEEN,
    )


def credential(**changed: object) -> Credential:
    first = Credential(
        id=KEY,
        kind="aws-access-key",
        cls=CredentialClass.RECORD,
        lifetime=CredentialLifetime.STATIC,
        name="sync",
        place="iam:ListAccessKeys",
        scope="",
        hint="",
        account="222233334444",
        status="active",
        created_at=NOW - 10 * DAY,
        expires_at=0,
        last_used_at=NOW - DAY,
        seen=SEEN,
    )
    return replace(first, **changed)  # type: ignore[arg-type]


def facts(
    *,
    key: Credential | None = None,
    proves: str = USER,
    owner: OwnerState = OwnerState.INFERRED,
    use: UsageCount | None = None,
    bounded: bool = False,
) -> PostureFacts:
    entity = AgentEntity(agent(), (), (USER,))
    owned = SubjectOwnership(AGENT, owner, PersonId("person:ana"), 0.9, 0.9, ())
    held = key or credential()
    coverage = SourceCoverage(
        "aws:x", "aws", NOW, (), ("identity-policies", "access-keys"), ()
    )
    inventory = Inventory(
        at=NOW,
        name="s",
        facts=SightedFacts(),
        persons={},
        agents={AGENT: entity},
        credentials={KEY: CredentialEntity(KEY, (held,), IdentityId(proves), "list")},
        owners={AGENT: owned},
        coverage=(coverage,),
    )
    return PostureFacts(
        inventory,
        NOW,
        Reach(),
        use=Use(use),
        bounded=frozenset({AGENT}) if bounded else frozenset(),
    )


def rules(posture: Posture) -> set[str]:
    return {each.rule for each in posture.findings}


def unknown(posture: Posture) -> set[tuple[str, str]]:
    return {(each.rule, each.subject) for each in posture.not_evaluated}


def test_an_owner_who_left_is_found_and_a_present_one_is_not() -> None:
    assert "owner-left" in rules(evaluate_rules(facts(owner=OwnerState.OWNER_LEFT)))
    posture = evaluate_rules(facts())
    assert "owner-left" not in rules(posture)
    assert ("owner-left", "aws") in unknown(posture)  # no directory was scanned


def test_a_key_of_the_root_user_is_found() -> None:
    root = "arn:aws:iam::222233334444:root"
    found = evaluate_rules(facts(proves=root))
    (finding,) = [each for each in found.findings if each.rule == "root-key"]
    assert finding.severity.severity is Severity.CRITICAL
    assert "root-key" not in rules(evaluate_rules(facts()))


@pytest.mark.parametrize(
    ("created", "used", "expected"),
    [
        (NOW - 91 * DAY, NOW - DAY, {"old-credential"}),
        (NOW - 90 * DAY, NOW - 46 * DAY, {"unused-credential"}),
        (NOW - 90 * DAY, NOW - 45 * DAY, set()),
    ],
)
def test_age_and_use_of_a_key_at_the_limits(
    created: int, used: int, expected: set[str]
) -> None:
    key = credential(created_at=created, last_used_at=used)
    found = rules(evaluate_rules(facts(key=key)))
    assert found & {"old-credential", "unused-credential"} == expected


def test_a_key_without_a_recorded_use_is_not_evaluated() -> None:
    posture = evaluate_rules(facts(key=credential(last_used_at=0)))
    assert ("unused-credential", KEY) in unknown(posture)
    inactive = credential(last_used_at=0, status="inactive")
    assert ("unused-credential", KEY) not in unknown(
        evaluate_rules(facts(key=inactive))
    )


def logged(first: int, last: int = 0) -> frozenset[int]:
    """Days from so many days ago to so many days ago."""
    return frozenset(range(20_000 - first, 20_000 - last + 1))


def test_unused_access_needs_a_log_of_the_account() -> None:
    quiet = UsageCount(0, 0, logged(120))
    assert "unused-access" in rules(evaluate_rules(facts(use=quiet)))
    busy = UsageCount(7, NOW - DAY, logged(120))
    assert not {"unused-access", "evidence-gap"} & rules(
        evaluate_rules(facts(use=busy))
    )
    posture = evaluate_rules(facts())
    assert ("unused-access", USER) in unknown(posture)
    assert "evidence-gap" in rules(posture)


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        # A log of 60 days, or one that ended 120 days ago, says nothing of 90 days.
        (UsageCount(0, 0, logged(60)), False),
        (UsageCount(9, NOW - 121 * DAY, logged(200, 120)), False),
        (UsageCount(9, NOW - 230 * DAY, logged(300, 120)), True),
        # 91 days without a call, but of one of them the store lacks events.
        (UsageCount(9, NOW - 91 * DAY, logged(90)), True),
        (UsageCount(9, NOW - 91 * DAY, logged(90) - {20_000 - 40}), False),
    ],
)
def test_unused_access_is_judged_in_the_logged_time_alone(
    use: UsageCount, expected: bool
) -> None:
    posture = evaluate_rules(facts(use=use))
    assert ("unused-access" in rules(posture)) is expected
    assert (("unused-access", USER) in unknown(posture)) is not expected


class TwoAdministrators(Reach):
    def list_administrators(self) -> tuple[str, ...]:  # type: ignore[override]
        return (GOOGLE_AGENT, ROBOT)


POOL = "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/*"
STEPS: tuple[PathItem, ...] = (
    {
        "from": POOL,
        "via": "iam.serviceAccounts.actAs",
        "to": ROBOT,
        "conditions": [],
        "determining": [],
    },
)


class PoolAdministrator(Reach):
    def list_administrators(self) -> tuple[str, ...]:  # type: ignore[override]
        return (POOL,)

    def find_administrator_path(self, identity: str) -> tuple[PathItem, ...]:
        return STEPS


def test_the_service_agent_of_google_is_no_identity_to_narrow() -> None:
    known = inventory(GOOGLE_AGENT, ROBOT)
    posture = evaluate_rules(PostureFacts(known, NOW, TwoAdministrators()))
    found = {e.subject for e in posture.findings if e.rule == "administrator"}
    assert found == {ROBOT}


def test_all_principals_of_a_pool_are_named_by_their_id() -> None:
    known = inventory(POOL)
    (one,) = known.facts.identities
    known = replace(known, facts=SightedFacts(identities=(replace(one, name="*"),)))
    posture = evaluate_rules(PostureFacts(known, NOW, PoolAdministrator()))
    (found,) = (e for e in posture.findings if e.rule == "administrator")
    assert found.title.startswith(f"{POOL}: ")
    assert found.platform == "gcp"
    assert found.path == STEPS


def test_a_signed_baseline_makes_an_agent_bounded() -> None:
    entity = facts().inventory.agents[AGENT]
    assert ExposureFactor.UNBOUNDED in list_exposure_factors(facts(), entity)
    assert ExposureFactor.UNBOUNDED not in list_exposure_factors(
        facts(bounded=True), entity
    )


def test_the_severity_is_the_product_of_the_factors() -> None:
    held = frozenset({ExposureFactor.UNATTENDED, ExposureFactor.UNBOUNDED})
    grave = SeverityFacts(Trigger.AGENT, ReachLevel.ADMINISTRATOR, held)
    assert (grave.score, grave.severity) == (36, Severity.CRITICAL)
    assert SeverityFacts(Trigger.LATER, ReachLevel.READ).severity is Severity.LOW
    worst = SeverityFacts(
        Trigger.ANONYMOUS, ReachLevel.ADMINISTRATOR, frozenset(ExposureFactor)
    )
    assert worst.score == 80
    assert is_at_least("high", "medium")
    assert not is_at_least("not-known", "low")


def test_not_known_reach_is_never_less_grave_than_write_or_read() -> None:
    for trigger in Trigger:
        unknown_reach = SeverityFacts(trigger, ReachLevel.NOT_KNOWN).score
        for level in (ReachLevel.WRITE, ReachLevel.READ):
            assert unknown_reach >= SeverityFacts(trigger, level).score


def test_an_id_depends_on_rule_subject_and_place_without_list_positions() -> None:
    first = build_finding_id("rule", "subject", "a.json#/servers/0/env/KEY")
    assert first == build_finding_id("rule", "subject", "a.json#/servers/7/env/KEY")
    others = {
        build_finding_id("other", "subject", "a.json#/servers/0/env/KEY"),
        build_finding_id("rule", "other", "a.json#/servers/0/env/KEY"),
        build_finding_id("rule", "subject", "a.json#/servers/0/env/OTHER"),
    }
    assert first not in others
    assert len(others) == 3


def test_results_do_not_depend_on_the_order_of_the_facts() -> None:
    base = facts(owner=OwnerState.NONE)
    two = replace(
        base.inventory.agents[AGENT], agent=replace(agent(), id=AgentId("agent:b"))
    )
    for pairs in (
        [(AGENT, base.inventory.agents[AGENT]), (AgentId("agent:b"), two)],
    ) * 2:
        forward = replace(base, inventory=replace(base.inventory, agents=dict(pairs)))
        back = replace(
            base, inventory=replace(base.inventory, agents=dict(reversed(pairs)))
        )
        assert list(evaluate_rules(forward).findings) == list(
            evaluate_rules(back).findings
        )


def test_every_result_is_of_a_registered_kind() -> None:
    posture = evaluate_rules(facts())
    assert all(isinstance(each, Finding) for each in posture.findings)
    assert all(isinstance(each, NotEvaluated) for each in posture.not_evaluated)
