"""The forms that rules of escalation take.

A rule names the calls one principal needs together. There are four forms: launch
something under a role, edit IAM, take over what runs already, make an identity.
Rules are written once and looked up all the time: each equals itself alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

NAME = "answerable"  # stands for a name the caller may choose
OTHER_NAME = "own"  # another one, where the first is refused
REGION = "us-east-1"  # stands for a region the caller may choose


class Gives(StrEnum):
    """What a rule leads to."""

    TARGET = "target"
    TRUST = "trust"
    SELF = "self"
    MEMBERSHIP = "membership"
    FREE = "free"  # of a boundary


class On(StrEnum):
    """What a rule that edits IAM acts on."""

    USER = "user"
    ROLE = "role"
    GROUP = "group"
    POLICY = "policy"
    BOUNDARY = "boundary"  # the policy that a boundary is


class Need(NamedTuple):
    """An action and a resource it must be allowed on.

    Attributes:
        action: As the service spells it.
        resource: ARN with `{partition}`, `{region}`, `{account}` and `{name}`, or `*`
            for an action that takes no resource. `{existing}` is the ARN of a resource
            that is there already; `{region}` and `{account}` are then its own, and
            `{parent}` is the middle one of the three segments of its name. Needs of one
            rule with the same resource mean the same resource.
        context: Condition keys the call itself settles.
    """

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Launch:
    """Pass a role to a service, and have the service run something under it.

    Attributes:
        service: Receives the role: `iam:PassedToService` and the role's trust.
        needs: All are needed beside `iam:PassRole` on the role.
        source: Where that is said.
        changes: Kind of a resource that must be there already and is given the role;
            empty where everything is made new.
        also: Needed besides where the role has just been made.
        awaits: What must be so besides and no snapshot shows; empty for nothing.
    """

    service: str
    needs: tuple[Need, ...]
    source: str
    changes: str = ""
    also: tuple[Need, ...] = ()
    awaits: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """Take over code that runs as an identity already.

    Attributes:
        kind: Kind of the resource it runs in, as `Resource.kind`.
        needs: All are needed.
        source: Where that is said.
        service: Must be passed the role once more; empty where no role is passed.
        awaits: What must be so besides and no snapshot shows; empty for nothing.
    """

    kind: str
    needs: tuple[Need, ...]
    source: str
    service: str = ""
    awaits: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """Create a credential, or edit a policy, a trust or a membership.

    Attributes:
        action: As IAM spells it.
        on: What it acts on.
        gives: What it leads to.
        source: Where that is said.
        context: Condition keys the call itself settles.
    """

    action: str
    on: On
    gives: Gives
    source: str
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Make:
    """Make an identity or a group, and let it do anything.

    Attributes:
        on: What is made.
        create: Makes it.
        widen: Any one of these gives it a policy of the maker's choosing.
        enter: Any one of these leads into it. `sts:AssumeRole` is judged with a trust
            that names the maker.
        source: Where that is said.
    """

    on: On
    create: Need
    widen: tuple[Need, ...]
    enter: tuple[Need, ...]
    source: str
