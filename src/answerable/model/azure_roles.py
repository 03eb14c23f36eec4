"""Role assignments, role definitions and deny assignments of Azure.

Source: Microsoft, "Understand scope for Azure RBAC", "Understand Azure role
definitions" and "Understand Azure deny assignments".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from answerable.model.text_pattern import matches_parts_between_wildcards

PLATFORM = "azure"
EVERYBODY = "00000000-0000-0000-0000-000000000000"  # principal of a deny assignment
_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"


@dataclass(frozen=True, slots=True)
class AzurePermissions:
    """Block of permissions of a role, in lower case; `*` is a wildcard."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def contains(self, action: str) -> bool:
        """Tell whether an action is in the block, as control or data action."""
        return any(
            matches_any(kept, action) and not matches_any(removed, action)
            for kept, removed in (
                (self.actions, self.not_actions),
                (self.data_actions, self.not_data_actions),
            )
        )


@dataclass(frozen=True, slots=True)
class AzureAssignment:
    """Assignment of a role.

    Attributes:
        principal: Object id of the principal, in lower case.
        kind: `User`, `Group`, `ServicePrincipal` or another type of the platform.
        name: Name of a user, or a name of an application, in lower case.
        role: Id of the role definition: the last part of its path, in lower case.
        scope: Scope without a slash at its end, in lower case; empty for the root.
        has_condition: True if a condition limits it.
    """

    principal: str
    kind: str
    name: str
    role: str
    scope: str
    has_condition: bool


@dataclass(frozen=True, slots=True)
class AzureDenial:
    """Deny assignment.

    Attributes:
        principals: Object ids, and types of those that are groups.
        excluded: The same, for excluded principals.
        only_here: True if it does not apply below its scope.
    """

    scope: str
    permissions: tuple[AzurePermissions, ...]
    principals: Mapping[str, str]
    excluded: Mapping[str, str]
    only_here: bool


@dataclass(frozen=True, slots=True)
class AzureRoles:
    """Roles of one or several subscriptions.

    Attributes:
        subscriptions: Subscriptions whose assignments were listed.
        assignee: Principal whose assignments were listed, with those of its groups;
            empty if all assignments were.
        roles: Permissions of role definitions, by id.
        applications: Object ids of service principals, by application id.
    """

    subscriptions: tuple[str, ...] = ()
    assignee: str = ""
    assignments: tuple[AzureAssignment, ...] = ()
    roles: Mapping[str, tuple[AzurePermissions, ...]] = field(default_factory=dict)
    denials: tuple[AzureDenial, ...] = ()
    applications: Mapping[str, str] = field(default_factory=dict)


def matches_any(patterns: tuple[str, ...], text: str) -> bool:
    """Tell whether a pattern matches an action, or contains another pattern."""
    return any(
        matches_parts_between_wildcards(text, each.split("*")) for each in patterns
    )


def is_within_scope(resource: str, scope: str) -> bool | None:
    """Tell whether a resource is a scope or below it; None if it is not known."""
    if scope.startswith(_MANAGEMENT_GROUP) and resource != scope:
        return None
    return resource == scope or resource.startswith(f"{scope}/")


def get_subscription(path: str) -> str:
    """Return the subscription in a path in lower case; empty if there is none."""
    parts = path.split("/", 3)
    is_one = len(parts) > 2 and parts[:2] == ["", "subscriptions"]
    return parts[2] if is_one else ""
