"""Account export in the form of get-account-authorization-details.

Identity policies, groups, boundaries and trusts: nothing else is in such an answer.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from answerable.model.identity import Identity
from answerable.model.policy import (
    ConditionClause,
    Policy,
    PolicyAttachment,
    PolicyLayer,
    Statement,
)
from answerable.model.sighting import SightedFacts

Json = dict[str, Any]
_MADE = "2026-01-01T00:00:00+00:00"
_VERSION = "v1"


def export_account(facts: SightedFacts, account: str) -> Json:
    """Export one account."""
    policies = {policy.id: policy for policy in facts.policies}
    held: dict[str, list[PolicyAttachment]] = defaultdict(list)
    for one in facts.attachments:
        held[one.target].append(one)
    mine = [i for i in facts.identities if i.account == account and _is_listed(i)]
    groups = sorted(group.id for group in facts.groups if group.account == account)
    return {
        "UserDetailList": [
            _user_detail(i, held[i.id], policies) for i in mine if i.kind == "aws-user"
        ],
        "GroupDetailList": [
            _group_detail(name, held[name], policies) for name in groups
        ],
        "RoleDetailList": [
            _role_detail(i, held[i.id], policies) for i in mine if i.kind != "aws-user"
        ],
        "Policies": [
            _managed_policy(policy) for policy in facts.policies if _is_managed(policy)
        ],
    }


def _is_listed(identity: Identity) -> bool:
    return identity.kind != "aws-root"


def _is_managed(policy: Policy) -> bool:
    return ":policy/" in policy.id and ":iam:" in policy.id and "#" not in policy.id


def _user_detail(
    identity: Identity, held: Iterable[PolicyAttachment], policies: Mapping[str, Policy]
) -> Json:
    direct = [one for one in held if not one.via]
    via = sorted({one.via for one in held if one.via})
    return {
        **_name_members("User", identity.id, identity.unique_id),
        "UserPolicyList": _inline_policies(direct, policies),
        "GroupList": [name.rpartition("/")[2] for name in via],
        **_attached_policies(direct),
        "Tags": _tag_list(identity),
    }


def _group_detail(
    name: str, held: Iterable[PolicyAttachment], policies: Mapping[str, Policy]
) -> Json:
    return {
        **_name_members("Group", name, _stable_id("AGPA", name)),
        "GroupPolicyList": _inline_policies(held, policies),
        **_attached_policies(held),
    }


def _role_detail(
    identity: Identity, held: Iterable[PolicyAttachment], policies: Mapping[str, Policy]
) -> Json:
    trusts = [one.policy for one in held if one.layer is PolicyLayer.TRUST]
    return {
        **_name_members("Role", identity.id, identity.unique_id),
        "AssumeRolePolicyDocument": policy_document(policies[trusts[0]]),
        "InstanceProfileList": [],
        "RolePolicyList": _inline_policies(held, policies),
        **_attached_policies(held),
        "Tags": _tag_list(identity),
        "RoleLastUsed": {},
    }


def _name_members(kind: str, arn: str, unique: str) -> Json:
    path, _, name = arn.split(":", 5)[5].rpartition("/")
    below = path.partition("/")[2]
    return {
        "Path": f"/{below}/" if below else "/",
        f"{kind}Name": name,
        f"{kind}Id": unique,
        "Arn": arn,
        "CreateDate": _MADE,
    }


def _stable_id(prefix: str, name: str) -> str:
    """Derive an id that is the same in every run."""
    return f"{prefix}{zlib.crc32(name.encode()):017}"


def _inline_policies(
    held: Iterable[PolicyAttachment], policies: Mapping[str, Policy]
) -> list[Json]:
    return [
        {
            "PolicyName": one.policy.rpartition("/")[2],
            "PolicyDocument": policy_document(policies[one.policy]),
        }
        for one in held
        if one.layer is PolicyLayer.IDENTITY and "#inline/" in one.policy
    ]


def _attached_policies(held: Iterable[PolicyAttachment]) -> Json:
    bounds = [one.policy for one in held if one.layer is PolicyLayer.BOUNDARY]
    found: Json = {
        "AttachedManagedPolicies": [
            {"PolicyName": one.policy.rpartition("/")[2], "PolicyArn": one.policy}
            for one in held
            if one.layer is PolicyLayer.IDENTITY and "#" not in one.policy
        ]
    }
    if bounds:
        found["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": bounds[0],
        }
    return found


def _tag_list(identity: Identity) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in identity.tags]


def _managed_policy(policy: Policy) -> Json:
    version = {
        "Document": policy_document(policy),
        "VersionId": _VERSION,
        "IsDefaultVersion": True,
        "CreateDate": _MADE,
    }
    return {
        **_name_members("Policy", policy.id, _stable_id("ANPA", policy.id)),
        "DefaultVersionId": _VERSION,
        "AttachmentCount": 1,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "UpdateDate": _MADE,
        "PolicyVersionList": [version],
    }


def policy_document(policy: Policy) -> Json:
    """Encode a policy document."""
    return {
        "Version": "2012-10-17",
        "Statement": [_statement_json(one) for one in policy.statements],
    }


def _statement_json(one: Statement) -> Json:
    found: Json = {"Effect": one.effect.value.capitalize()}
    lists = {
        "Action": one.actions,
        "NotAction": one.not_actions,
        "Resource": one.resources,
        "NotResource": one.not_resources,
    }
    found |= {name: list(some) for name, some in lists.items() if some}
    for name, pairs in (
        ("Principal", one.principals),
        ("NotPrincipal", one.not_principals),
    ):
        if pairs:
            found[name] = _principal_json(pairs)
    if one.conditions:
        found["Condition"] = _condition_json(one.conditions)
    return found


def _principal_json(pairs: Iterable[tuple[str, str]]) -> Json:
    found: Json = {}
    for kind, value in pairs:
        found.setdefault(kind, []).append(value)
    return found


def _condition_json(clauses: Iterable[ConditionClause]) -> Json:
    found: Json = {}
    for one in clauses:
        found.setdefault(one.operator, {})[one.key] = list(one.values)
    return found
