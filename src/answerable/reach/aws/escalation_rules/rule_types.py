"""Dataclasses of the escalation rules: pass a role, edit IAM, take over code, create.

A rule names the calls that one principal needs together. There are four types: pass a
role to a service, edit IAM, take over running code, create an identity. Rules are
compared by object identity, for speed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

NEW_NAME = "answerable"  # placeholder for a name that the caller may choose
OTHER_NEW_NAME = "own"  # second placeholder, where the first is denied
ANY_REGION = "us-east-1"  # placeholder for a region that the caller may choose


class EditEffect(StrEnum):
    """Effect of an IAM edit."""

    TARGET = "target"
    TRUST = "trust"
    SELF = "self"
    MEMBERSHIP = "membership"
    FREE = "free"  # of a boundary


class EditTarget(StrEnum):
    """Target of an IAM edit."""

    USER = "user"
    ROLE = "role"
    GROUP = "group"
    POLICY = "policy"
    BOUNDARY = "boundary"  # the managed policy of a boundary


class RequiredPermission(NamedTuple):
    """Required permission: an action and the resource it must be allowed on.

    Attributes:
        action: As the service spells it.
        resource: ARN with `{partition}`, `{region}`, `{account}` and `{name}`, or `*`
            for an action that takes no resource. `{existing}` is the ARN of an existing
            resource; `{region}` and `{account}` are then its own, and `{parent}` is the
            middle one of the three segments of its name. Permissions of one rule with
            the same template mean the same resource.
            context: Condition keys that the call itself sets.
    """

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PassRoleRule:
    """Rule: pass a role to a service, and have the service run code under it.

    Attributes:
        service: Receives the role: `iam:PassedToService` and the trust policy.
        needs: Permissions required with `iam:PassRole` on the role.
        source: Documentation.
        changed_resource_kind: Kind of an existing resource that is given the role; empty where
            everything is created.
        new_role_permissions: Further permissions required for a newly created role.
        precondition: External precondition that no snapshot shows; empty for none.
    """

    service: str
    needs: tuple[RequiredPermission, ...]
    source: str
    changed_resource_kind: str = ""
    new_role_permissions: tuple[RequiredPermission, ...] = ()
    precondition: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TakeoverRule:
    """Rule: take over code that already runs as an identity.

    Attributes:
        kind: Kind of the resource it runs in, as `Resource.kind`.
        needs: Required permissions.
        source: Documentation.
        service: Service that must be passed the role again; empty for none.
        precondition: External precondition that no snapshot shows; empty for none.
    """

    kind: str
    needs: tuple[RequiredPermission, ...]
    source: str
    service: str = ""
    precondition: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class IamEditRule:
    """Rule: create a credential, or edit a policy, trust policy or membership.

    Attributes:
        action: As IAM spells it.
        source: Documentation.
        context: Condition keys that the call itself sets.
    """

    action: str
    target: EditTarget
    effect: EditEffect
    source: str
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CreationRule:
    """Rule: create an identity or a group, and grant it anything.

    Attributes:
        target: Kind of the new object.
        create: Permission to create it.
        grant_alternatives: Alternatives to attach a policy chosen by the creator.
        become_alternatives: Alternatives to become it. `sts:AssumeRole` is evaluated with a trust
            policy that names the creator.
        source: Documentation.
    """

    target: EditTarget
    create: RequiredPermission
    grant_alternatives: tuple[RequiredPermission, ...]
    become_alternatives: tuple[RequiredPermission, ...]
    source: str
