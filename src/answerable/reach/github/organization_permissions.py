"""Decide actions on the organization itself: owners, and custom organization roles."""

from answerable.model.github_ids import GitHubSubject
from answerable.reach.condition_formula import FALSE, TRUE
from answerable.reach.github.access_states import find_organization_permission
from answerable.reach.github.decision import AccessDecision
from answerable.reach.github.organization_index import OrganizationIndex
from answerable.reach.github.statements import format_owner_statement, quote
from answerable.reach.github.vocabulary import ORGANIZATION_ACTIONS


def decide_organization_action(
    index: OrganizationIndex, subject: GitHubSubject, action: str
) -> AccessDecision:
    """Decide an action on the organization.

    Source: https://docs.github.com/organizations/managing-peoples-access-to-your-organization-with-roles/roles-in-an-organization
    """
    member = index.members.get(subject.name.lower())
    if subject.kind == "user" and member is not None and member.role == "owner":
        holder = f"organization {index.login}"
        return AccessDecision(
            TRUE, (quote("role", holder, format_owner_statement(member), member.place),)
        )
    for permission in ORGANIZATION_ACTIONS[action]:
        proof = find_organization_permission(index, subject, permission)
        if proof:
            return AccessDecision(TRUE, proof)
    return AccessDecision(FALSE, missing=tuple(_list_missing(index, subject, action)))


def _list_missing(
    index: OrganizationIndex, subject: GitHubSubject, action: str
) -> list[str]:
    """List the missing data that could allow an action on the organization."""
    organization = index.organization
    missing = []
    if subject.kind == "user" and organization.members is None:
        missing.append(f"members of {index.login}")
    if not ORGANIZATION_ACTIONS[action] or subject.kind not in ("user", "team"):
        return missing
    if organization.organization_roles is None:
        missing.append(f"organization roles of {index.login}")
    if subject.kind == "user" and not index.has_all_team_members:
        missing.append(f"members of the teams of {index.login}")
    return missing
