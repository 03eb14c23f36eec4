"""Registry of all privilege escalation rules besides a plain `sts:AssumeRole`.

Rules for code under a role are in `pass_role_rules` and `takeover_rules`; those that
create or edit IAM objects are here. Sources: the AWS Service Authorization Reference
for actions and their resources; the IAM User Guide; the catalogued path where there is
one (pathfinding.cloud, by id).
"""

from answerable.reach.aws.escalation_rules.pass_role_rules import (
    PASS_ROLE_RULES,
    RESOURCE_ARN_TEMPLATES,
)
from answerable.reach.aws.escalation_rules.rule_types import (
    ANY_REGION,
    NEW_NAME,
    OTHER_NEW_NAME,
    CreationRule,
    EditEffect,
    EditTarget,
    IamEditRule,
    PassRoleRule,
    RequiredPermission,
    TakeoverRule,
)
from answerable.reach.aws.escalation_rules.takeover_rules import TAKEOVER_RULES

__all__ = [
    "ANY_REGION",
    "CREATION_RULES",
    "EDIT_RULES",
    "EXISTING_RESOURCE",
    "EXTERNAL_EVENT",
    "NEW_NAME",
    "OTHER_NEW_NAME",
    "OTHER_POLICY_VERSION",
    "PASS_ROLE_RULES",
    "RESOURCE_ARN_TEMPLATES",
    "RESOURCE_KINDS",
    "TAKEOVER_RULES",
    "CreationRule",
    "EditEffect",
    "EditTarget",
    "IamEditRule",
    "PassRoleRule",
    "RequiredPermission",
    "TakeoverRule",
    "list_rule_actions",
]

# Kinds of the existing resources that rules act on.
RESOURCE_KINDS = frozenset(
    (
        *(rule.kind for rule in TAKEOVER_RULES),
        *(rule.changed_resource_kind for rule in PASS_ROLE_RULES),
    )
)
_USERS = "AWS IAM User Guide, access keys; pathfinding.cloud"
_POLICIES = "AWS IAM User Guide, managing IAM policies; pathfinding.cloud"
_ADMIN = (("iam:policyarn", "arn:aws:iam::aws:policy/AdministratorAccess"),)
_BOUNDARIES = "AWS IAM User Guide, permissions boundaries for IAM entities"
_WIDEST = (("iam:permissionsboundary", "arn:aws:iam::aws:policy/AdministratorAccess"),)

EDIT_RULES: tuple[IamEditRule, ...] = (
    IamEditRule(
        "iam:CreateAccessKey", EditTarget.USER, EditEffect.TARGET, f"{_USERS} iam-002"
    ),
    IamEditRule(
        "iam:CreateLoginProfile",
        EditTarget.USER,
        EditEffect.TARGET,
        f"{_USERS} iam-004",
    ),
    IamEditRule(
        "iam:UpdateLoginProfile",
        EditTarget.USER,
        EditEffect.TARGET,
        f"{_USERS} iam-006",
    ),
    IamEditRule(
        "iam:UpdateAssumeRolePolicy",
        EditTarget.ROLE,
        EditEffect.TRUST,
        f"{_POLICIES} iam-012",
    ),
    IamEditRule(
        "iam:PutUserPolicy", EditTarget.USER, EditEffect.SELF, f"{_POLICIES} iam-007"
    ),
    IamEditRule(
        "iam:PutRolePolicy", EditTarget.ROLE, EditEffect.SELF, f"{_POLICIES} iam-005"
    ),
    IamEditRule(
        "iam:PutGroupPolicy", EditTarget.GROUP, EditEffect.SELF, f"{_POLICIES} iam-011"
    ),
    IamEditRule(
        "iam:AttachUserPolicy",
        EditTarget.USER,
        EditEffect.SELF,
        f"{_POLICIES} iam-008",
        _ADMIN,
    ),
    IamEditRule(
        "iam:AttachRolePolicy",
        EditTarget.ROLE,
        EditEffect.SELF,
        f"{_POLICIES} iam-009",
        _ADMIN,
    ),
    IamEditRule(
        "iam:AttachGroupPolicy",
        EditTarget.GROUP,
        EditEffect.SELF,
        f"{_POLICIES} iam-010",
        _ADMIN,
    ),
    IamEditRule(
        "iam:CreatePolicyVersion",
        EditTarget.POLICY,
        EditEffect.SELF,
        f"{_POLICIES} iam-001",
    ),
    IamEditRule(
        "iam:SetDefaultPolicyVersion",
        EditTarget.POLICY,
        EditEffect.SELF,
        "AWS IAM User Guide, versioning IAM policies",
    ),
    IamEditRule(
        "iam:AddUserToGroup",
        EditTarget.GROUP,
        EditEffect.MEMBERSHIP,
        f"{_POLICIES} iam-013",
    ),
    IamEditRule(
        "iam:DeleteUserPermissionsBoundary",
        EditTarget.USER,
        EditEffect.FREE,
        _BOUNDARIES,
    ),
    IamEditRule(
        "iam:DeleteRolePermissionsBoundary",
        EditTarget.ROLE,
        EditEffect.FREE,
        _BOUNDARIES,
    ),
    IamEditRule(
        "iam:PutUserPermissionsBoundary",
        EditTarget.USER,
        EditEffect.FREE,
        _BOUNDARIES,
        _WIDEST,
    ),
    IamEditRule(
        "iam:PutRolePermissionsBoundary",
        EditTarget.ROLE,
        EditEffect.FREE,
        _BOUNDARIES,
        _WIDEST,
    ),
    IamEditRule(
        "iam:CreatePolicyVersion", EditTarget.BOUNDARY, EditEffect.FREE, _BOUNDARIES
    ),
    IamEditRule(
        "iam:SetDefaultPolicyVersion", EditTarget.BOUNDARY, EditEffect.FREE, _BOUNDARIES
    ),
)

_ROLE = "arn:{partition}:iam::{account}:role/{name}"
_USER = "arn:{partition}:iam::{account}:user/{name}"
_GROUP = "arn:{partition}:iam::{account}:group/{name}"

# A boundary required by the create call (iam:PermissionsBoundary) stays open: the
# creator chooses it among those that the statement names.
CREATION_RULES: tuple[CreationRule, ...] = (
    CreationRule(
        EditTarget.ROLE,
        RequiredPermission("iam:CreateRole", _ROLE),
        (
            RequiredPermission("iam:PutRolePolicy", _ROLE),
            RequiredPermission("iam:AttachRolePolicy", _ROLE, _ADMIN),
        ),
        (RequiredPermission("sts:AssumeRole", _ROLE),),
        "AWS IAM User Guide, IAM role creation",
    ),
    CreationRule(
        EditTarget.USER,
        RequiredPermission("iam:CreateUser", _USER),
        (
            RequiredPermission("iam:PutUserPolicy", _USER),
            RequiredPermission("iam:AttachUserPolicy", _USER, _ADMIN),
        ),
        (
            RequiredPermission("iam:CreateAccessKey", _USER),
            RequiredPermission("iam:CreateLoginProfile", _USER),
        ),
        "AWS IAM User Guide, create an IAM user in your AWS account",
    ),
    CreationRule(
        EditTarget.GROUP,
        RequiredPermission("iam:CreateGroup", _GROUP),
        (
            RequiredPermission("iam:PutGroupPolicy", _GROUP),
            RequiredPermission("iam:AttachGroupPolicy", _GROUP, _ADMIN),
        ),
        (RequiredPermission("iam:AddUserToGroup", _GROUP),),
        "AWS IAM User Guide, IAM groups",
    ),
)

# Setting another version as default helps only where a wider one exists, which the
# account's dump of default versions does not show.
OTHER_POLICY_VERSION = "answerable:other-policy-version"
# A rule that changes a resource needs one to exist; its kind is in the condition.
EXISTING_RESOURCE = "answerable:existing-resource"
# External precondition of a rule that no snapshot shows; named in the condition.
EXTERNAL_EVENT = "answerable:awaited"


def list_rule_actions() -> frozenset[str]:
    """Return every IAM action that some escalation rule needs."""
    needs = [
        n
        for launch in PASS_ROLE_RULES
        for n in (*launch.needs, *launch.new_role_permissions)
    ]
    needs += [need for running in TAKEOVER_RULES for need in running.needs]
    for make in CREATION_RULES:
        needs += [make.create, *make.grant_alternatives, *make.become_alternatives]
    edits = {edit.action for edit in EDIT_RULES}
    return frozenset(
        {need.action for need in needs} | edits | {"iam:PassRole", "sts:AssumeRole"}
    )
