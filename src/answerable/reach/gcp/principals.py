"""Membership of principals: groups, domains, principal sets, convenience values.

Source: https://docs.cloud.google.com/iam/docs/principal-identifiers. Members of a group
that was not collected are not known; so are those of every group that contains it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from answerable.model.google_cloud_ids import (
    ALL_AUTHENTICATED,
    ALL_USERS,
    DOMAIN,
    GROUP,
    USER,
    get_project_of_service_account,
    is_service_account,
    split_pool_principal,
)
from answerable.reach.condition_formula import FALSE, TRUE, Formula, build_atom
from answerable.reach.gcp.estate_tables import GroupTables
from answerable.reach.gcp.resource_tree import ResourceTree

MEMBERSHIP = "gcp:membership"
_CONTAINER_SET = "principalSet://cloudresourcemanager.googleapis.com/"
_CUSTOMER_SET = "principalSet://goog/cloudIdentityCustomerId/"
_ACCOUNT_TYPE = "/type/ServiceAccount"
_EVERYBODY = (ALL_USERS, ALL_AUTHENTICATED)
_KNOWN_FORMS = (
    "user:",
    "serviceAccount:",
    "group:",
    "domain:",
    "principal:",
    "principalSet:",
    "projectOwner:",
    "projectEditor:",
    "projectViewer:",
)
_CONTAINERS = "//cloudresourcemanager.googleapis.com/"


@dataclass(frozen=True, slots=True)
class PrincipalMembership:
    """Sets that a principal belongs to.

    Attributes:
        certain: Members of a policy that include the principal.
    """

    principal: str
    certain: frozenset[str]


class PrincipalIndex:
    """Groups and other sets of principals.

    Attributes:
        open_groups: Groups whose members are not all known.
    """

    def __init__(self, tree: ResourceTree, tables: GroupTables) -> None:
        self._tree = tree
        self.members, self.open_groups = tables.members, tables.open_groups
        self._groups, self._organizations = tables.groups, tables.organizations
        self._found: dict[str, PrincipalMembership] = {}

    def get_membership(self, principal: str) -> PrincipalMembership:
        """Return the sets that a principal certainly belongs to."""
        found = self._found.get(principal)
        if found is None:
            found = PrincipalMembership(
                principal, frozenset(self._list_certain(principal))
            )
            self._found[principal] = found
        return found

    def _list_certain(self, principal: str) -> Iterable[str]:
        """List the members of policies that certainly include a principal."""
        yield principal
        yield ALL_USERS
        yield from close_groups(self._groups, (principal,))
        account = is_service_account(principal)
        if account or principal.startswith((USER, GROUP)):
            yield ALL_AUTHENTICATED
        if principal.startswith(USER):
            yield DOMAIN + principal.rpartition("@")[2]
        pool, _ = split_pool_principal(principal)
        if pool:
            yield f"principalSet://iam.googleapis.com/{pool}/*"

    def match(self, principal: str, member: str) -> Formula:
        """Return whether a member of a policy includes a principal."""
        if member in self.get_membership(principal).certain:
            return TRUE
        if member.startswith(GROUP):
            pooled = bool(split_pool_principal(principal)[0])
            return _leave_open(member) if self._may_join(member, pooled) else FALSE
        if member.startswith(_CONTAINER_SET):
            return self._match_container(principal, member)
        if member.startswith(_CUSTOMER_SET):
            return self._match_customer(principal, member)
        return self._match_pool_set(principal, member)

    def _may_join(self, group: str, pooled: bool) -> bool:
        """Return whether a group may have members that were not collected."""
        known = group in self.members and group not in self.open_groups
        return not known and not pooled

    def _match_pool_set(self, principal: str, member: str) -> Formula:
        """Match a set of an identity pool by attribute or group."""
        pool, part = split_pool_principal(member)
        own, name = split_pool_principal(principal)
        if not pool and _is_unknown_form(member):
            return _leave_open(member)
        if not pool or own != pool or not member.startswith("principalSet:"):
            return FALSE
        if part == "*":
            return TRUE
        # A token with this subject may have the attribute, too.
        return _leave_open(member) if name.startswith("subject/") else FALSE

    def _match_container(self, principal: str, member: str) -> Formula:
        """Match all principals, or the service accounts, of a container.

        Source: https://docs.cloud.google.com/iam/docs/principal-identifiers, "All
        service accounts in a project, folder, or organization".
        """
        text = member.removeprefix(_CONTAINER_SET)
        accounts = text.endswith(_ACCOUNT_TYPE)
        container = self._tree.normalise(
            _CONTAINERS + text.removesuffix(_ACCOUNT_TYPE).rstrip("/*")
        )
        project = self._get_home(principal)
        if project:
            known = self._tree.contains(container, project)
            if known or self._tree.reaches_root(project):
                return TRUE if known else FALSE
            return _leave_open(member)
        if accounts or not container.startswith(f"{_CONTAINERS}organizations/"):
            return FALSE
        return self._match_organization(principal, container, member)

    def _get_home(self, principal: str) -> str:
        """Return the project that holds a principal; empty for a person."""
        if is_service_account(principal):
            project = self._tree.get_project_id(
                get_project_of_service_account(principal)
            )
            return f"{_CONTAINERS}projects/{project}" if project else ""
        pool, _ = split_pool_principal(principal)
        if not pool.startswith("projects/"):
            return ""
        return self._tree.normalise(f"{_CONTAINERS}projects/{pool.split('/')[1]}")

    def _match_organization(
        self, principal: str, container: str, member: str
    ) -> Formula:
        """Match a person by the domain of an organization."""
        if not principal.startswith(USER):
            return FALSE
        known = self._organizations.get(principal.rpartition("@")[2])
        if known is not None and known.name == container:
            return TRUE
        return _leave_open(member)  # an organization has further domains

    def _match_customer(self, principal: str, member: str) -> Formula:
        """Match a person by the directory customer of an organization."""
        known = self._organizations.get(principal.rpartition("@")[2])
        if known is not None and known.customer:
            same = known.customer == member.removeprefix(_CUSTOMER_SET)
            return TRUE if same else FALSE
        return _leave_open(member) if principal.startswith(USER) else FALSE

    def expand(self, members: Iterable[str]) -> set[str]:
        """Return the members of groups, and the members themselves."""
        found: set[str] = set()
        left = list(members)
        while left:
            member = left.pop()
            if member not in found:
                found.add(member)
                left += self.members.get(member, ())
        return found


def close_groups(groups: Mapping[str, Sequence[str]], start: Iterable[str]) -> set[str]:
    """Return all groups that contain one of some principals, also indirectly."""
    found: set[str] = set()
    left = list(start)
    while left:
        for group in groups.get(left.pop(), ()):
            if group not in found:
                found.add(group)
                left.append(group)
    return found


def _is_unknown_form(member: str) -> bool:
    """Return whether a member has a form that is not known: it may be any principal."""
    if ":" not in member:
        return "@" not in member and member not in _EVERYBODY
    return not member.startswith(_KNOWN_FORMS)


def _leave_open(member: str) -> Formula:
    """Return the open condition that a principal belongs to a set."""
    return build_atom(MEMBERSHIP, "MemberOf", (member,))
