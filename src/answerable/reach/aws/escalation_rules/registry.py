"""Registry of escalation rules: steps between identities besides `sts:AssumeRole`.

Rules for code under a role are in `pass_role_rules` and `takeover_rules`; those that
create or edit IAM objects are here. Sources: the AWS Service Authorization Reference
for actions and their resources; the IAM User Guide; the catalogued path where there is
one (pathfinding.cloud, by id).
"""

from answerable.reach.aws.escalation_rules.pass_role_rules import KINDS, LAUNCHES
from answerable.reach.aws.escalation_rules.rule_types import (
    NAME,
    OTHER_NAME,
    REGION,
    Edit,
    Gives,
    Launch,
    Make,
    Need,
    On,
    Running,
)
from answerable.reach.aws.escalation_rules.takeover_rules import RUNNING

__all__ = [
    "AWAITED",
    "EDITS",
    "EXISTING",
    "KINDS",
    "LAUNCHES",
    "MAKES",
    "NAME",
    "OTHER_NAME",
    "OTHER_VERSION",
    "REGION",
    "RUNNING",
    "Edit",
    "Gives",
    "Launch",
    "Make",
    "Need",
    "On",
    "Running",
    "actions",
]

_USERS = "AWS IAM User Guide, access keys; pathfinding.cloud"
_POLICIES = "AWS IAM User Guide, managing IAM policies; pathfinding.cloud"
_ADMIN = (("iam:policyarn", "arn:aws:iam::aws:policy/AdministratorAccess"),)
_BOUNDARIES = "AWS IAM User Guide, permissions boundaries for IAM entities"
_WIDEST = (("iam:permissionsboundary", "arn:aws:iam::aws:policy/AdministratorAccess"),)

EDITS: tuple[Edit, ...] = (
    Edit("iam:CreateAccessKey", On.USER, Gives.TARGET, f"{_USERS} iam-002"),
    Edit("iam:CreateLoginProfile", On.USER, Gives.TARGET, f"{_USERS} iam-004"),
    Edit("iam:UpdateLoginProfile", On.USER, Gives.TARGET, f"{_USERS} iam-006"),
    Edit("iam:UpdateAssumeRolePolicy", On.ROLE, Gives.TRUST, f"{_POLICIES} iam-012"),
    Edit("iam:PutUserPolicy", On.USER, Gives.SELF, f"{_POLICIES} iam-007"),
    Edit("iam:PutRolePolicy", On.ROLE, Gives.SELF, f"{_POLICIES} iam-005"),
    Edit("iam:PutGroupPolicy", On.GROUP, Gives.SELF, f"{_POLICIES} iam-011"),
    Edit("iam:AttachUserPolicy", On.USER, Gives.SELF, f"{_POLICIES} iam-008", _ADMIN),
    Edit("iam:AttachRolePolicy", On.ROLE, Gives.SELF, f"{_POLICIES} iam-009", _ADMIN),
    Edit("iam:AttachGroupPolicy", On.GROUP, Gives.SELF, f"{_POLICIES} iam-010", _ADMIN),
    Edit("iam:CreatePolicyVersion", On.POLICY, Gives.SELF, f"{_POLICIES} iam-001"),
    Edit(
        "iam:SetDefaultPolicyVersion",
        On.POLICY,
        Gives.SELF,
        "AWS IAM User Guide, versioning IAM policies",
    ),
    Edit("iam:AddUserToGroup", On.GROUP, Gives.MEMBERSHIP, f"{_POLICIES} iam-013"),
    Edit("iam:DeleteUserPermissionsBoundary", On.USER, Gives.FREE, _BOUNDARIES),
    Edit("iam:DeleteRolePermissionsBoundary", On.ROLE, Gives.FREE, _BOUNDARIES),
    Edit("iam:PutUserPermissionsBoundary", On.USER, Gives.FREE, _BOUNDARIES, _WIDEST),
    Edit("iam:PutRolePermissionsBoundary", On.ROLE, Gives.FREE, _BOUNDARIES, _WIDEST),
    Edit("iam:CreatePolicyVersion", On.BOUNDARY, Gives.FREE, _BOUNDARIES),
    Edit("iam:SetDefaultPolicyVersion", On.BOUNDARY, Gives.FREE, _BOUNDARIES),
)

_ROLE = "arn:{partition}:iam::{account}:role/{name}"
_USER = "arn:{partition}:iam::{account}:user/{name}"
_GROUP = "arn:{partition}:iam::{account}:group/{name}"

# A boundary required by the create call (iam:PermissionsBoundary) stays open: the
# creator chooses it among those that the statement names.
MAKES: tuple[Make, ...] = (
    Make(
        On.ROLE,
        Need("iam:CreateRole", _ROLE),
        (
            Need("iam:PutRolePolicy", _ROLE),
            Need("iam:AttachRolePolicy", _ROLE, _ADMIN),
        ),
        (Need("sts:AssumeRole", _ROLE),),
        "AWS IAM User Guide, IAM role creation",
    ),
    Make(
        On.USER,
        Need("iam:CreateUser", _USER),
        (
            Need("iam:PutUserPolicy", _USER),
            Need("iam:AttachUserPolicy", _USER, _ADMIN),
        ),
        (
            Need("iam:CreateAccessKey", _USER),
            Need("iam:CreateLoginProfile", _USER),
        ),
        "AWS IAM User Guide, create an IAM user in your AWS account",
    ),
    Make(
        On.GROUP,
        Need("iam:CreateGroup", _GROUP),
        (
            Need("iam:PutGroupPolicy", _GROUP),
            Need("iam:AttachGroupPolicy", _GROUP, _ADMIN),
        ),
        (Need("iam:AddUserToGroup", _GROUP),),
        "AWS IAM User Guide, IAM groups",
    ),
)

# Setting another version as default helps only where a wider one exists, which the
# account's dump of default versions does not show.
OTHER_VERSION = "answerable:other-policy-version"
# A rule that changes a resource needs one to exist; its kind is in the condition.
EXISTING = "answerable:existing-resource"
# External precondition of a rule that no snapshot shows; named in the condition.
AWAITED = "answerable:awaited"


def actions() -> frozenset[str]:
    """Return every action that some rule needs."""
    needs = [n for launch in LAUNCHES for n in (*launch.needs, *launch.also)]
    needs += [need for running in RUNNING for need in running.needs]
    for make in MAKES:
        needs += [make.create, *make.widen, *make.enter]
    edits = {edit.action for edit in EDITS}
    return frozenset(
        {need.action for need in needs} | edits | {"iam:PassRole", "sts:AssumeRole"}
    )
