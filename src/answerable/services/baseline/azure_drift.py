"""Compare the role assignments of an identity of Azure with a signed profile."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from answerable.baseline.policy_export.aws_profile import CLOUD_SERVER
from answerable.model.azure_roles import (
    EVERYBODY,
    PLATFORM,
    AzureAssignment,
    AzureDenial,
    AzurePermissions,
    AzureRoles,
    get_subscription,
    is_within_scope,
    matches_any,
)
from answerable.model.baseline import BaselineProfile, GeneralisationLevel
from answerable.model.inventory import Inventory
from answerable.model.policy_drift import BEYOND, MISSING, NOT_KNOWN, PermissionDrift

_IDENTITY = re.compile(r"entra:(user|app|object)/(.+)")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KINDS = {"user": "User", "app": "ServicePrincipal"}  # types of assignments
_PERSONAL = ("User", "ServicePrincipal")  # a principal of another type has members
NOT_COLLECTED = "its role assignments were not collected (answerable scan azure:FILE)"
_MEMBERS = (
    "whether it is in an assigned group is not known (scan "
    "azure:FILE,assignee=ID of `az role assignment list --assignee ID "
    "--include-groups --all`)"
)
_NO_NAME = (
    "a service principal with an assignment has no name (scan the output of `az ad sp "
    "list --all` too)"
)
_decode = msgspec.json.Decoder(AzureRoles).decode


@dataclass(frozen=True, slots=True)
class _AzureGrant:
    """Permissions of a role at a scope.

    Attributes:
        doubt: Reason why it may not be a grant to the identity; empty if it is.
    """

    scope: str
    permissions: AzurePermissions
    has_condition: bool
    doubt: str


class _SignedActions:
    """Actions of a profile, in lower case, with their resources.

    Attributes:
        resources: Resource of each action; None for one without a known resource.
    """

    def __init__(self, profile: BaselineProfile) -> None:
        prefix = f"{CLOUD_SERVER}/"
        self.names = {
            each.tool.removeprefix(prefix).lower(): each.tool.removeprefix(prefix)
            for each in profile.capabilities
            if each.tool.startswith(prefix)
        }
        self.resources: dict[str, list[str]] = {name: [] for name in self.names}
        self.patterns: dict[str, list[str]] = {name: [] for name in self.names}
        for entry in profile.entities:
            name = entry.tool.removeprefix(prefix).lower()
            if name not in self.names or not entry.tool.startswith(prefix):
                continue
            is_exact = entry.pattern.level is GeneralisationLevel.EXACT
            text = entry.pattern.text.rstrip("/").lower()
            is_resource = is_exact and bool(get_subscription(text))
            (self.resources if is_resource else self.patterns)[name].append(text)

    def covers(self, action: str, scope: str) -> bool:
        """Tell whether an action is signed at a scope or above it."""
        return any(
            is_within_scope(scope, each) for each in self.resources.get(action, ())
        )

    def may_need(self, action: str, *, is_data: bool) -> bool:
        """Tell whether the profile may contain an action elsewhere.

        A call without a resource of Azure may need it, and a name that is no action of
        Azure, such as `GetBlob`, may be any data action.
        """
        if is_data and any("/" not in name for name in self.names):
            return True
        return any(
            not self.resources[name] or self.patterns[name]
            for name in self.names
            if matches_any((action,), name)
        )


def list_azure_drift(
    inventory: Inventory, profile: BaselineProfile
) -> Iterator[PermissionDrift]:
    """Yield the differences between role assignments and a signed profile.

    What an identity can do by changing roles or as another identity is not part of it.
    """
    identity = profile.subject.identity
    listed = [
        _decode(each.body) for each in inventory.facts.select_catalogues(PLATFORM)
    ]
    collected = [each for each in listed if _describes(each, identity)]
    if not collected:
        yield NOT_KNOWN, "", NOT_COLLECTED
        return
    signed = _SignedActions(profile)
    grants = list(
        dict.fromkeys(
            grant
            for roles in collected
            for assignment in roles.assignments
            for grant in _list_grants(listed, roles, assignment, identity)
        )
    )
    denials = [each for roles in collected for each in roles.denials]
    denied = _DenyAssignments(denials, _list_names(collected, identity))
    yield from dict.fromkeys(_list_beyond_signed(grants, signed))
    yield from dict.fromkeys(_list_missing(collected, signed, grants, denied))


def _list_grants(
    listed: Iterable[AzureRoles],
    roles: AzureRoles,
    assignment: AzureAssignment,
    identity: str,
) -> Iterator[_AzureGrant]:
    """Yield the permissions that an assignment grants to an identity, or may grant."""
    applies = _applies(roles, assignment, identity)
    if applies is False:
        return
    doubt = "" if applies else _MEMBERS
    if applies is None and assignment.kind in _PERSONAL:
        doubt = _NO_NAME
    blocks = _find_role(listed, assignment.role)
    if blocks is None:
        doubt = f"the role definition {assignment.role} was not collected"
        blocks = (AzurePermissions(actions=("*",)),)
    for block in blocks:
        yield _AzureGrant(assignment.scope, block, assignment.has_condition, doubt)


def _split_identity(identity: str) -> tuple[str, str]:
    """Return the type and the name of an identity of Entra, in lower case."""
    found = _IDENTITY.fullmatch(identity)
    return (found[1], found[2].lower()) if found else ("", identity.lower())


def _list_names(listed: Iterable[AzureRoles], identity: str) -> frozenset[str]:
    """List the names of an identity: its own, and the object id of an application."""
    _, name = _split_identity(identity)
    found = {name}
    for each in listed:
        found |= {e for e in (each.applications.get(name),) if e}
        found |= {
            row.principal
            for row in each.assignments
            if row.kind in _PERSONAL and row.name == name
        }
    return frozenset(found)


def _describes(roles: AzureRoles, identity: str) -> bool:
    """Tell whether lists contain the assignments of an identity.

    A list with one principal that is another one was probably limited to that.
    """
    if roles.assignee:
        return roles.assignee in _list_names((roles,), identity)
    own = {row.principal for row in roles.assignments if row.kind in _PERSONAL}
    return len(own) > 1 or any(
        _applies(roles, row, identity) for row in roles.assignments
    )


def _applies(
    roles: AzureRoles, assignment: AzureAssignment, identity: str
) -> bool | None:
    """Tell whether an assignment is that of an identity; None if it is not known."""
    if roles.assignee:
        return True
    names = _list_names((roles,), identity)
    if assignment.principal in names:
        return True
    if assignment.kind not in _PERSONAL:
        return None
    kind, _ = _split_identity(identity)
    if len(names) > 1 or kind == "object":  # its object id is known, and another
        return False
    if _KINDS.get(kind, assignment.kind) != assignment.kind:
        return False
    is_name = kind == "user" or _GUID.fullmatch(assignment.name)
    return False if assignment.name and is_name else None


def _find_role(
    listed: Iterable[AzureRoles], role: str
) -> Sequence[AzurePermissions] | None:
    """Return the permissions of a role; None if no list has it."""
    return next((each.roles[role] for each in listed if role in each.roles), None)


def _list_beyond_signed(
    grants: Iterable[_AzureGrant], signed: _SignedActions
) -> Iterator[PermissionDrift]:
    """Yield the permissions in force that the profile does not contain."""
    for grant in grants:
        block = grant.permissions
        for is_data, kept, removed in (
            (False, block.actions, block.not_actions),
            (True, block.data_actions, block.not_data_actions),
        ):
            for action in kept:
                if matches_any(removed, action) or signed.covers(action, grant.scope):
                    continue
                if grant.doubt:
                    yield NOT_KNOWN, "", grant.doubt
                    continue
                unsure = signed.may_need(action, is_data=is_data)
                scope = grant.scope or "/"
                yield NOT_KNOWN if unsure else BEYOND, action, scope


class _DenyAssignments:
    """Deny assignments that may apply to an identity."""

    def __init__(self, denials: Sequence[AzureDenial], names: frozenset[str]) -> None:
        self._denials = denials
        self._names = names

    def find(self, action: str, resource: str) -> bool | None:
        """Tell whether an action is denied; None if it is not known."""
        answers = {self._evaluate(each, action, resource) for each in self._denials}
        return True if True in answers else None if None in answers else False

    def _evaluate(self, denial: AzureDenial, action: str, resource: str) -> bool | None:
        """Tell whether one deny assignment applies."""
        is_here = is_within_scope(resource, denial.scope)
        if denial.only_here and resource != denial.scope:
            is_here = False
        if is_here is False or not any(e.contains(action) for e in denial.permissions):
            return False
        if self._names & denial.excluded.keys():
            return False
        named = EVERYBODY in denial.principals or bool(
            self._names & denial.principals.keys()
        )
        is_group = any(e not in _PERSONAL for e in denial.principals.values())
        if not named and not is_group:
            return False
        is_certain = named and not denial.excluded and is_here is True
        return True if is_certain else None


def _list_missing(
    collected: Sequence[AzureRoles],
    signed: _SignedActions,
    grants: Sequence[_AzureGrant],
    denials: _DenyAssignments,
) -> Iterator[PermissionDrift]:
    """Yield the signed permissions that are not in force."""
    subscriptions = {name for each in collected for name in each.subscriptions}
    for action, shown in signed.names.items():
        if "/" not in action:
            yield NOT_KNOWN, shown, "the action of this call is not known"
            continue
        if not signed.resources[action] and not signed.patterns[action]:
            yield NOT_KNOWN, shown, "the profile names no resource of it"
        for pattern in signed.patterns[action]:
            yield NOT_KNOWN, shown, f"{pattern}: a pattern, not a resource of Azure"
        for resource in signed.resources[action]:
            reason = _judge_signed(grants, denials, action, resource)
            is_listed = get_subscription(resource) in subscriptions
            if reason == "" and is_listed:
                yield MISSING, shown, resource
            elif reason is not None:
                text = reason or "the assignments of its subscription are in no scan"
                yield NOT_KNOWN, shown, f"{resource}: {text}"


def _judge_signed(
    grants: Sequence[_AzureGrant], denials: _DenyAssignments, action: str, resource: str
) -> str | None:
    """Return why it is not known if an action is in force; empty if it is not.

    None means that the action is in force.
    """
    denied = denials.find(action, resource)
    if denied:
        return ""
    doubt = _explain_missing(grants, action, resource)
    if doubt is None and denied is None:
        return "whether a deny assignment applies is not known"
    return doubt


def _explain_missing(
    grants: Sequence[_AzureGrant], action: str, resource: str
) -> str | None:
    """Return why a grant of an action is not certain; empty if there is none.

    None means that the action is in force.
    """
    reasons: list[str] = []
    for grant in grants:
        is_here = is_within_scope(resource, grant.scope)
        if is_here is False or not grant.permissions.contains(action):
            continue
        if grant.doubt:
            reasons.append(grant.doubt)
        elif is_here is None:
            group = grant.scope.rpartition("/")[2]
            reasons.append(f"whether management group {group} contains it is not known")
        elif grant.has_condition:
            reasons.append("a condition of the assignment is not evaluated")
        else:
            return None
    return reasons[0] if reasons else ""
