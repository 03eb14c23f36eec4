"""Read the responses about an organization: members, teams, roles, apps and tokens."""

from collections.abc import Callable
from dataclasses import replace

from answerable.connectors.formats.aws_api_responses import parse_timestamp_ns
from answerable.connectors.formats.redaction import redact_name
from answerable.connectors.github.parse.organization_builder import OrganizationBuilder
from answerable.connectors.github.parse.response_types import (
    AppAnswer,
    InstallationAnswer,
    OidcAnswer,
    OrganizationAnswer,
    RepositoryAnswer,
    RoleAnswer,
    RunnerAnswer,
    RunnerGroupAnswer,
    SecretAnswer,
    TeamAnswer,
    TokenAnswer,
    UserAnswer,
    WorkflowPermissionsAnswer,
)
from answerable.connectors.github.parse.saved_response import SavedAnswer
from answerable.reach.github.catalogue import (
    AccessToken,
    AppInstallation,
    Member,
    OidcTemplate,
    OrganizationRole,
    RepositoryRole,
    RunnerGroup,
    SharedSecret,
    Team,
)

Parameters = dict[str, str]
AnswerReader = Callable[[OrganizationBuilder, SavedAnswer, Parameters], None]
SELECTED = "selected"


def read_organization(
    builder: OrganizationBuilder, answer: SavedAnswer, _: Parameters
) -> None:
    """Read the organization's settings."""
    found = builder.decode_object(answer, OrganizationAnswer)
    if found is not None:
        builder.login = builder.login or found.login.lower()
        builder.settings = replace(
            builder.settings,
            id=found.id,
            base_role=found.default_repository_permission or "",
        )


def read_owners(
    builder: OrganizationBuilder, answer: SavedAnswer, _: Parameters
) -> None:
    """Read the owners of the organization."""
    _add_members(builder, answer, "owner")


def read_members(
    builder: OrganizationBuilder, answer: SavedAnswer, _: Parameters
) -> None:
    """Read the members who are no owners."""
    _add_members(builder, answer, "member")


def read_outside_collaborators(
    builder: OrganizationBuilder, answer: SavedAnswer, _: Parameters
) -> None:
    """Read the outside collaborators."""
    _add_members(builder, answer, "outside")


def _add_members(builder: OrganizationBuilder, answer: SavedAnswer, role: str) -> None:
    """Add users with a role."""
    for place, user in builder.iter_items(answer, UserAnswer):
        builder.add_member(
            Member(
                login=user.login.lower(),
                role=role,
                id=user.id,
                email=user.email or "",
                place=place,
            )
        )


def read_teams(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the teams."""
    for place, team in builder.iter_items(answer, TeamAnswer):
        slug = team.slug.lower()
        known = builder.teams.get(slug) or Team(slug)
        parent = team.parent.slug.lower() if team.parent else ""
        builder.teams[slug] = replace(known, parent=parent, place=place)
        builder.team_ids[team.id] = slug
        builder.expect_children("teams", {**parameters, "team": team.slug})


def read_team_maintainers(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the maintainers of a team."""
    _add_team_members(builder, answer, parameters, "maintainer")


def read_team_members(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the members of a team; GitHub includes those of its child teams."""
    _add_team_members(builder, answer, parameters, "member")


def _add_team_members(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters, role: str
) -> None:
    """Add users to a team."""
    found = builder.iter_items(answer, UserAnswer)
    logins = [(user.login.lower(), role) for _, user in found]
    builder.add_team_members(parameters["team"].lower(), logins)


def read_organization_roles(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the organization roles."""
    for _, role in builder.iter_items(answer, RoleAnswer):
        builder.role_names[str(role.id)] = role.name
        builder.organization_roles[role.name] = OrganizationRole(
            role.name, tuple(sorted(role.permissions)), role.base_role or ""
        )
        builder.expect_children(
            "organization-roles", {**parameters, "role": str(role.id)}
        )


def read_organization_role_teams(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the teams that hold an organization role."""
    role = builder.role_names.get(parameters["role"], parameters["role"])
    for _, team in builder.iter_items(answer, TeamAnswer):
        slug = team.slug.lower()
        known = builder.teams.get(slug) or Team(slug)
        roles = dict.fromkeys((*known.organization_roles, role))
        builder.teams[slug] = replace(known, organization_roles=tuple(roles))


def read_organization_role_users(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the users who hold an organization role; GitHub lists members of teams too."""
    role = builder.role_names.get(parameters["role"], parameters["role"])
    for place, user in builder.iter_items(answer, UserAnswer):
        login = user.login.lower()
        rank = builder.members[login].role if login in builder.members else "member"
        builder.add_member(
            Member(login, rank, user.id, organization_roles=(role,), place=place)
        )


def read_repository_roles(
    builder: OrganizationBuilder, answer: SavedAnswer, _: Parameters
) -> None:
    """Read the custom repository roles."""
    for _place, role in builder.iter_items(answer, RoleAnswer):
        builder.repository_role_ids[role.id] = role.name
        builder.repository_roles[role.name] = RepositoryRole(
            role.name, role.base_role or "", tuple(sorted(role.permissions))
        )


def read_secrets(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the names of the organization's secrets."""
    for place, secret in builder.iter_items(answer, SecretAnswer):
        known = builder.secrets.get(secret.name)
        builder.secrets[secret.name] = SharedSecret(
            redact_name(secret.name),
            secret.visibility or "",
            known.repositories if known else None,
            place,
        )
        if secret.visibility == SELECTED:
            builder.expect(
                "organization-secret-repositories",
                {**parameters, "secret": secret.name},
            )


def read_secret_repositories(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the repositories that may use a secret of the organization."""
    name = parameters["secret"]
    known = builder.secrets.get(name) or SharedSecret(redact_name(name), SELECTED)
    builder.secrets[name] = replace(
        known, repositories=_list_repository_names(builder, answer)
    )


def _list_repository_names(
    builder: OrganizationBuilder, answer: SavedAnswer
) -> tuple[str, ...]:
    """List the names of the repositories in an answer."""
    return tuple(each.name for _, each in builder.iter_items(answer, RepositoryAnswer))


def read_workflow_permissions(
    builder: OrganizationBuilder, answer: SavedAnswer, _: Parameters
) -> None:
    """Read the default permissions of GITHUB_TOKEN."""
    found = builder.decode_object(answer, WorkflowPermissionsAnswer)
    if found is not None:
        builder.settings = replace(
            builder.settings,
            default_token_permission=found.default_workflow_permissions,
        )


def build_oidc_template(found: OidcAnswer) -> OidcTemplate:
    """Build the template of the OIDC subject."""
    return OidcTemplate(
        include_claims=found.include_claim_keys,
        use_default=found.use_default or not found.include_claim_keys,
        immutable=found.use_immutable_subject,
    )


def read_oidc(builder: OrganizationBuilder, answer: SavedAnswer, _: Parameters) -> None:
    """Read the template of the OIDC subject."""
    found = builder.decode_object(answer, OidcAnswer)
    if found is not None:
        builder.settings = replace(builder.settings, oidc=build_oidc_template(found))


def read_runner_groups(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the groups of self-hosted runners."""
    for place, group in builder.iter_items(answer, RunnerGroupAnswer):
        builder.runner_groups[group.id] = RunnerGroup(
            group.name,
            group.visibility,
            allows_public=group.allows_public_repositories,
            place=place,
        )
        named = {**parameters, "group": str(group.id)}
        builder.expect("runner-group-runners", named)
        if group.visibility == SELECTED:
            builder.expect("runner-group-repositories", named)


def _parse_id(text: str) -> int:
    """Parse an id in a path; -1 for a text that is none."""
    return int(text) if text.isascii() and text.isdigit() else -1


def read_runner_group_repositories(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the repositories that may use a runner group."""
    key = _parse_id(parameters["group"])
    if key in builder.runner_groups:
        builder.runner_groups[key] = replace(
            builder.runner_groups[key],
            repositories=_list_repository_names(builder, answer),
        )


def list_runner_labels(
    builder: OrganizationBuilder, answer: SavedAnswer
) -> tuple[str, ...]:
    """List the labels of the runners in an answer."""
    labels = {
        label.name
        for _, runner in builder.iter_items(answer, RunnerAnswer)
        for label in runner.labels
    }
    return tuple(sorted(labels))


def read_runner_group_runners(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the labels of a group's runners."""
    key = _parse_id(parameters["group"])
    if key in builder.runner_groups:
        builder.runner_groups[key] = replace(
            builder.runner_groups[key], runners=list_runner_labels(builder, answer)
        )


def read_installations(
    builder: OrganizationBuilder, answer: SavedAnswer, _: Parameters
) -> None:
    """Read the installations of GitHub Apps."""
    for place, found in builder.iter_items(answer, InstallationAnswer):
        slug = found.app_slug.lower()
        builder.installations[slug] = AppInstallation(
            slug=slug,
            app_id=found.app_id,
            permissions=tuple(sorted(found.permissions.items())),
            selection=found.repository_selection,
            suspended=bool(found.suspended_at),
            installation_id=found.id,
            created_at=parse_timestamp_ns(found.created_at or 0),
            place=place,
        )
        builder.expect("app", {"app": found.app_slug})


def read_app(builder: OrganizationBuilder, answer: SavedAnswer, _: Parameters) -> None:
    """Read the owner of an app."""
    found = builder.decode_object(answer, AppAnswer)
    if found is not None and found.owner is not None:
        owner = (found.owner.login.lower(), found.owner.type)
        builder.app_owners[found.slug.lower()] = owner


def read_tokens(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the fine-grained personal access tokens."""
    _add_tokens(builder, answer, parameters, pending=False)


def read_token_requests(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the requests for fine-grained personal access tokens."""
    _add_tokens(builder, answer, parameters, pending=True)


def _add_tokens(
    builder: OrganizationBuilder,
    answer: SavedAnswer,
    parameters: Parameters,
    *,
    pending: bool,
) -> None:
    """Add tokens; a granted one is not replaced by a request."""
    for place, found in builder.iter_items(answer, TokenAnswer):
        if pending and found.id in builder.tokens:
            continue
        builder.tokens[found.id] = build_token(found, place, pending=pending)
        if found.repository_selection == "subset" and not pending:
            builder.expect("token-repositories", {**parameters, "token": str(found.id)})


def build_token(found: TokenAnswer, place: str, *, pending: bool) -> AccessToken:
    """Build a token from its answer; its permissions lose the kind of their resource."""
    permissions = {
        pair for group in found.permissions.values() for pair in group.items()
    }
    return AccessToken(
        id=found.id,
        owner=found.owner.login.lower(),
        permissions=tuple(sorted(permissions)),
        selection=found.repository_selection,
        name=redact_name(found.token_name) if found.token_name else "",
        pending=pending,
        expires_at=parse_timestamp_ns(found.token_expires_at or 0),
        last_used_at=parse_timestamp_ns(found.token_last_used_at or 0),
        place=place,
        token_id=found.token_id,
        expired=found.token_expired,
    )


def read_token_repositories(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the repositories that a token was granted."""
    key = _parse_id(parameters["token"])
    if key in builder.tokens:
        builder.tokens[key] = replace(
            builder.tokens[key], repositories=_list_repository_names(builder, answer)
        )
