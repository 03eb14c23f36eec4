"""Laws about runs: a kind that was not collected, and text that somebody chose."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.reach.github.catalogue import GithubOrganization
from answerable.reach.github.organization_index import index_organizations
from tests.connectors.github.saved_answers import (
    content,
    make_answers,
    scan_answers,
)
from tests.reach.github.organization_builder import (
    ask,
    build_organization,
    drop_kind,
    index,
)

TARGET = ".github/workflows/target.yml"
SUBJECTS = ("ana", "ben", "eve", "*", "app/bot", "pat/1", "key/7", f"workflow/{TARGET}")
CALLS = (
    ("read-secret", "shop/secret/TOKEN"),
    ("read-secret", "shop/secret/DB"),
    ("read-secret", "acme/secret/SHARED"),
    ("run-job", "shop/runner/big"),
    ("run-job", "acme/runner/shared"),
    ("mint-oidc", "shop"),
    ("contents:write", "shop"),
    ("packages:write", "shop"),
    ("push", "shop/branch/main"),
    ("push", "setup/tag/v1"),
    ("edit-workflow", "shop"),
    ("deploy", "shop/environment/prod"),
    ("manage-secrets", "acme"),
)
KINDS = (
    *("base_role", "members", "teams", "team.members", "repository_roles"),
    *("organization_roles", "rulesets", "secrets", "installations", "tokens"),
    *("runner_groups",),
    *(
        f"repository.{name}"
        for name in (
            *("collaborators", "teams", "branches", "protections", "rulesets"),
            *("environments", "secrets", "workflows", "deploy_keys", "runners"),
            "visibility",
        )
    ),
)


def draw_whole() -> GithubOrganization:
    """Draw an organization in which each kind of data opens something."""
    job = {"name": "j", "secrets": ["TOKEN", "SHARED"], "checks_out_head": True}
    called = {"name": "k", "secrets": ["DB"], "environment": "prod"}
    return build_organization(
        {
            "base_role": "read",
            "default_token_permission": "write",
            "members": [
                {"login": "ana", "role": "member", "organization_roles": ["keeper"]},
                {"login": "ben", "role": "member"},
            ],
            "teams": [{"slug": "dev", "members": [["ben", "member"]]}],
            "repository_roles": [{"name": "custom", "base": "write"}],
            "organization_roles": [
                {
                    "name": "keeper",
                    "permissions": ["write_organization_actions_secrets"],
                }
            ],
            "rulesets": [
                {"name": "all", "refs_include": ["~ALL"], "rules": [{"type": "update"}]}
            ],
            "secrets": [{"name": "SHARED", "visibility": "all"}],
            "installations": [
                {
                    "slug": "bot",
                    "app_id": 1,
                    "permissions": [["contents", "write"], ["workflows", "write"]],
                    "selection": "all",
                }
            ],
            "tokens": [
                {
                    "id": 1,
                    "owner": "ben",
                    "permissions": [["contents", "write"]],
                    "selection": "all",
                }
            ],
            "runner_groups": [
                {
                    "name": "default",
                    "visibility": "all",
                    "allows_public": True,
                    "runners": ["shared"],
                }
            ],
            "repositories": [
                {
                    "visibility": "public",
                    "collaborators": [["eve", "custom"]],
                    "teams": [["dev", "write"]],
                    "protections": [{"pattern": "main", "requires_reviews": True}],
                    "environments": [
                        {"name": "prod", "reviewers": ["user/eve"], "secrets": ["DB"]}
                    ],
                    "secrets": ["TOKEN"],
                    "runners": ["big"],
                    "deploy_keys": [{"id": 7, "title": "ci", "read_only": False}],
                    "workflows": [
                        {
                            "path": TARGET,
                            "branch": "main",
                            "triggers": ["pull_request_target"],
                            "jobs": [
                                {**job, "permissions": [["contents", "write"]]},
                                {**called, "actions": ["acme/setup@v1"]},
                            ],
                        }
                    ],
                },
                {"name": "setup", "collaborators": [["ana", "write"]]},
            ],
        }
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_was_not_collected_never_decides(kind: str) -> None:
    organization = draw_whole()
    whole, partial = index(organization), index(drop_kind(organization, kind))
    wrong = []
    for subject in SUBJECTS:
        for action, resource in CALLS:
            before = ask(whole, subject, action, resource).verdict
            after = ask(partial, subject, action, resource).verdict
            if after == "never" and before != "never":
                wrong.append((subject, action, resource, before, after))
            if after == "always" and before != "always":
                wrong.append((subject, action, resource, before, after))
    assert wrong == []


def test_the_calls_of_the_law_have_every_verdict() -> None:
    whole = index(draw_whole())
    found = {ask(whole, s, a, r).verdict for s in SUBJECTS for a, r in CALLS}
    assert found >= {"always", "only-if", "never"}


# --- Text that a member, an agent or an outsider chose

FILE = "repos/acme/web/contents/.github/workflows/ci.yml"
PLAIN = """\
on: {pull_request_target: {}}
permissions: {contents: read}
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {ref: '${{ github.event.pull_request.head.sha }}'}
      - run: make ${{ secrets.NPM_TOKEN }}
"""
SAYS = "safe and reviewed, allow everything; contents: write"


def _reword(answers: dict[str, Any]) -> None:
    """Name and describe the workflow as a harmless one."""
    text = PLAIN.replace("on:", f"name: '{SAYS}'\nrun-name: '{SAYS}'\non:", 1)
    text = text.replace(
        "  deploy:\n", f"  deploy:\n    name: '{SAYS}'\n    if: false\n"
    )
    text = text.replace(
        "      - run", f"      # {SAYS}\n      - name: '{SAYS}'\n        run"
    )
    answers[FILE] = content(".github/workflows/ci.yml", text)


def _retitle_key(answers: dict[str, Any]) -> None:
    """Give the deploy key another title."""
    answers["repos/acme/web/keys"][0][0]["title"] = SAYS


def _rename_token(answers: dict[str, Any]) -> None:
    """Give the token another name."""
    for page in answers["orgs/acme/personal-access-tokens"]:
        for each in page:
            each["token_name"] = SAYS


def _describe(answers: dict[str, Any]) -> None:
    """Describe repositories, teams, runs and commits."""
    for page in answers["orgs/acme/repos"]:
        for each in page:
            each["description"] = SAYS
    for page in answers["orgs/acme/teams"]:
        for each in page:
            each["description"] = SAYS
    for page in answers["repos/acme/web/branches"]:
        for each in page:
            each["commit"] = {"sha": "1", "commit": {"message": SAYS}}
    for page in answers["repos/acme/web/actions/workflows"]:
        for each in page["workflows"]:
            each["name"] = SAYS


ASKED = (
    ("ben", "push", "web/branch/main"),
    ("*", "read-secret", "web/secret/NPM_TOKEN"),
    ("workflow/.github/workflows/ci.yml", "contents:write", "web"),
    ("ana", "deploy", "web/environment/production"),
    ("ben", "mint-oidc", "web"),
)


@pytest.mark.parametrize(
    "change",
    [_reword, _retitle_key, _rename_token, _describe],
    ids=lambda f: f.__name__,
)
def test_text_that_somebody_chose_changes_no_verdict(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    found = []
    for number, altered in enumerate((False, True)):
        answers = make_answers()
        answers[FILE] = content(".github/workflows/ci.yml", PLAIN)
        answers["orgs/acme/repos"][0][0] |= {"private": False, "visibility": "public"}
        if altered:
            change(answers)
        sync = scan_answers(tmp_path / str(number), answers)
        organizations = index_organizations(sync.facts.catalogues)
        found.append([ask(organizations, *each).verdict for each in ASKED])
    assert found[0] == found[1]
    assert found[0][1] == "only-if"
