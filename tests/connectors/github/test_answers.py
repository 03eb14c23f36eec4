"""Saved answers of the GitHub API become the catalogue and facts of an organization."""

import pytest

from answerable.connectors.github.declaration import DECLARATION
from answerable.connectors.github.endpoints import ENDPOINTS, KINDS
from answerable.connectors.github.parse import READERS
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Sync
from answerable.reach.github.catalogue import (
    BypassActor,
    OrganizationRole,
    RepositoryRole,
    RulesetRule,
)
from tests.connectors.github.saved_answers import (
    ANSWERS,
    organization_of,
    scan_answers,
    web_of,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Sync:
    return scan_answers(tmp_path_factory.mktemp("acme"), ANSWERS)


def test_every_endpoint_has_a_reader_and_every_answer_is_read(whole: Sync) -> None:
    assert {each.answer for each in ENDPOINTS} == set(READERS)
    assert whole.problems == ()
    assert whole.collected == DECLARATION.collects
    assert whole.not_collected == ()
    assert organization_of(whole).collected == KINDS


def test_members_teams_and_roles(whole: Sync) -> None:
    found = organization_of(whole)
    assert (found.login, found.id, found.base_role) == ("acme", 7, "read")
    members = found.members or ()
    assert [(m.login, m.role, m.organization_roles) for m in members] == [
        ("ana", "owner", ()),
        ("ben", "member", ("auditors",)),
        ("eve", "outside", ()),
    ]
    assert [
        (t.slug, t.parent, t.members, t.organization_roles) for t in found.teams or ()
    ] == [
        ("platform", "", (("ana", "maintainer"), ("ben", "member")), ("auditors",)),
        ("deploy", "platform", (("ben", "member"),), ()),
    ]
    assert found.organization_roles == (
        OrganizationRole("auditors", ("read_audit_logs",), "read"),
    )
    assert found.repository_roles == (
        RepositoryRole("releaser", "write", ("push_protected_branch",)),
    )


def test_ids_in_a_ruleset_become_names(whole: Sync) -> None:
    (ruleset,) = organization_of(whole).rulesets or ()
    assert ruleset.repositories_include == ("web",)
    assert ruleset.rules == (
        RulesetRule("pull_request", (("required_approving_review_count", "2"),)),
    )
    assert ruleset.bypass == (
        BypassActor("Team", "platform", "always", 1),
        BypassActor("Integration", "claude", "always", 501),
        BypassActor("RepositoryRole", "releaser", "always", 21),
        BypassActor("RepositoryRole", "admin", "exempt", 5),
    )


def test_repository_access_and_rules(whole: Sync) -> None:
    web = web_of(whole)
    assert web.collaborators == (("eve", "write"),)
    assert web.teams == (("deploy", "write"),)
    assert web.branches == ("main", "release/1")
    (protection,) = web.protections or ()
    assert protection.review_bypass == ("user/ana",)
    assert protection.push_allowances == ("team/deploy", "app/claude")
    assert (protection.enforce_admins, protection.reviews_count) == (True, 1)
    (ruleset,) = web.rulesets or ()
    assert (ruleset.rules, ruleset.bypass) == ((RulesetRule("creation"),), None)
    (environment,) = web.environments or ()
    assert environment.reviewers == ("user/ana", "team/platform")
    assert environment.branches == ("release/*",)
    assert environment.tags == ("v*",)
    assert environment.secrets == ("PROD_KEY",)
    assert environment.prevents_self_review
    assert not environment.admins_bypass
    assert environment.wait_minutes == 5
    assert web.codeowners == (("*", ("@acme/platform",)), ("/.github/", ("@ana",)))
    assert (web.default_token_permission, web.approves_pull_requests) == ("read", True)
    assert web.oidc is not None
    assert web.oidc.use_default


def test_workflow_file(whole: Sync) -> None:
    (workflow,) = web_of(whole).workflows or ()
    assert (workflow.branch, workflow.triggers) == (
        "main",
        ("pull_request_target", "push"),
    )
    (job,) = workflow.jobs
    assert job.permissions == (("id-token", "write"),)
    assert (job.secrets, job.environment) == (("NPM_TOKEN",), "production")
    assert job.runner == ("self-hosted", "linux")
    assert job.roles == ("arn:aws:iam::123456789012:role/deploy",)
    assert job.checks_out_head
    assert job.injections == ("github.event.pull_request.title",)


def test_identities_credentials_and_agents(whole: Sync) -> None:
    facts = whole.facts
    assert sorted(each.id for each in facts.identities) == [
        "github:acme/deploy-key/web/81",
        "github:acme/pat/901",
        "github:acme/team/deploy",
        "github:acme/team/platform",
        "github:acme/workflow/web/.github%2Fworkflows%2Fci.yml",
        "github:app/claude",
        "github:user/ana",
        "github:user/ben",
        "github:user/eve",
    ]
    assert sorted(each.id for each in facts.credentials) == [
        "cred:github/acme/installation/601",
        "cred:github/acme/pat/901",
        "cred:github/acme/repo/web/deploy-key/81",
        "cred:github/acme/repo/web/environment/production/secret/PROD_KEY",
        "cred:github/acme/repo/web/secret/NPM_TOKEN",
        "cred:github/acme/repo/web/workflow/.github/workflows/ci.yml/token",
        "cred:github/acme/secret/CHOSEN",
        "cred:github/acme/secret/SHARED",
    ]
    token = next(each for each in facts.credentials if each.kind == "github-pat")
    assert (token.name, token.status) == ("ci token", "active")
    assert token.expires_at == 1_798_761_600 * 10**9
    (agent,) = facts.agents
    assert agent.id == "agent:github-app/acme/claude"
    assert agent.runs_as == ("github:app/claude",)


def test_owners_are_what_the_platform_says(whole: Sync) -> None:
    facts = whole.facts
    found = {(e.subject, e.person, e.reference) for e in facts.evidence}
    assert found == {
        (subject, "person:ben", reference)
        for reference, subjects in {
            "owner of the token: ben": (
                "cred:github/acme/pat/901",
                "github:acme/pat/901",
            ),
            "added by ben": (
                "cred:github/acme/repo/web/deploy-key/81",
                "github:acme/deploy-key/web/81",
            ),
            "owner of the app: ben": (
                "cred:github/acme/installation/601",
                "github:app/claude",
                "agent:github-app/acme/claude",
            ),
        }.items()
        for subject in subjects
    }
    assert {e.seen.written_by for e in facts.evidence} == {WrittenBy.PLATFORM}
    person = next(each for each in facts.persons if each.id == "person:ben")
    assert person.aliases == ("ben@acme.example",)
