"""Write exported policies as document items and as Terraform resources."""

import re
from collections.abc import Iterator, Mapping, Sequence

from answerable.model.documents.least_privilege import PolicyFileItem
from answerable.model.documents.policy_export import (
    ExportedPolicyItem,
    OmittedClauseItem,
)
from answerable.model.policy_export import (
    ExportedPolicy,
    ExportTarget,
    OmittedClause,
    PolicyDocument,
)

_NAME = re.compile(r"[^A-Za-z0-9_]+")
# Resource type and argument of a policy in Terraform.
# Source: Terraform Registry, provider hashicorp/aws, resources `aws_iam_policy` and
# `aws_ssoadmin_permission_set_inline_policy`.
_RESOURCES: Mapping[ExportTarget, tuple[str, str]] = {
    ExportTarget.AWS_POLICY: ("aws_iam_policy", "policy"),
    ExportTarget.AWS_BOUNDARY: ("aws_iam_policy", "policy"),
    ExportTarget.AWS_PERMISSION_SET: (
        "aws_ssoadmin_permission_set_inline_policy",
        "inline_policy",
    ),
}


def build_exported_policy_items(
    policy: ExportedPolicy, *, label: str, profiles: Sequence[str], is_signed: bool
) -> Iterator[ExportedPolicyItem]:
    """Yield one item for each document of a policy; one with refusals if it has none.

    Args:
        label: Name for the Terraform resource.
        profiles: Digests of the profiles.
    """
    omitted = build_clause_items(policy)
    documents = policy.documents or (PolicyDocument(policy.target.value, "", 0, 0),)
    for number, each in enumerate(documents):
        yield {
            "name": each.name,
            "target": policy.target.value,
            "size": each.size,
            "limit": each.limit,
            "refusals": list(policy.refusals),
            "signed": is_signed,
            "profiles": list(profiles),
            "text": each.text,
            "terraform": write_terraform(policy.target, f"{label}-{each.name}", each),
            "omitted": [] if number else omitted,
        }


def build_clause_items(policy: ExportedPolicy) -> list[OmittedClauseItem]:
    """Build the items of the clauses that a policy does not contain."""
    return list(map(_build_clause_item, policy.omitted))


def build_policy_file_items(policy: ExportedPolicy, label: str) -> list[PolicyFileItem]:
    """Build the items of the documents of a policy.

    Args:
        label: Name for the Terraform resources.
    """
    return [
        {
            "name": each.name,
            "size": each.size,
            "limit": each.limit,
            "text": each.text,
            "terraform": write_terraform(policy.target, f"{label}-{each.name}", each),
        }
        for each in policy.documents
    ]


def _build_clause_item(clause: OmittedClause) -> OmittedClauseItem:
    """Build the item of an omitted clause."""
    return {
        "reason": clause.reason.value,
        "layer": clause.layer,
        "action": clause.action,
        "text": clause.text,
    }


def write_terraform(target: ExportTarget, label: str, document: PolicyDocument) -> str:
    """Write a policy as a Terraform resource; empty for a target without one.

    The text is a heredoc, so that a changed policy is a diff of its lines.
    """
    found = _RESOURCES.get(target)
    if found is None or not document.text:
        return ""
    kind, argument = found
    name = _NAME.sub("_", label).strip("_").lower()
    name = name if name[:1].isalpha() else f"p_{name}"
    lines = [f'resource "{kind}" "{name}" {{']
    if target is ExportTarget.AWS_PERMISSION_SET:
        lines += ["  instance_arn       = var.sso_instance_arn"]
        lines += ["  permission_set_arn = var.permission_set_arn", ""]
    else:
        lines += [f'  name = "{_NAME.sub("-", label).strip("-")}"', ""]
    # `${` and `%{` begin an expression in a heredoc; doubled, they are text.
    text = document.text.replace("${", "$${").replace("%{", "%%{")
    lines += [f"  {argument} = <<-EOT"]
    lines += [f"    {line}" for line in text.rstrip("\n").splitlines()]
    return "\n".join([*lines, "  EOT", "}", ""])
