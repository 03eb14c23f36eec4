"""Index of the collected data of Google Cloud: policies by resource and by member."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.model.google_cloud_ids import (
    ALL_AUTHENTICATED,
    ALL_USERS,
    get_container,
    is_service_account,
    normalise_permission,
)
from answerable.reach.formula import FALSE, TRUE, Formula, disjoin
from answerable.reach.gcp.catalogue import (
    GoogleAccessBoundary,
    GoogleBoundaryBinding,
    GoogleCloudEstate,
    GoogleDenyPolicy,
    GoogleRole,
    GoogleServiceAccount,
)
from answerable.reach.gcp.principals import PrincipalIndex
from answerable.reach.gcp.resource_tree import ResourceTree
from answerable.reach.gcp.role_catalogue import PredefinedRoles, RoleTable

POLICIES, GROUPS, ACCOUNTS = "iam-policies", "groups", "service-accounts"
DENY, BOUNDARIES = "deny-policies", "access-boundaries"
POOLS, TAGS, ORG_POLICIES = "workload-pools", "tags", "org-policies"
RESOURCES, ROLES = "resources", "custom-roles"
_CONVENIENCE = {
    "projectOwner": "roles/owner",
    "projectEditor": "roles/editor",
    "projectViewer": "roles/viewer",
}
_PROJECTS = "//cloudresourcemanager.googleapis.com/projects/"


@dataclass(frozen=True, slots=True, eq=False)
class IndexedBinding:
    """Role binding with its resource.

    Attributes:
        special: Members that need more than a look-up: open groups and sets.
    """

    resource: str
    role: str
    members: frozenset[str]
    special: tuple[str, ...]
    condition: str


class GoogleCloudIndex:
    """Collected data of Google Cloud, indexed for evaluation.

    Attributes:
        collected: Kinds that were collected.
        by_resource: Bindings of each resource.
        by_member: Bindings that name a principal or a set.
        deny_policies: Deny policies of each project, folder or organization.
        accounts: Known service accounts by address; from lists and policies.
    """

    def __init__(
        self, estates: Sequence[GoogleCloudEstate], predefined: PredefinedRoles
    ) -> None:
        self.estates = tuple(estates)
        self.collected = _join_collected(estates)
        self.seen_at = min((each.seen_at for each in estates), default=0)
        self.unread = any(each.unread for each in estates)
        self.accounts: dict[str, GoogleServiceAccount] = {}
        for estate in estates:
            for account in estate.service_accounts:
                self.accounts.setdefault(account.email, account)
        resources = (each for estate in estates for each in estate.resources)
        self.tree = ResourceTree(resources, self.accounts.values())
        self.roles = RoleTable(predefined, self._collect_roles())
        self._index_policies()
        self._index_accounts()
        self.deny_policies: dict[str, list[GoogleDenyPolicy]] = {}
        for estate in estates:
            for policy in estate.deny_policies:
                place = self.tree.normalise(policy.resource)
                self.deny_policies.setdefault(place, []).append(policy)
        self.boundaries: dict[str, GoogleAccessBoundary] = {
            each.name: each for estate in estates for each in estate.boundaries
        }
        self.boundary_bindings: list[GoogleBoundaryBinding] = [
            each for estate in estates for each in estate.boundary_bindings
        ]
        self.tags: dict[str, dict[str, tuple[str, str]]] = {}
        for estate in estates:
            for tag in estate.tags:
                own = self.tags.setdefault(self.tree.normalise(tag.resource), {})
                own[tag.key] = (tag.value, tag.value_id)
        self._selected: dict[tuple[str, str], tuple[IndexedBinding, ...]] = {}

    def _collect_roles(self) -> Mapping[str, GoogleRole]:
        """Collect the scanned roles, those of `gcp-roles` sources last."""
        ordered = sorted(self.estates, key=lambda each: each.name == ROLES)
        found: dict[str, GoogleRole] = {}
        for estate in ordered:
            for role in estate.roles:
                permissions = tuple(map(normalise_permission, role.permissions))
                name = self.normalise_role(role.name)
                found[name] = replace(role, permissions=permissions)
        return found

    def normalise_role(self, name: str) -> str:
        """Return the name of a role with the id of its project."""
        kind, _, rest = name.partition("/")
        if kind != "projects":
            return name
        project, _, tail = rest.partition("/")
        return f"projects/{self.tree.get_project_id(project)}/{tail}"

    def _index_policies(self) -> None:
        """Index the bindings of all allow policies."""
        named: dict[str, None] = {}
        policies: dict[str, list[tuple[str, tuple[str, ...], str]]] = {}
        for estate in self.estates:
            for policy in estate.policies:
                place = self.tree.normalise(policy.resource)
                own = policies.setdefault(place, [])
                for each in policy.bindings:
                    row = self.normalise_role(each.role), each.members, each.condition
                    if row not in own:
                        own.append(row)
                        named |= dict.fromkeys(each.members)
        groups = (each for estate in self.estates for each in estate.groups)
        self.principals = PrincipalIndex(self.tree, groups, named)
        self.by_resource: dict[str, list[IndexedBinding]] = {}
        self.by_member: dict[str, list[IndexedBinding]] = {}
        for place, rows in policies.items():
            own_bindings = self.by_resource.setdefault(place, [])
            for role, members, condition in rows:
                special = tuple(each for each in members if self._is_special(each))
                binding = IndexedBinding(
                    place, role, frozenset(members), special, condition
                )
                own_bindings.append(binding)
                for member in members:
                    self.by_member.setdefault(member, []).append(binding)
        self.special_members = [m for m in self.by_member if self._is_special(m)]

    def _is_special(self, member: str) -> bool:
        """Tell whether a member needs more than a look-up of the principal's sets."""
        kind = member.partition(":")[0]
        is_open = member in self.principals.open_groups
        return kind in ("principalSet", *_CONVENIENCE) or is_open

    def _index_accounts(self) -> None:
        """Index service accounts by project, also those that only policies name."""
        self.accounts_by_project: dict[str, list[str]] = {}
        for email, account in self.accounts.items():
            self._place_account(email, account.project)
        for name in (*self.by_member, *self.principals.members):
            for member in self.principals.members.get(name, (name,)):
                if is_service_account(member) and member not in self.accounts:
                    self._add_named_account(member)
        for place in self.by_resource:
            if "/serviceAccounts/" in place:
                email = place.rpartition("/")[2]
                if is_service_account(email) and email not in self.accounts:
                    self._add_named_account(email)

    def _add_named_account(self, email: str) -> None:
        """Add a service account that a policy names."""
        chain = self.get_account_resource(email)
        project = get_container(self.tree.get_project(chain))[1]
        self.accounts[email] = GoogleServiceAccount(email, project)
        self._place_account(email, project)

    def _place_account(self, email: str, project: str) -> None:
        """Place a service account in its project."""
        place = self.tree.normalise(_PROJECTS + project)
        listed = self.accounts_by_project.setdefault(place, [])
        if email not in listed[-1:]:
            listed.append(email)

    def get_account_resource(self, email: str) -> str:
        """Return the full resource name of a service account."""
        known = self.accounts.get(email)
        project = known.project if known and known.project else "-"
        name = f"//iam.googleapis.com/projects/{project}/serviceAccounts/{email}"
        return self.tree.normalise(name)

    def match_binding(self, principal: str, binding: IndexedBinding) -> Formula:
        """Tell whether a binding names a principal, directly or by a set."""
        certain = self.principals.get_membership(principal).certain
        if not binding.members.isdisjoint(certain):
            return TRUE
        return disjoin(*(self.match(principal, each) for each in binding.special))

    def match(self, principal: str, member: str) -> Formula:
        """Tell whether a member of a policy includes a principal."""
        role = _CONVENIENCE.get(member.partition(":")[0])
        if role is None:
            return self.principals.match(principal, member)
        project = self.tree.normalise(_PROJECTS + member.partition(":")[2])
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
        """Tell whether a role has a permission, or its permissions are not known."""
        permissions = self.roles.get_permissions(role)
        return permissions is None or permission in permissions

    def list_bindings_of(self, principal: str) -> list[IndexedBinding]:
        """List the bindings that certainly or possibly name a principal."""
        certain = self.principals.get_membership(principal).certain
        found = [each for key in certain for each in self.by_member.get(key, ())]
        for member in self.special_members:
            if member not in certain and self.match(principal, member) != FALSE:
                found += self.by_member[member]
        return found

    def has_policies_of(self, resource: str) -> bool:
        """Tell whether the policies of a resource and all its ancestors are known."""
        chain = self.tree.get_chain(resource)
        reached = self.tree.reaches_root(resource)
        return POLICIES in self.collected and reached and chain[-1] in self.by_resource

    def list_identities(self) -> list[str]:
        """List the principals that policies, groups and lists name."""
        found = dict.fromkeys(self.accounts)
        for name in self.by_member:
            if not name.startswith(tuple(_CONVENIENCE)):
                found[name] = None
        for group, members in self.principals.members.items():
            found |= dict.fromkeys((group, *members))
        found.pop(ALL_AUTHENTICATED, None)
        found.pop(ALL_USERS, None)
        return list(found)


def _join_collected(estates: Iterable[GoogleCloudEstate]) -> frozenset[str]:
    """Join the collected kinds: those that every scan with policies has.

    A scan without policies, of groups only, say, adds its kinds to all.
    """
    own = [each for each in estates if POLICIES in each.collected]
    added = {
        kind
        for each in estates
        if POLICIES not in each.collected
        for kind in each.collected
    }
    if not own:
        return frozenset(added)
    common = frozenset(own[0].collected).intersection(*(e.collected for e in own))
    return common | added
