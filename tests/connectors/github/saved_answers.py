"""Saved answers about a small organization, hand-written in the shape of the API."""

import base64
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec

from answerable.connectors.github import fetch
from answerable.model.connector import SyncContext
from answerable.model.sighting import Sync
from answerable.reach.github.catalogue import GithubOrganization, Repository

WORKFLOW = """\
on:
  push:
    branches: [main]
  pull_request_target:
permissions:
  id-token: write
jobs:
  deploy:
    runs-on: [self-hosted, linux]
    environment: production
    steps:
      - uses: actions/checkout@v4
        with:
          ref: ${{ github.event.pull_request.head.sha }}
      - run: echo "${{ github.event.pull_request.title }}" ${{ secrets.NPM_TOKEN }}
      - uses: aws-actions/configure-aws-credentials@v4
        with:
          role-to-assume: arn:aws:iam::123456789012:role/deploy
"""


def user(login: str, **fields: Any) -> dict[str, Any]:
    return {"login": login, "id": len(login), "type": "User", **fields}


def content(path: str, text: str) -> dict[str, Any]:
    data = base64.b64encode(text.encode()).decode()
    return {"path": path, "encoding": "base64", "content": data, "type": "file"}


def counted(name: str, *entries: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"total_count": len(entries), name: list(entries)}]


ANSWERS: dict[str, Any] = {
    "orgs/acme": {
        "login": "Acme",
        "id": 7,
        "default_repository_permission": "read",
    },
    "orgs/acme/members.admin": [[user("Ana")]],
    "orgs/acme/members.member": [[user("ben", email="Ben@acme.example")]],
    "orgs/acme/outside_collaborators": [[user("eve")]],
    "orgs/acme/teams": [
        [
            {"slug": "platform", "id": 1, "parent": None},
            {"slug": "deploy", "id": 2, "parent": {"slug": "platform", "id": 1}},
        ]
    ],
    "orgs/acme/teams/platform/members.maintainer": [[user("Ana")]],
    "orgs/acme/teams/platform/members.member": [[user("ben")]],
    "orgs/acme/teams/deploy/members.maintainer": [[]],
    "orgs/acme/teams/deploy/members.member": [[user("ben")]],
    "orgs/acme/organization-roles": {
        "total_count": 1,
        "roles": [
            {
                "id": 11,
                "name": "auditors",
                "permissions": ["read_audit_logs"],
                "base_role": "read",
                "source": "Organization",
            }
        ],
    },
    "orgs/acme/organization-roles/11/teams": [[{"slug": "platform", "id": 1}]],
    "orgs/acme/organization-roles/11/users": [[user("ben")]],
    "orgs/acme/custom-repository-roles": {
        "total_count": 1,
        "custom_roles": [
            {
                "id": 21,
                "name": "releaser",
                "base_role": "write",
                "permissions": ["push_protected_branch"],
            }
        ],
    },
    "orgs/acme/rulesets": [
        [{"id": 31, "name": "all", "enforcement": "active", "target": "branch"}]
    ],
    "orgs/acme/rulesets/31": {
        "id": 31,
        "name": "all",
        "enforcement": "active",
        "target": "branch",
        "conditions": {
            "ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []},
            "repository_id": {"repository_ids": [71]},
        },
        "rules": [
            {
                "type": "pull_request",
                "parameters": {"required_approving_review_count": 2},
            }
        ],
        "bypass_actors": [
            {"actor_id": 1, "actor_type": "Team", "bypass_mode": "always"},
            {"actor_id": 501, "actor_type": "Integration", "bypass_mode": "always"},
            {"actor_id": 21, "actor_type": "RepositoryRole", "bypass_mode": "always"},
            {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "exempt"},
        ],
    },
    "orgs/acme/actions/secrets": counted(
        "secrets",
        {"name": "SHARED", "visibility": "all"},
        {"name": "CHOSEN", "visibility": "selected"},
    ),
    "orgs/acme/actions/secrets/CHOSEN/repositories": counted(
        "repositories", {"name": "web", "full_name": "acme/web"}
    ),
    "orgs/acme/actions/permissions/workflow": {
        "default_workflow_permissions": "write",
        "can_approve_pull_request_reviews": False,
    },
    "orgs/acme/actions/oidc/customization/sub": {
        "include_claim_keys": ["repo", "context"],
        "use_immutable_subject": True,
    },
    "orgs/acme/actions/runner-groups": counted(
        "runner_groups",
        {
            "id": 1,
            "name": "Default",
            "visibility": "all",
            "allows_public_repositories": True,
        },
    ),
    "orgs/acme/actions/runner-groups/1/runners": counted(
        "runners", {"name": "r1", "labels": [{"name": "self-hosted"}]}
    ),
    "orgs/acme/installations": counted(
        "installations",
        {
            "id": 601,
            "app_id": 501,
            "app_slug": "Claude",
            "repository_selection": "all",
            "permissions": {"contents": "write"},
            "created_at": "2026-01-02T03:04:05Z",
        },
    ),
    "apps/Claude": {
        "slug": "claude",
        "id": 501,
        "owner": {"login": "Ben", "type": "User"},
    },
    "orgs/acme/personal-access-tokens": [
        [
            {
                "id": 901,
                "token_id": 9901,
                "token_name": "ci token",
                "owner": user("ben"),
                "repository_selection": "subset",
                "permissions": {"repository": {"contents": "write"}},
                "token_expires_at": "2027-01-01T00:00:00Z",
            }
        ]
    ],
    "orgs/acme/personal-access-tokens/901/repositories": [
        [{"name": "web", "full_name": "acme/web"}]
    ],
    "orgs/acme/personal-access-token-requests": [
        [
            {
                "id": 902,
                "owner": user("eve"),
                "repository_selection": "all",
                "permissions": {"repository": {"contents": "write"}},
            }
        ]
    ],
    "orgs/acme/repos": [
        [
            {
                "id": 71,
                "name": "web",
                "full_name": "acme/web",
                "private": True,
                "visibility": "private",
                "default_branch": "main",
                "created_at": "2026-08-01T00:00:00Z",
            }
        ]
    ],
    "repos/acme/web/collaborators": [[user("eve", role_name="write")]],
    "repos/acme/web/teams": [[{"slug": "deploy", "id": 2, "permission": "push"}]],
    "repos/acme/web/branches": [[{"name": "main"}, {"name": "release/1"}]],
    "repos/acme/web/branch-protection-rules": [
        {
            "data": {
                "repository": {
                    "branchProtectionRules": {
                        "pageInfo": {"hasNextPage": False},
                        "nodes": [
                            {
                                "pattern": "main",
                                "isAdminEnforced": True,
                                "requiresApprovingReviews": True,
                                "requiredApprovingReviewCount": 1,
                                "restrictsPushes": True,
                                "bypassPullRequestAllowances": {
                                    "nodes": [
                                        {
                                            "actor": {
                                                "__typename": "User",
                                                "login": "Ana",
                                            }
                                        }
                                    ]
                                },
                                "pushAllowances": {
                                    "nodes": [
                                        {
                                            "actor": {
                                                "__typename": "Team",
                                                "slug": "deploy",
                                            }
                                        },
                                        {
                                            "actor": {
                                                "__typename": "App",
                                                "slug": "claude",
                                            }
                                        },
                                    ]
                                },
                            }
                        ],
                    }
                }
            }
        }
    ],
    "repos/acme/web/rulesets": [
        [{"id": 41, "name": "tags", "enforcement": "active", "target": "tag"}]
    ],
    "repos/acme/web/rulesets/41": {
        "id": 41,
        "name": "tags",
        "enforcement": "active",
        "target": "tag",
        "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
        "rules": [{"type": "creation"}],
    },
    "repos/acme/web/environments": counted(
        "environments",
        {
            "name": "production",
            "protection_rules": [
                {"type": "wait_timer", "wait_timer": 5},
                {
                    "type": "required_reviewers",
                    "prevent_self_review": True,
                    "reviewers": [
                        {"type": "User", "reviewer": user("Ana")},
                        {"type": "Team", "reviewer": {"slug": "platform"}},
                    ],
                },
            ],
            "deployment_branch_policy": {
                "protected_branches": False,
                "custom_branch_policies": True,
            },
            "can_admins_bypass": False,
        },
    ),
    "repos/acme/web/environments/production/deployment-branch-policies": counted(
        "branch_policies", {"name": "release/*"}, {"name": "v*", "type": "tag"}
    ),
    "repos/acme/web/environments/production/secrets": counted(
        "secrets", {"name": "PROD_KEY"}
    ),
    "repos/acme/web/actions/secrets": counted("secrets", {"name": "NPM_TOKEN"}),
    "repos/acme/web/keys": [
        [
            {
                "id": 81,
                "title": "mirror",
                "read_only": False,
                "added_by": "Ben",
                "key": "ssh-ed25519 AAAA",
                "created_at": "2026-02-03T04:05:06Z",
            }
        ]
    ],
    "repos/acme/web/actions/permissions/workflow": {
        "default_workflow_permissions": "read",
        "can_approve_pull_request_reviews": True,
    },
    "repos/acme/web/actions/permissions": {"enabled": True},
    "repos/acme/web/actions/permissions/fork-pr-contributor-approval": {
        "approval_policy": "first_time_contributors"
    },
    "repos/acme/web/actions/oidc/customization/sub": {"use_default": True},
    "repos/acme/web/actions/workflows": counted(
        "workflows", {"id": 1, "path": ".github/workflows/ci.yml", "state": "active"}
    ),
    "repos/acme/web/contents/.github/workflows/ci.yml": content(
        ".github/workflows/ci.yml", WORKFLOW
    ),
    "repos/acme/web/contents/.github/CODEOWNERS": content(
        ".github/CODEOWNERS", "* @acme/platform\n/.github/ @ana\n"
    ),
    "repos/acme/web/contents/CODEOWNERS": {
        "message": "Not Found",
        "documentation_url": "https://docs.github.com/rest",
        "status": "404",
    },
    "repos/acme/web/contents/docs/CODEOWNERS": {
        "message": "Not Found",
        "documentation_url": "https://docs.github.com/rest",
        "status": "404",
    },
    "repos/acme/web/actions/runners": counted("runners"),
}


def make_answers() -> dict[str, Any]:
    """Copy the answers, for a test that changes them."""
    return deepcopy(ANSWERS)


def save(folder: Path, answers: dict[str, Any]) -> Path:
    """Save answers below a folder, a text as it is."""
    for path, answer in answers.items():
        file = folder / f"{path}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(answer if isinstance(answer, str) else json.dumps(answer))
    return folder


def scan(location: Path | str) -> Sync:
    """Scan a location."""
    return fetch.sync(str(location), SyncContext(now=1, fingerprint=lambda _: "f" * 64))


def scan_answers(folder: Path, answers: dict[str, Any]) -> Sync:
    """Save answers and scan them."""
    return scan(save(folder, answers))


def organization_of(sync: Sync) -> GithubOrganization:
    """Decode the catalogue of a sync."""
    (catalogue,) = sync.facts.catalogues
    return msgspec.json.decode(catalogue.body, type=GithubOrganization)


def web_of(sync: Sync) -> Repository:
    """Return the repository of the answers."""
    (repository,) = organization_of(sync).repositories or ()
    return repository
