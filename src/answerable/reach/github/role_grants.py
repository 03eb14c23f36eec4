"""List the roles on a repository that users and teams were granted, with their proof."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.reach.github.organization_index import (
    OrganizationIndex,
    RepositoryPlace,
)
from answerable.reach.github.statements import (
    format_base_role_statement,
    format_membership_statement,
    format_organization_role_statement,
    format_owner_statement,
    format_parent_statement,
    format_repository_grant_statement,
    quote,
)
from answerable.reach.platform import DeterminingStatement

Proof = tuple[DeterminingStatement, ...]
ROLE = "role"


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """Role on a repository, with its proof."""

    role: str
    proof: Proof


def list_grants_of_user(place: RepositoryPlace, login: str) -> Iterator[RoleGrant]:
    """List the roles of a user on a repository."""
    index, repository = place.index, place.repository
    organization = index.organization
    holder = f"organization {index.login}"
    member = index.members.get(login)
    if member is not None and member.role == "owner":
        yield RoleGrant(
            "admin",
            (quote(ROLE, holder, format_owner_statement(member), member.place),),
        )
    if member is not None and member.role != "outside" and organization.base_role:
        said = quote(ROLE, holder, format_base_role_statement(organization.base_role))
        yield RoleGrant(organization.base_role, (said,))
    if (
        member is not None
        and member.role != "outside"
        and repository.visibility == "internal"
    ):
        said = quote(ROLE, f"repository {place.name}", "visibility internal")
        yield RoleGrant("read", (said,))
    for name in member.organization_roles if member else ():
        yield from _list_grants_of_organization_role(index, f"user/{login}", name, ())
    for who, role in repository.collaborators or ():
        if who.lower() == login:
            text = format_repository_grant_statement(place.name, role, f"user/{who}")
            said = quote(ROLE, f"repository {place.name}", text, repository.place)
            yield RoleGrant(role, (said,))
    for chain in index.list_teams_of_user(login).values():
        joined = index.teams[chain[0]]
        membership = quote(
            "membership",
            f"team {joined.slug}",
            format_membership_statement(joined.slug, login),
            joined.place,
        )
        yield from list_grants_of_chain(place, chain, (membership,))


def list_grants_of_chain(
    place: RepositoryPlace, chain: list[str], leading: Proof
) -> Iterator[RoleGrant]:
    """List the roles of the last team of a chain, proved by the chain."""
    index = place.index
    proof = leading
    for slug in chain[:-1]:
        team = index.teams[slug]
        said = quote(
            "membership", f"team {slug}", format_parent_statement(team), team.place
        )
        proof = (*proof, said)
    last = index.teams.get(chain[-1])
    for slug, role in place.repository.teams or ():
        if slug.lower() == chain[-1]:
            text = format_repository_grant_statement(place.name, role, f"team/{slug}")
            held = quote(ROLE, f"repository {place.name}", text, place.repository.place)
            yield RoleGrant(role, (*proof, held))
    for name in last.organization_roles if last else ():
        yield from _list_grants_of_organization_role(
            index, f"team/{chain[-1]}", name, proof
        )


def _list_grants_of_organization_role(
    index: OrganizationIndex, holder: str, name: str, leading: Proof
) -> Iterator[RoleGrant]:
    """List the role on all repositories that an organization role has.

    Source: https://docs.github.com/organizations/managing-peoples-access-to-your-organization-with-roles/about-custom-organization-roles
    """
    role = index.organization_roles.get(name.lower())
    if role is not None and role.repository_role:
        text = format_organization_role_statement(holder, role.name)
        said = quote(ROLE, f"organization {index.login}", text)
        yield RoleGrant(role.repository_role, (*leading, said))
