"""Build `iam:PassRole` rules, and the ARN templates of the resources they create."""

from collections.abc import Sequence

from answerable.reach.aws.escalation_rules.rule_types import (
    PassRoleRule,
    RequiredPermission,
)

EC2 = "ec2.amazonaws.com"
# EC2 receives a role inside an instance profile.
_INSTANCE_PROFILE = "arn:{partition}:iam::{account}:instance-profile/{name}"
_PROFILE = (
    RequiredPermission("iam:CreateInstanceProfile", _INSTANCE_PROFILE),
    RequiredPermission("iam:AddRoleToInstanceProfile", _INSTANCE_PROFILE),
)


def build_arn(service: str, resource: str) -> str:
    """Build the ARN template of a regional resource in the caller's account."""
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}"


def build_pass_role_rule(
    service: str,
    source: str,
    needs: Sequence[tuple[str, str]],
    *,
    changed_resource_kind: str = "",
    precondition: str = "",
) -> PassRoleRule:
    """Build a PassRole rule; EC2 gets the role in a new instance profile."""
    also = _PROFILE if service == EC2 else ()
    made = tuple(RequiredPermission(*n) for n in needs)
    return PassRoleRule(
        service, made, source, changed_resource_kind, also, precondition
    )
