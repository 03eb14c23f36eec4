"""Read the responses about repositories: access, secrets, keys and workflow files."""

import base64
import binascii
from dataclasses import replace

from answerable.connectors.formats.aws_api_responses import parse_timestamp_ns
from answerable.connectors.formats.codeowners import parse_codeowners
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    decode_text,
    parse_document,
)
from answerable.connectors.formats.redaction import make_printable_line, redact_name
from answerable.connectors.formats.workflow_definition import parse_workflow_definition
from answerable.connectors.github.parse.organization_builder import OrganizationBuilder
from answerable.connectors.github.parse.organization_responses import (
    Parameters,
    build_oidc_template,
    list_runner_labels,
)
from answerable.connectors.github.parse.response_types import (
    ActionsPermissionsAnswer,
    BranchAnswer,
    ContentAnswer,
    DeployKeyAnswer,
    ForkApprovalAnswer,
    OidcAnswer,
    RepositoryAnswer,
    SecretAnswer,
    TeamAnswer,
    UserAnswer,
    WorkflowAnswer,
    WorkflowPermissionsAnswer,
)
from answerable.connectors.github.parse.saved_response import SavedAnswer
from answerable.model.errors import ParseError
from answerable.reach.github.catalogue import DeployKey, Environment, Workflow

# Roles as team lists name them: older names of three of the built-in roles.
_TEAM_ROLES = {"pull": "read", "push": "write"}
WORKFLOW_FOLDER = ".github/workflows/"


def read_repositories(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the repositories of the organization."""
    for place, found in builder.iter_items(answer, RepositoryAnswer):
        add_repository(builder, found, place)
        builder.expect_children("repositories", {**parameters, "repo": found.name})


def add_repository(
    builder: OrganizationBuilder, found: RepositoryAnswer, place: str
) -> None:
    """Add the description of a repository."""
    private = {True: "private", False: "public"}.get(found.private is True, "")
    builder.update_repository(
        found.name,
        name=found.name,
        id=found.id,
        visibility=found.visibility or (private if found.private is not None else ""),
        archived=found.archived,
        default_branch=found.default_branch or "",
        created_at=parse_timestamp_ns(found.created_at or 0),
        place=place,
    )


def read_collaborators(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the users with a direct grant; GitHub gives their highest role."""
    grants: list[tuple[str, str]] = []
    for place, user in builder.iter_items(answer, UserAnswer):
        role = user.role_name or _find_highest_role(user.permissions or {})
        if not role:
            builder.add_problem(place, "the role is missing (expected `role_name`)")
            builder.faulty.add(answer.place)
            continue
        login = user.login.lower()
        grants.append((login, role))
        builder.users.setdefault(login, (user.id, place))
    builder.update_repository(parameters["repo"], collaborators=tuple(sorted(grants)))


def _find_highest_role(permissions: dict[str, bool]) -> str:
    """Return the highest role of a table of permissions; empty for none."""
    names = ("admin", "maintain", "push", "triage", "pull")
    held = next((name for name in names if permissions.get(name)), "")
    return _TEAM_ROLES.get(held, held)


def read_repository_teams(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the teams with a role on a repository."""
    grants: list[tuple[str, str]] = []
    for place, team in builder.iter_items(answer, TeamAnswer):
        role = team.role_name or team.permission or ""
        if not role:
            builder.add_problem(place, "the role is missing (expected `permission`)")
            builder.faulty.add(answer.place)
            continue
        grants.append((team.slug.lower(), _TEAM_ROLES.get(role, role)))
    builder.update_repository(parameters["repo"], teams=tuple(sorted(grants)))


def read_branches(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the names of branches."""
    names = tuple(each.name for _, each in builder.iter_items(answer, BranchAnswer))
    builder.update_repository(parameters["repo"], branches=names)


def read_repository_secrets(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the names of a repository's secrets."""
    names = _list_secret_names(builder, answer)
    builder.update_repository(parameters["repo"], secrets=names)


def read_environment_secrets(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the names of an environment's secrets."""
    parts = builder.get_parts(parameters["repo"])
    environments = parts.environments = parts.environments or {}
    name = parameters["environment"]
    known = environments.get(name) or Environment(name, protection_collected=False)
    environments[name] = replace(known, secrets=_list_secret_names(builder, answer))


def _list_secret_names(
    builder: OrganizationBuilder, answer: SavedAnswer
) -> tuple[str, ...]:
    """List the names of the secrets in an answer."""
    found = builder.iter_items(answer, SecretAnswer)
    return tuple(redact_name(each.name) for _, each in found)


def read_deploy_keys(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the deploy keys of a repository."""
    keys = tuple(
        DeployKey(
            id=key.id,
            title=redact_name(make_printable_line(key.title, 120)),
            read_only=key.read_only,
            added_by=(key.added_by or "").lower(),
            created_at=parse_timestamp_ns(key.created_at or 0),
            last_used_at=parse_timestamp_ns(key.last_used or 0),
            place=place,
        )
        for place, key in builder.iter_items(answer, DeployKeyAnswer)
    )
    builder.update_repository(parameters["repo"], deploy_keys=keys)


def read_workflow_permissions(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the default permissions of GITHUB_TOKEN."""
    found = builder.decode_object(answer, WorkflowPermissionsAnswer)
    if found is not None:
        builder.update_repository(
            parameters["repo"],
            default_token_permission=found.default_workflow_permissions,
            approves_pull_requests=found.can_approve_pull_request_reviews,
        )


def read_actions_permissions(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read whether Actions is enabled."""
    found = builder.decode_object(answer, ActionsPermissionsAnswer)
    if found is not None:
        builder.update_repository(parameters["repo"], actions_enabled=found.enabled)


def read_fork_approval(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the policy for workflow runs of pull requests from forks."""
    found = builder.decode_object(answer, ForkApprovalAnswer)
    if found is not None:
        policy = make_printable_line(found.approval_policy, 60)
        builder.update_repository(parameters["repo"], fork_approval=policy)


def read_oidc(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the template of the OIDC subject."""
    found = builder.decode_object(answer, OidcAnswer)
    if found is not None:
        builder.update_repository(parameters["repo"], oidc=build_oidc_template(found))


def read_repository_runners(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the labels of a repository's own runners."""
    labels = list_runner_labels(builder, answer)
    builder.update_repository(parameters["repo"], runners=labels)


def read_workflows(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the list of workflows; the file of each is another answer."""
    parts = builder.get_parts(parameters["repo"])
    workflows = parts.workflows = parts.workflows or {}
    for place, found in builder.iter_items(answer, WorkflowAnswer):
        key = (found.path, "")
        if not found.path.startswith(WORKFLOW_FOLDER):
            continue  # Copilot, Dependabot and Pages have no file in the repository.
        known = workflows.get(key) or Workflow(
            found.path, "", (), place=place, contents_collected=False
        )
        workflows[key] = replace(known, disabled=found.state != "active")
        name = found.path.removeprefix(WORKFLOW_FOLDER)
        if found.state != "deleted":
            builder.expect("workflow-file", {**parameters, "workflow": name})


def read_workflow_file(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read a workflow file from the answer about its contents."""
    data = _decode_content(builder, answer)
    if data is not None:
        path = WORKFLOW_FOLDER + parameters["workflow"]
        add_workflow_file(builder, parameters["repo"], path, "", data, answer.place)


def add_workflow_file(
    builder: OrganizationBuilder,
    repository: str,
    path: str,
    branch: str,
    data: bytes,
    place: str,
) -> None:
    """Add a workflow file; one that cannot be parsed is a problem.

    Args:
        builder: GithubOrganization under construction.
        repository: Name of the repository.
        path: Path in the repository.
        branch: Branch that holds it; empty for the default branch.
        data: Contents.
        place: Place in the source.
    """
    parts = builder.get_parts(repository)
    workflows = parts.workflows = parts.workflows or {}
    known = workflows.get((path, branch))
    disabled = known.disabled if known else False
    try:
        root = parse_document(data, DocumentFormat.YAML, place).root
        parsed = parse_workflow_definition(root, path, branch, place)
    except ParseError as error:
        builder.add_problem(place, error.reason)
        builder.faulty.add(place)
        parsed = Workflow(path, branch, (), place=place, contents_collected=False)
    workflows[path, branch] = replace(parsed, disabled=disabled)


def read_codeowners(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read a CODEOWNERS file from the answer about its contents."""
    if not answer.fields:
        return  # There is no such file.
    found = builder.decode_object(answer, ContentAnswer)
    data = _decode_content(builder, answer)
    if found is not None and data is not None:
        add_codeowners(builder, parameters["repo"], found.path, data, answer.place)


def add_codeowners(
    builder: OrganizationBuilder, repository: str, path: str, data: bytes, place: str
) -> None:
    """Add a CODEOWNERS file."""
    try:
        rules = parse_codeowners(decode_text(data, place)).rules
    except ParseError as error:
        builder.add_problem(place, error.reason)
        builder.faulty.add(place)
        return
    parts = builder.get_parts(repository)
    parts.codeowners[path] = tuple((each.pattern, each.owners) for each in rules)


def _decode_content(builder: OrganizationBuilder, answer: SavedAnswer) -> bytes | None:
    """Decode the contents of a file; None and a problem if they are missing."""
    found = builder.decode_object(answer, ContentAnswer)
    if found is None:
        return None
    try:
        if found.encoding == "base64":
            return base64.b64decode(found.content)
    except binascii.Error:
        pass
    builder.add_problem(answer.place, "the file content is missing (expected base64)")
    builder.faulty.add(answer.place)
    return None
