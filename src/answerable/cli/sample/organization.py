"""Build saved responses of GitHub about fictional organizations with one repository."""

import base64
import json
from dataclasses import dataclass

from answerable.cli.sample.account import Json
from answerable.cli.sample.repo import WORKFLOW

_PREVIEW = """\
name: preview
on: pull_request_target
permissions:
  id-token: write
  contents: read
jobs:
  preview:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
        with:
          ref: ${{ github.event.pull_request.head.sha }}
      - run: make preview
"""
_NOT_FOUND = {
    "message": "Not Found",
    "documentation_url": "https://docs.github.com/rest",
    "status": "404",
}
# Lists that are empty: by name of the member that holds the entries, if there is one.
_EMPTY = {
    "orgs/{organization}/members.member": "",
    "orgs/{organization}/outside_collaborators": "",
    "orgs/{organization}/teams": "",
    "orgs/{organization}/rulesets": "",
    "orgs/{organization}/personal-access-tokens": "",
    "orgs/{organization}/personal-access-token-requests": "",
    "orgs/{organization}/actions/secrets": "secrets",
    "orgs/{organization}/actions/runner-groups": "runner_groups",
    "orgs/{organization}/installations": "installations",
    "repos/{organization}/{repository}/collaborators": "",
    "repos/{organization}/{repository}/teams": "",
    "repos/{organization}/{repository}/rulesets": "",
    "repos/{organization}/{repository}/keys": "",
    "repos/{organization}/{repository}/environments": "environments",
    "repos/{organization}/{repository}/actions/secrets": "secrets",
    "repos/{organization}/{repository}/actions/runners": "runners",
}


@dataclass(frozen=True, slots=True)
class _Organization:
    """Fictional organization with its repository."""

    login: str
    repository: str
    visibility: str
    workflow_path: str
    workflow: str


_ORGANIZATIONS = {
    "corp": _Organization(
        "example-corp", "agents", "private", ".github/workflows/agent.yml", WORKFLOW
    ),
    "labs": _Organization(
        "example-labs", "web", "public", ".github/workflows/preview.yml", _PREVIEW
    ),
}


def build_organization_answers() -> dict[str, str]:
    """Build the saved answers of all organizations: relative path -> content."""
    return {
        f"{folder}/{path}.json": json.dumps(answer)
        for folder, organization in _ORGANIZATIONS.items()
        for path, answer in _build_answers(organization).items()
    }


def _build_answers(built: _Organization) -> dict[str, object]:
    """Build the answers about one organization, by endpoint."""
    organization = f"orgs/{built.login}"
    repository = f"repos/{built.login}/{built.repository}"
    permissions = {
        "default_workflow_permissions": "read",
        "can_approve_pull_request_reviews": False,
    }
    protections = {"pageInfo": {"hasNextPage": False}, "nodes": []}
    listed = {"id": 1, "path": built.workflow_path, "state": "active"}
    answers: dict[str, object] = {
        organization: {
            "login": built.login,
            "id": 4711,
            "default_repository_permission": "read",
        },
        f"{organization}/members.admin": [[{"login": "ana", "id": 1, "type": "User"}]],
        f"{organization}/organization-roles": {"total_count": 0, "roles": []},
        f"{organization}/custom-repository-roles": {
            "total_count": 0,
            "custom_roles": [],
        },
        f"{organization}/actions/permissions/workflow": permissions,
        f"{organization}/actions/oidc/customization/sub": {
            "include_claim_keys": ["repo", "context"],
            "use_immutable_subject": False,
        },
        f"{organization}/repos": [[_build_repository(built)]],
        f"{repository}/branches": [[{"name": "main"}]],
        f"{repository}/branch-protection-rules": [
            {"data": {"repository": {"branchProtectionRules": protections}}}
        ],
        f"{repository}/actions/permissions": {"enabled": True},
        f"{repository}/actions/permissions/workflow": permissions,
        f"{repository}/actions/oidc/customization/sub": {"use_default": True},
        f"{repository}/actions/workflows": [{"total_count": 1, "workflows": [listed]}],
        f"{repository}/contents/{built.workflow_path}": {
            "path": built.workflow_path,
            "encoding": "base64",
            "content": base64.b64encode(built.workflow.encode()).decode(),
            "type": "file",
        },
    }
    for folder in (".github/", "", "docs/"):
        answers[f"{repository}/contents/{folder}CODEOWNERS"] = _NOT_FOUND
    for template, name in _EMPTY.items():
        path = template.format(organization=built.login, repository=built.repository)
        answers[path] = [{"total_count": 0, name: []}] if name else [[]]
    return answers


def _build_repository(built: _Organization) -> Json:
    """Build the entry of the repository."""
    return {
        "id": 71,
        "name": built.repository,
        "full_name": f"{built.login}/{built.repository}",
        "private": built.visibility == "private",
        "visibility": built.visibility,
        "default_branch": "main",
        "created_at": "2025-01-01T00:00:00Z",
    }
