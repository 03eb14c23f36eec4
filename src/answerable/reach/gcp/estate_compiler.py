"""Compile the scans of Google Cloud into tables for questions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from answerable.model.google_cloud_ids import (
    ALL_AUTHENTICATED,
    ALL_USERS,
    GROUP,
    get_container,
    is_service_account,
    normalise_permission,
)
from answerable.reach.gcp.catalogue import (
    GoogleCloudEstate,
    GoogleDenyPolicy,
    GooglePoolProvider,
    GoogleResource,
    GoogleRole,
    GoogleServiceAccount,
)
from answerable.reach.gcp.estate_tables import (
    EstateHeader,
    EstateTables,
    GroupTables,
    IndexedBinding,
    ResourceTables,
)
from answerable.reach.gcp.principals import close_groups
from answerable.reach.gcp.resource_tree import PROJECTS, ResourceTree
from answerable.reach.gcp.role_catalogue import CONVENIENCE_ROLES

POLICIES, ROLES = "iam-policies", "custom-roles"
_CONTAINERS = "//cloudresourcemanager.googleapis.com/"
_KEY_CONSTRAINTS = (
    "iam.disableServiceAccountKeyCreation",
    "iam.managed.disableServiceAccountKeyCreation",
)
_TAG_TESTS = ("matchTag", "hasTagKey")
RowT = TypeVar("RowT")
_FEDERATED = ("/workloadIdentityPools/", "/workforcePools/", ".svc.id.goog[")


def compile_tree(
    resources: Iterable[GoogleResource], accounts: Iterable[GoogleServiceAccount]
) -> ResourceTables:
    """Compile the resource hierarchy."""
    listed = tuple(resources)
    ids: dict[str, str] = {}
    numbers: dict[str, str] = {}
    for each in listed:
        kind, name = get_container(each.name)
        if kind == "projects" and each.number and each.number != name:
            ids[each.number] = name
            numbers[name] = each.number
    emails = {each.unique_id: each.email for each in accounts if each.unique_id}
    tree = ResourceTree(ResourceTables(ids, numbers, emails))
    found: dict[str, GoogleResource] = {}
    parents: dict[str, str] = {}
    for each in listed:
        name = tree.normalise(each.name)
        known = found.get(name)
        if known is None or (each.parent and not known.parent):
            found[name] = each
        if each.parent:
            parents.setdefault(name, tree.normalise(each.parent))
    tree = ResourceTree(ResourceTables(ids, numbers, emails, found, parents))
    children: dict[str, list[str]] = {}
    for name in found:
        parent = tree.get_parent(name)
        if parent:
            children.setdefault(parent, []).append(name)
    return ResourceTables(ids, numbers, emails, found, parents, children)


def compile_estates(estates: Sequence[GoogleCloudEstate]) -> EstateTables:
    """Compile the data of several scans into one set of tables."""
    return _EstateCompiler(estates).compile()


class _EstateCompiler:
    """Compiler of one snapshot; each step uses the tables of those before."""

    def __init__(self, estates: Sequence[GoogleCloudEstate]) -> None:
        self.estates = estates
        self.accounts: dict[str, GoogleServiceAccount] = {}
        for estate in estates:
            for account in estate.service_accounts:
                self.accounts.setdefault(account.email, account)
        resources = (each for estate in estates for each in estate.resources)
        self.tables = compile_tree(resources, self.accounts.values())
        self.tree = ResourceTree(self.tables)
        self.by_project: dict[str, list[str]] = {}
        self.bindings: dict[str, list[IndexedBinding]] = {}
        self.by_member: dict[str, list[IndexedBinding]] = {}

    def compile(self) -> EstateTables:
        """Compile all tables."""
        rows = self._collect_rows()
        self.groups = self._compile_groups(
            member
            for own in rows.values()
            for _, members, _ in own
            for member in members
        )
        self._index_bindings(rows)
        self._index_accounts()
        identities = tuple(self._list_identities())
        return EstateTables(
            header=self._build_header(len(identities)),
            tree=self.tables,
            groups=self.groups,
            roles=self._collect_roles(),
            accounts=_sort_by_key(self.accounts),
            accounts_by_project=_sort_by_key(self.by_project),
            bindings=_sort_by_key(self.bindings),
            by_member=self.by_member,
            tags=self._collect_tags(),
            workloads=_sort_by_key(self._index_workloads()),
            identities=identities,
        )

    def _collect_roles(self) -> Mapping[str, GoogleRole]:
        """Collect the scanned roles, those of `gcp-roles` sources last."""
        ordered = sorted(self.estates, key=lambda each: each.name == ROLES)
        found: dict[str, GoogleRole] = {}
        for estate in ordered:
            for role in estate.roles:
                permissions = tuple(map(normalise_permission, role.permissions))
                name = self._normalise_role(role.name)
                found[name] = replace(role, permissions=permissions)
        return found

    def _normalise_role(self, name: str) -> str:
        """Return the name of a role with the id of its project."""
        kind, _, rest = name.partition("/")
        if kind != "projects":
            return name
        project, _, tail = rest.partition("/")
        return f"projects/{self.tree.get_project_id(project)}/{tail}"

    def _collect_rows(self) -> Mapping[str, Mapping["_BindingRow", None]]:
        """Collect the distinct bindings of all allow policies by resource."""
        found: dict[str, dict[_BindingRow, None]] = {}
        for estate in self.estates:
            for policy in estate.policies:
                own = found.setdefault(self.tree.normalise(policy.resource), {})
                for each in policy.bindings:
                    role = self._normalise_role(each.role)
                    own[role, each.members, each.condition] = None
        return found

    def _compile_groups(self, named: Iterable[str]) -> GroupTables:
        """Compile the members of groups, and which groups are not all known."""
        members: dict[str, tuple[str, ...]] = {}
        groups: dict[str, list[str]] = {}
        for estate in self.estates:
            for group in estate.groups:
                merged = (*members.get(group.name, ()), *group.members)
                members[group.name] = tuple(dict.fromkeys(merged))
        for name, own in members.items():
            for member in own:
                groups.setdefault(member, []).append(name)
        missing = {each for each in named if each.startswith(GROUP)}
        missing |= {each for each in groups if each.startswith(GROUP)}
        missing -= members.keys()
        organizations = {
            each.domain: each
            for each in self.tables.resources.values()
            if each.domain and each.name.startswith(f"{_CONTAINERS}organizations/")
        }
        unknown = frozenset(missing | close_groups(groups, missing))
        return GroupTables(members, groups, unknown, organizations)

    def _index_bindings(self, rows: Mapping[str, Iterable["_BindingRow"]]) -> None:
        """Index bindings by resource and by member."""
        for place, own in rows.items():
            listed = self.bindings.setdefault(place, [])
            for role, members, condition in own:
                special = tuple(filter(self._is_special, members))
                binding = IndexedBinding(
                    place, role, frozenset(members), special, condition
                )
                listed.append(binding)
                for member in members:
                    self.by_member.setdefault(member, []).append(binding)

    def _is_special(self, member: str) -> bool:
        """Return whether a member needs more than a look-up of the principal's sets."""
        kind = member.partition(":")[0]
        is_open = member in self.groups.open_groups
        return kind == "principalSet" or kind in CONVENIENCE_ROLES or is_open

    def _index_accounts(self) -> None:
        """Index service accounts by project, also those that only policies name."""
        for email, account in self.accounts.items():
            self._place_account(email, account.project)
        members = self.groups.members
        for name in (*self.by_member, *members):
            for member in members.get(name, (name,)):
                if is_service_account(member) and member not in self.accounts:
                    self._add_named_account(member)
        for place in self.bindings:
            if "/serviceAccounts/" in place:
                email = place.rpartition("/")[2]
                if is_service_account(email) and email not in self.accounts:
                    self._add_named_account(email)

    def _add_named_account(self, email: str) -> None:
        """Add a service account that a policy names."""
        place = self.tree.get_account_resource(email, "")
        project = get_container(self.tree.get_project(place))[1]
        self.accounts[email] = GoogleServiceAccount(email, project)
        self._place_account(email, project)

    def _place_account(self, email: str, project: str) -> None:
        """Place a service account in its project."""
        place = self.tree.normalise(PROJECTS + project)
        listed = self.by_project.setdefault(place, [])
        if email not in listed[-1:]:
            listed.append(email)

    def _collect_tags(self) -> Mapping[str, Mapping[str, tuple[str, str]]]:
        """Collect the tags of each resource by key."""
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for estate in self.estates:
            for tag in estate.tags:
                own = found.setdefault(self.tree.normalise(tag.resource), {})
                own[tag.key] = (tag.value, tag.value_id)
        return found

    def _index_workloads(self) -> Mapping[str, Sequence[GoogleResource]]:
        """Index the workloads that run as service accounts by their project."""
        found: dict[str, list[GoogleResource]] = {}
        for name, resource in self.tables.resources.items():
            if resource.runs_as:
                found.setdefault(self.tree.get_project(name), []).append(resource)
        return found

    def _list_identities(self) -> list[str]:
        """List the principals that policies, groups and lists name."""
        found = dict.fromkeys(self.accounts)
        for name in self.by_member:
            if name.partition(":")[0] not in CONVENIENCE_ROLES:
                found[name] = None
        for group, members in self.groups.members.items():
            found |= dict.fromkeys((group, *members))
        found.pop(ALL_AUTHENTICATED, None)
        found.pop(ALL_USERS, None)
        return list(found)

    def _build_header(self, identities: int) -> EstateHeader:
        """Build the parts that every question needs."""
        estates, places = self.estates, (*self.tables.resources, *self.bindings)
        containers = map(get_container, places)
        bindings = [each for own in self.bindings.values() for each in own]
        return EstateHeader(
            scanned=bool(estates),
            collected=_join_collected(estates),
            seen_at=min((each.seen_at for each in estates), default=0),
            unread=any(each.unread for each in estates),
            projects=tuple(sorted({n for kind, n in containers if kind == "projects"})),
            identities=identities,
            open_groups=self.groups.open_groups,
            organizations=dict(self.groups.organizations),
            special_members=tuple(filter(self._is_special, self.by_member)),
            federated_members=tuple(
                member
                for member in self.by_member
                if any(mark in member for mark in _FEDERATED)
            ),
            granted_roles=tuple(dict.fromkeys(each.role for each in bindings)),
            boundaries={each.name: each for e in estates for each in e.boundaries},
            boundary_bindings=tuple(b for e in estates for b in e.boundary_bindings),
            deny_policies=self._index_deny_policies(),
            providers=tuple(_list_providers(estates)),
            key_creation={
                self.tree.normalise(each.resource): each.enforced
                for estate in estates
                for each in estate.constraints
                if each.constraint.removeprefix("constraints/") in _KEY_CONSTRAINTS
            },
            tag_conditions=any(
                test in each
                for test in _TAG_TESTS
                for each in (
                    *(binding.condition for binding in bindings if binding.condition),
                    *(
                        rule.condition
                        for estate in estates
                        for policy in estate.deny_policies
                        for rule in policy.rules or ()
                    ),
                )
            ),
        )

    def _index_deny_policies(self) -> dict[str, tuple[GoogleDenyPolicy, ...]]:
        """Index the deny policies by the place that they are attached to."""
        found: dict[str, tuple[GoogleDenyPolicy, ...]] = {}
        for estate in self.estates:
            for policy in estate.deny_policies:
                place = self.tree.normalise(policy.resource)
                found[place] = (*found.get(place, ()), policy)
        return found


_BindingRow = tuple[str, tuple[str, ...], str]  # role, members, condition


def _sort_by_key(rows: Mapping[str, RowT]) -> dict[str, RowT]:
    """Return a mapping in the order of its keys, as stored tables have it."""
    return {key: rows[key] for key in sorted(rows)}


def _list_providers(
    estates: Sequence[GoogleCloudEstate],
) -> Iterator[GooglePoolProvider]:
    """Yield the enabled providers of enabled pools."""
    disabled = {pool for estate in estates for pool in estate.disabled_pools}
    for estate in estates:
        for each in estate.providers:
            if not each.disabled and each.pool not in disabled:
                yield each


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
