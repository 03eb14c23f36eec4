"""Remove grants, protections and bypasses from a collected organization."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from answerable.reach.github.catalogue import (
    BranchProtection,
    Environment,
    GithubOrganization,
    Member,
    Repository,
    Ruleset,
    Team,
)
from answerable.reach.github.statements import (
    format_allowance_statement,
    format_base_role_statement,
    format_bypass_statement,
    format_deploy_key_statement,
    format_environment_statement,
    format_installation_statement,
    format_membership_statement,
    format_organization_role_statement,
    format_owner_statement,
    format_parent_statement,
    format_protection_statement,
    format_repository_grant_statement,
    format_ruleset_statement,
    format_token_statement,
)
from answerable.reach.statement_removal import StatementRemoval

T = TypeVar("T")


def build_removal(texts: Iterable[str]) -> StatementRemoval:
    """Build the removal of statements; letters are compared without their case."""
    return StatementRemoval(texts, _get_statement_name, str.lower)


def _get_statement_name(text: str) -> str:
    """Return the statement of `POLICY#STATEMENT [PLACE]`, with folded letters."""
    if text.endswith("]"):
        text = text.rpartition(" [")[0]
    _, mark, statement = text.partition("#")
    statement = statement if mark else text
    return " ".join(statement.split()).lower()


def remove_from_organization(
    organization: GithubOrganization, removal: StatementRemoval
) -> GithubOrganization:
    """Return an organization without the removed statements."""
    base = organization.base_role
    if base and removal.includes(format_base_role_statement(base)):
        base = "none"
    edited = replace(
        organization,
        base_role=base,
        members=_edit_each_part(organization.members, removal, _remove_from_member),
        teams=_edit_each_part(organization.teams, removal, _remove_from_team),
        repositories=_edit_each_part(
            organization.repositories, removal, _remove_from_repository
        ),
    )
    login = organization.login.lower()
    return replace(
        edited,
        rulesets=_remove_rulesets(login, organization.rulesets, removal),
        installations=None
        if organization.installations is None
        else tuple(
            each
            for each in organization.installations
            if not removal.includes(format_installation_statement(each))
        ),
        tokens=None
        if organization.tokens is None
        else tuple(
            each
            for each in organization.tokens
            if not removal.includes(format_token_statement(each))
        ),
    )


def _edit_each_part(
    listed: tuple[T, ...] | None,
    removal: StatementRemoval,
    edit: Callable[[T, StatementRemoval], T],
) -> tuple[T, ...] | None:
    """Edit each part of a list; None where it was not collected."""
    return None if listed is None else tuple(edit(each, removal) for each in listed)


def _remove_from_member(member: Member, removal: StatementRemoval) -> Member:
    """Return a member without removed roles."""
    role = member.role
    if role == "owner" and removal.includes(format_owner_statement(member)):
        role = "member"
    holder = f"user/{member.login}"
    kept = tuple(
        each
        for each in member.organization_roles
        if not removal.includes(format_organization_role_statement(holder, each))
    )
    return replace(member, role=role, organization_roles=kept)


def _remove_from_team(team: Team, removal: StatementRemoval) -> Team:
    """Return a team without removed members, parent and roles."""
    parent = team.parent
    if parent and removal.includes(format_parent_statement(team)):
        parent = ""
    members = team.members
    if members is not None:
        members = tuple(
            each
            for each in members
            if not removal.includes(format_membership_statement(team.slug, each[0]))
        )
    holder = f"team/{team.slug}"
    kept = tuple(
        each
        for each in team.organization_roles
        if not removal.includes(format_organization_role_statement(holder, each))
    )
    return replace(team, parent=parent, members=members, organization_roles=kept)


def _remove_from_repository(
    repository: Repository, removal: StatementRemoval
) -> Repository:
    """Return a repository without removed grants, rules and keys."""
    name = repository.name

    def keep(
        grants: tuple[tuple[str, str], ...] | None, kind: str
    ) -> tuple[tuple[str, str], ...] | None:
        if grants is None:
            return None
        return tuple(
            (who, role)
            for who, role in grants
            if not removal.includes(
                format_repository_grant_statement(name, role, f"{kind}/{who}")
            )
        )

    protections = repository.protections
    if protections is not None:
        protections = tuple(
            _remove_allowances(name, each, removal)
            for each in protections
            if not removal.includes(format_protection_statement(name, each))
        )
    environments = repository.environments
    if environments is not None:
        environments = tuple(
            Environment(each.name, secrets=each.secrets, place=each.place)
            if removal.includes(format_environment_statement(name, each))
            else each
            for each in environments
        )
    keys = repository.deploy_keys
    if keys is not None:
        keys = tuple(
            e
            for e in keys
            if not removal.includes(format_deploy_key_statement(name, e))
        )
    return replace(
        repository,
        collaborators=keep(repository.collaborators, "user"),
        teams=keep(repository.teams, "team"),
        protections=protections,
        rulesets=_remove_rulesets(name, repository.rulesets, removal),
        environments=environments,
        deploy_keys=keys,
    )


def _remove_allowances(
    name: str, rule: BranchProtection, removal: StatementRemoval
) -> BranchProtection:
    """Return a branch protection rule without removed allowances."""

    def keep(gate: str, holders: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            each
            for each in holders
            if not removal.includes(format_allowance_statement(name, rule, gate, each))
        )

    return replace(
        rule,
        review_bypass=keep("pull request", rule.review_bypass),
        push_allowances=keep("push", rule.push_allowances),
    )


def _remove_rulesets(
    holder: str, rulesets: tuple[Ruleset, ...] | None, removal: StatementRemoval
) -> tuple[Ruleset, ...] | None:
    """Return rulesets without the removed ones and removed bypass actors."""
    if rulesets is None:
        return None
    kept = []
    for each in rulesets:
        if removal.includes(format_ruleset_statement(holder, each)):
            continue
        bypass = each.bypass
        if bypass is not None:
            bypass = tuple(
                actor
                for actor in bypass
                if not removal.includes(format_bypass_statement(holder, each, actor))
            )
        kept.append(replace(each, bypass=bypass))
    return tuple(kept)
