"""Catalogue of the permission data that one scan has about Google Cloud."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GoogleBinding:
    """Role binding of an allow policy.

    Attributes:
        members: Principals in one spelling; a deleted one is left out.
        condition: CEL expression; empty for none.
    """

    role: str
    members: tuple[str, ...] = ()
    condition: str = ""


@dataclass(frozen=True, slots=True)
class GoogleAllowPolicy:
    """Allow policy of one resource, by full resource name."""

    resource: str
    bindings: tuple[GoogleBinding, ...] = ()


@dataclass(frozen=True, slots=True)
class GoogleResource:
    """Resource with its place in the hierarchy.

    Attributes:
        name: Full resource name.
        kind: Asset type, e.g. `compute.googleapis.com/Instance`.
        parent: Full resource name of the next ancestor; empty if it is not known.
        number: Number of a project.
        domain: Domain of an organization.
        customer: Directory customer id of an organization.
        runs_as: Addresses of the service accounts that are attached to it.
        is_root: Whether it has no parent: an organization, or a project without one.
    """

    name: str
    kind: str = ""
    parent: str = ""
    number: str = ""
    domain: str = ""
    customer: str = ""
    runs_as: tuple[str, ...] = ()
    is_root: bool = False


@dataclass(frozen=True, slots=True)
class GoogleRole:
    """Role with its permissions.

    Attributes:
        disabled: Whether the role is deleted or disabled: it grants nothing.
    """

    name: str
    permissions: tuple[str, ...] = ()
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class GoogleDenyRule:
    """Rule of a deny policy: principals and permissions, each with exceptions."""

    principals: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    exception_principals: tuple[str, ...] = ()
    exception_permissions: tuple[str, ...] = ()
    condition: str = ""


@dataclass(frozen=True, slots=True)
class GoogleDenyPolicy:
    """Deny policy.

    Attributes:
        name: Its id.
        resource: Project, folder or organization that it is attached to.
        rules: None if only the name was collected.
    """

    name: str
    resource: str
    rules: tuple[GoogleDenyRule, ...] | None = None


@dataclass(frozen=True, slots=True)
class GoogleAccessBoundary:
    """Principal access boundary policy.

    Attributes:
        resources: Resources whose trees the policy makes eligible.
        version: Enforcement version; empty for the default.
    """

    name: str
    resources: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True)
class GoogleBoundaryBinding:
    """Binding of a principal access boundary policy to a set of principals."""

    name: str
    policy: str
    principal_set: str
    condition: str = ""


@dataclass(frozen=True, slots=True)
class GoogleGroup:
    """Group with its direct members."""

    name: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GoogleServiceAccount:
    """Service account.

    Attributes:
        unique_id: Number that policies may name in place of the address.
    """

    email: str
    project: str
    unique_id: str = ""
    disabled: bool = False
    place: str = ""
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class GooglePoolProvider:
    """Provider of a workload identity pool.

    Attributes:
        pool: `projects/N/locations/global/workloadIdentityPools/POOL`.
        issuer: URL of an OIDC issuer; empty for other providers.
        aws_account: Account of an AWS provider.
        mapping: Pairs of a target (`google.subject`) and a CEL expression.
        condition: Attribute condition; empty if every token of the issuer may enter.
    """

    name: str
    pool: str
    issuer: str = ""
    aws_account: str = ""
    audiences: tuple[str, ...] = ()
    mapping: tuple[tuple[str, str], ...] = ()
    condition: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class GoogleTag:
    """Tag value that is bound to a resource.

    Attributes:
        key, value: Namespaced name, e.g. `123456/env` and `prod`.
    """

    resource: str
    key: str
    value: str
    value_id: str = ""


@dataclass(frozen=True, slots=True)
class GoogleConstraint:
    """Boolean constraint of an organization policy on a resource."""

    resource: str
    constraint: str
    enforced: bool


@dataclass(frozen=True, slots=True)
class GoogleCloudEstate:
    """Everything that one scan has about Google Cloud.

    Attributes:
        name: Its organization, or else its first project or file.
        collected: Kinds that were collected, as `KINDS` of the connector names them.
        seen_at: Time of collection, UTC nanoseconds.
        unread: Whether a part was not understood.
    """

    name: str
    collected: tuple[str, ...] = ()
    seen_at: int = 0
    unread: bool = False
    resources: tuple[GoogleResource, ...] = ()
    policies: tuple[GoogleAllowPolicy, ...] = ()
    roles: tuple[GoogleRole, ...] = ()
    deny_policies: tuple[GoogleDenyPolicy, ...] = ()
    boundaries: tuple[GoogleAccessBoundary, ...] = ()
    boundary_bindings: tuple[GoogleBoundaryBinding, ...] = ()
    groups: tuple[GoogleGroup, ...] = ()
    service_accounts: tuple[GoogleServiceAccount, ...] = ()
    providers: tuple[GooglePoolProvider, ...] = ()
    disabled_pools: tuple[str, ...] = ()
    tags: tuple[GoogleTag, ...] = ()
    constraints: tuple[GoogleConstraint, ...] = ()
