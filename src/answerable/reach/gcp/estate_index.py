"""Index of the collected data of Google Cloud: policies by resource and by member."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.reach.condition_formula import FALSE, TRUE, Formula, disjoin
from answerable.reach.gcp.estate_tables import EstateTables, IndexedBinding
from answerable.reach.gcp.principals import PrincipalIndex
from answerable.reach.gcp.resource_tree import PROJECTS, ResourceTree
from answerable.reach.gcp.role_catalogue import (
    CONVENIENCE_ROLES,
    PredefinedRoles,
    RoleTable,
)

POLICIES, GROUPS, ACCOUNTS = "iam-policies", "groups", "service-accounts"
DENY, BOUNDARIES = "deny-policies", "access-boundaries"
POOLS, TAGS, ORG_POLICIES = "workload-pools", "tags", "org-policies"
RESOURCES = "resources"


@dataclass(frozen=True, slots=True)
class FreeTags:
    """Tags that a principal may set as it likes.

    Attributes:
        place: Resource whose tags, and those of the resources below, are free.
        service: Service of the resources; `resourcemanager` for all.
        values: Place of the permission on the values; those of its keys are free.
    """

    place: str
    service: str
    values: str


class GoogleCloudIndex:
    """Collected data of Google Cloud, indexed for evaluation.

    Attributes:
        header: Parts that every question needs.
        collected: Kinds that were collected.
        by_resource: Bindings of each resource.
        by_member: Bindings that name a principal or a set.
        deny_policies: Deny policies of each project, folder or organization.
        accounts: Known service accounts by address; from lists and policies.
        key_creation: Places on which key creation is blocked, or explicitly allowed.
        lifted_boundaries: Access boundaries that a principal has opened.
        free_tags: Tags that a principal may set as it likes.
    """

    def __init__(self, tables: EstateTables, predefined: PredefinedRoles) -> None:
        header = self.header = tables.header
        self.tables = tables
        self.collected = header.collected
        self.seen_at, self.unread = header.seen_at, header.unread
        self.tree = ResourceTree(tables.tree)
        self.principals = PrincipalIndex(self.tree, tables.groups)
        self.roles = RoleTable(predefined, tables.roles)
        self.accounts = tables.accounts
        self.accounts_by_project = tables.accounts_by_project
        self.by_resource, self.by_member = tables.bindings, tables.by_member
        self.deny_policies = header.deny_policies
        self.boundaries = header.boundaries
        self.boundary_bindings = header.boundary_bindings
        self.tags = tables.tags
        self.key_creation = header.key_creation
        self.lifted_boundaries: frozenset[str] = frozenset()
        self.free_tags: tuple[FreeTags, ...] = ()
        self._selected: dict[tuple[str, str], tuple[IndexedBinding, ...]] = {}

    def get_account_resource(self, email: str) -> str:
        """Return the full resource name of a service account."""
        known = self.accounts.get(email)
        return self.tree.get_account_resource(email, known.project if known else "")

    def match_binding(self, principal: str, binding: IndexedBinding) -> Formula:
        """Return whether a binding names a principal, directly or by a set."""
        certain = self.principals.get_membership(principal).certain
        if not binding.members.isdisjoint(certain):
            return TRUE
        return disjoin(*(self.match(principal, each) for each in binding.special))

    def match(self, principal: str, member: str) -> Formula:
        """Return whether a member of a policy includes a principal."""
        role = CONVENIENCE_ROLES.get(member.partition(":")[0])
        if role is None:
            return self.principals.match(principal, member)
        project = self.tree.normalise(PROJECTS + member.partition(":")[2])
        return disjoin(
            *(
                self.match_binding(principal, each)
                for each in self.by_resource.get(project, ())
                if each.role == role and not each.condition
            ),
        )

    def select_bindings(
        self, resource: str, permission: str
    ) -> tuple[IndexedBinding, ...]:
        """Select the bindings of a resource whose role has, or may have, a permission."""
        key = resource, permission
        found = self._selected.get(key)
        if found is None:
            found = self._selected[key] = tuple(
                each
                for each in self.by_resource.get(resource, ())
                if self.may_include(each.role, permission)
            )
        return found

    def may_include(self, role: str, permission: str) -> bool:
        """Return whether a role has a permission, or its permissions are not known."""
        permissions = self.roles.get_permissions(role)
        return permissions is None or permission in permissions

    def list_bindings_of(self, principal: str) -> list[IndexedBinding]:
        """List the bindings that certainly or possibly name a principal."""
        certain = self.principals.get_membership(principal).certain
        found = [each for key in certain for each in self.by_member.get(key, ())]
        for member in self.header.special_members:
            if member not in certain and self.match(principal, member) != FALSE:
                found += self.by_member[member]
        return found

    def has_changeable_limits(self) -> bool:
        """Return whether a limit is in force that some principal might take away."""
        return bool(
            self.deny_policies
            or self.boundary_bindings
            or self.header.tag_conditions
            or any(self.key_creation.values())
        )

    def has_policies_of(self, resource: str) -> bool:
        """Return whether the policies of a resource and all its ancestors are known."""
        chain = self.tree.get_chain(resource)
        reached = self.tree.reaches_root(resource)
        return POLICIES in self.collected and reached and chain[-1] in self.by_resource

    def list_identities(self) -> Sequence[str]:
        """List the principals that policies, groups and lists name."""
        return self.tables.identities
