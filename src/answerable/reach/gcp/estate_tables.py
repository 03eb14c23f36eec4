"""Tables of the collected data of Google Cloud, compiled or read from a store.

A question reads the rows that it needs; `header` has the small parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from answerable.reach.gcp.catalogue import (
    GoogleAccessBoundary,
    GoogleBoundaryBinding,
    GoogleDenyPolicy,
    GooglePoolProvider,
    GoogleResource,
    GoogleRole,
    GoogleServiceAccount,
)


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


@dataclass(frozen=True, slots=True)
class ResourceTables:
    """Resource hierarchy by full resource name, with project ids in the names.

    Attributes:
        project_ids: Id of each project by its number.
        project_numbers: Number of each project by its id.
        emails: Address of each service account by its unique id.
        parents: Stated parent of each resource.
        children: Collected children of each resource.
    """

    project_ids: Mapping[str, str] = field(default_factory=dict)
    project_numbers: Mapping[str, str] = field(default_factory=dict)
    emails: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, GoogleResource] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    children: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupTables:
    """Members of groups.

    Attributes:
        members: Direct members of each group.
        groups: Groups that directly contain a member.
        open_groups: Groups whose members are not all known.
        organizations: Collected organizations by domain.
    """

    members: Mapping[str, Sequence[str]] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    open_groups: frozenset[str] = frozenset()
    organizations: Mapping[str, GoogleResource] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EstateHeader:
    """Parts of the collected data that every question needs.

    Attributes:
        scanned: Whether any scan describes Google Cloud.
        collected: Kinds that were collected.
        seen_at: Time of the oldest scan, UTC nanoseconds.
        unread: Whether a part was not understood.
        projects: Names of the projects, sorted.
        identities: Number of principals.
        open_groups: Groups whose members are not all known.
        organizations: Collected organizations by domain.
        special_members: Members of policies that need more than a look-up.
        federated_members: Members of policies that are of identity pools or of GKE.
        granted_roles: Roles of all bindings.
        boundaries: Access boundaries by name.
        deny_policies: Deny policies of each project, folder or organization.
        providers: Enabled providers of enabled identity pools.
        key_creation: Places on which key creation is blocked, or explicitly allowed.
        tag_conditions: Whether a condition of a policy may test tags.
    """

    scanned: bool = False
    collected: frozenset[str] = frozenset()
    seen_at: int = 0
    unread: bool = False
    projects: tuple[str, ...] = ()
    identities: int = 0
    open_groups: frozenset[str] = frozenset()
    organizations: dict[str, GoogleResource] = field(default_factory=dict)
    special_members: tuple[str, ...] = ()
    federated_members: tuple[str, ...] = ()
    granted_roles: tuple[str, ...] = ()
    boundaries: dict[str, GoogleAccessBoundary] = field(default_factory=dict)
    boundary_bindings: tuple[GoogleBoundaryBinding, ...] = ()
    deny_policies: dict[str, tuple[GoogleDenyPolicy, ...]] = field(default_factory=dict)
    providers: tuple[GooglePoolProvider, ...] = ()
    key_creation: dict[str, bool] = field(default_factory=dict)
    tag_conditions: bool = True


@dataclass(frozen=True, slots=True)
class EstateTables:
    """Tables of one snapshot.

    Attributes:
        tree: Resource hierarchy.
        roles: Scanned roles by name.
        accounts: Known service accounts by address; from lists and policies.
        accounts_by_project: Their addresses by the project.
        bindings: Bindings of each resource.
        by_member: Bindings that name a principal or a set.
        tags: Value and id of each tag, by key, of each resource.
        workloads: Workloads that run as a service account, by project.
        identities: Principals that policies, groups and lists name.
    """

    header: EstateHeader
    tree: ResourceTables
    groups: GroupTables
    roles: Mapping[str, GoogleRole]
    accounts: Mapping[str, GoogleServiceAccount]
    accounts_by_project: Mapping[str, Sequence[str]]
    bindings: Mapping[str, Sequence[IndexedBinding]]
    by_member: Mapping[str, Sequence[IndexedBinding]]
    tags: Mapping[str, Mapping[str, tuple[str, str]]]
    workloads: Mapping[str, Sequence[GoogleResource]]
    identities: Sequence[str]
