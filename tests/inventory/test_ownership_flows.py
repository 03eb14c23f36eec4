from dataclasses import replace

import pytest

from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.ids import AgentId, CredentialId
from answerable.model.inventory import Inventory
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, OwnerState
from answerable.model.policy import PolicyLayer
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import SightedFacts, Sync
from tests.inventory.fact_builders import (
    ACCOUNT,
    NOW,
    agent,
    arn,
    credential,
    evidence,
    identity,
    link,
    person,
    policy,
    statement,
    sync,
    tool,
)

# The account number 111122223333 is written in it.
KEY = "cred:aws/AKIARTX3GSDSRRFJNQSQ"
PROFILE = CredentialId("cred:fp/profile")
CLAUDE = AgentId("agent:claude-code/home/ana")
USER = arn("user/report-bot")
ROLE = arn("role/data-reader")


def family(*facts: tuple[str, str]) -> SightedFacts:
    child = "claude-code/home/ana/reporter"
    return SightedFacts(
        agents=(
            agent(),
            agent(child, parent="claude-code/home/ana", facts=facts),
            agent(f"{child}/leaf", parent=child),
        ),
        tools=(tool("claude-code/home/ana", "db", CredentialId(KEY)),),
        credentials=(credential(KEY),),
        links=(link(KEY, USER),),
        evidence=(evidence(CLAUDE, "ana", OwnerEvidenceKind.HOME),),
    )


def _with(facts: SightedFacts) -> tuple[str, Sync]:
    return "home:h", Sync("home:h", "home", NOW, facts)


def test_an_agent_that_a_platform_runs_answers_to_the_owner_of_its_role() -> None:
    runner = agent("agentcore/runner", scope="", runs_as=(ROLE,))
    inventory = join_syncs_into_inventory(
        [
            sync(
                "aws:a",
                identities=(identity("role/data-reader"),),
                agents=(runner,),
                evidence=(evidence(ROLE, "dana@corp.example"),),
            )
        ],
        now=NOW,
    )
    owner = inventory.owners[runner.id]
    assert (owner.state, owner.person) == (
        OwnerState.INFERRED,
        person("dana@corp.example"),
    )
    assert owner.margin == 0.75
    assert inventory.agents[runner.id].identities == (ROLE,)


def test_a_user_of_whom_nothing_is_said_has_no_owner() -> None:
    inventory = join_syncs_into_inventory(
        [
            sync("aws:a", identities=(identity("user/report-bot"),)),
            sync("aws-keys:k", links=(link(KEY, USER),)),
        ],
        now=NOW,
    )
    assert inventory.owners[USER].state is OwnerState.NONE
    assert inventory.owners[KEY].state is OwnerState.NONE


def test_a_credential_answers_to_the_owner_of_its_identity() -> None:
    facts = family()
    inventory = join_syncs_into_inventory(
        [
            _with(facts),
            sync("aws:a", evidence=(evidence(USER, "ben@corp.example"),)),
        ],
        now=NOW,
    )
    assert inventory.owners[KEY].person == person("ben@corp.example")


def test_a_credential_of_nobody_answers_to_the_home_it_is_used_in() -> None:
    inventory = join_syncs_into_inventory([_with(family())], now=NOW)
    owner = inventory.owners[KEY]
    assert (owner.person, owner.score) == (person("ana"), 0.85)


def test_code_owners_that_an_agent_could_have_written_do_not_count_for_it() -> None:
    worker = agent("claude-code/org/repo", scope="")
    own = evidence(
        worker.id,
        "boss@corp.example",
        OwnerEvidenceKind.CODEOWNERS,
        by=WrittenBy.SELF_REPORTED,
    )
    inventory = join_syncs_into_inventory(
        [sync("repo:r", agents=(worker,), evidence=(own,))], now=NOW
    )
    owner = inventory.owners[worker.id]
    assert (owner.state, owner.person) == (OwnerState.NONE, None)
    assert owner.candidates[0].evidence == ((own, 0.0),)


def test_a_role_that_may_tag_itself_does_not_choose_its_owner() -> None:
    may, attached = policy(ROLE, statement("iam:TagRole", "*"))
    runner = agent("agentcore/runner", scope="", runs_as=(ROLE,))
    said = sync(
        "aws:a",
        identities=(identity("role/data-reader"),),
        agents=(runner,),
        policies=(may,),
        attachments=(attached,),
        evidence=(evidence(ROLE, "dana@corp.example"),),
    )
    inventory = join_syncs_into_inventory([said], now=NOW)
    for subject in (ROLE, runner.id):
        owner = inventory.owners[subject]
        assert owner.state is OwnerState.NONE
        assert [c.person for c in owner.candidates] == [person("dana@corp.example")]
        assert owner.candidates[0].evidence[0][1] == 0.0


def test_a_role_that_trusts_github_answers_to_the_code_owners_of_its_pipeline() -> None:
    pipeline = agent("github-actions/repo/agent.yml", scope="", runs_as=(ROLE,))
    trust, attached = policy(ROLE, layer=PolicyLayer.TRUST)
    owns = evidence(pipeline.id, "ana@corp.example", OwnerEvidenceKind.CODEOWNERS)
    repo = sync("repo:r", agents=(pipeline,), evidence=(owns,))
    plain = join_syncs_into_inventory(
        [repo, sync("aws:a", identities=(identity("role/data-reader"),))], now=NOW
    )
    assert plain.owners[ROLE].state is OwnerState.NONE

    lets_in = replace(
        statement("sts:AssumeRoleWithWebIdentity", ""),
        resources=(),
        principals=(
            (
                "Federated",
                f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
            ),
        ),
    )
    trust = replace(trust, statements=(lets_in,))
    aws = sync(
        "aws:a",
        identities=(identity("role/data-reader"),),
        policies=(trust,),
        attachments=(attached,),
    )
    owner = join_syncs_into_inventory([repo, aws], now=NOW).owners[ROLE]
    assert (owner.state, owner.score) == (OwnerState.SUGGESTED, 0.6)


MADE = arn("role/made")


def made_by(name: str, *tags: OwnerEvidence, attached: bool = False) -> Inventory:
    may, at = policy(USER, statement("iam:*", "*"))
    return join_syncs_into_inventory(
        [
            sync(
                "aws:a",
                identities=(identity("user/report-bot"),),
                policies=(may,) if attached else (),
                attachments=(at,) if attached else (),
                evidence=tags,
            ),
            sync(
                "trail:",
                evidence=(
                    evidence(MADE, name, OwnerEvidenceKind.CREATOR, act="event 1"),
                ),
            ),
        ],
        now=NOW,
    )


def test_what_a_machines_user_made_answers_to_the_owner_of_that_user() -> None:
    owner = made_by("report-bot", evidence(USER, "ana@corp.example")).owners[MADE]
    assert (owner.state, owner.person, owner.score) == (
        OwnerState.SUGGESTED,
        person("ana@corp.example"),
        0.65,
    )


def test_what_a_person_made_answers_to_that_person() -> None:
    owner = made_by("dana@corp.example").owners[MADE]
    assert (owner.person, owner.score) == (person("dana@corp.example"), 0.65)


def test_what_a_machine_without_an_owner_made_shows_the_machine_and_no_owner() -> None:
    owner = made_by("report-bot").owners[MADE]
    assert (owner.state, owner.person) == (OwnerState.NONE, None)
    assert [c.person for c in owner.candidates] == [person("report-bot")]


def test_a_machine_that_tags_itself_leads_to_nobody() -> None:
    said = evidence(USER, "boss@corp.example")
    owner = made_by("report-bot", said, attached=True).owners[MADE]
    assert owner.state is OwnerState.NONE


def test_a_user_called_like_a_known_person_is_suggested_to_be_theirs() -> None:
    inventory = join_syncs_into_inventory(
        [
            sync("aws:a", identities=(identity("user/dana"), identity("user/eve"))),
            sync("home:h", evidence=(evidence(CLAUDE, "dana@corp.example"),)),
        ],
        now=NOW,
    )
    owner = inventory.owners[arn("user/dana")]
    assert (owner.state, owner.score) == (OwnerState.SUGGESTED, pytest.approx(0.15))
    assert inventory.owners[arn("user/eve")].state is OwnerState.NONE


def test_a_person_whom_only_an_agent_names_lends_a_user_no_name() -> None:
    own = evidence(CLAUDE, "dana", by=WrittenBy.SELF_REPORTED)
    inventory = join_syncs_into_inventory(
        [sync("aws:a", identities=(identity("user/dana"),), evidence=(own,))], now=NOW
    )
    assert inventory.owners[arn("user/dana")].candidates == ()
