"""Account export in the form of get-account-authorization-details.

Identity policies, groups, boundaries and trusts: nothing else is in such an answer.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from answerable.model.identity import Identity
from answerable.model.policy import (
    Attachment,
    ConditionClause,
    Layer,
    Policy,
    Statement,
)
from answerable.model.sighting import Facts

Json = dict[str, Any]
_MADE = "2026-01-01T00:00:00+00:00"
_VERSION = "v1"


def details(facts: Facts, account: str) -> Json:
    """Export one account."""
    policies = {policy.id: policy for policy in facts.policies}
    held: dict[str, list[Attachment]] = defaultdict(list)
    for one in facts.attachments:
        held[one.target].append(one)
    mine = [i for i in facts.identities if i.account == account and _is_listed(i)]
    groups = sorted(group.id for group in facts.groups if group.account == account)
    return {
        "UserDetailList": [
            _user(i, held[i.id], policies) for i in mine if i.kind == "aws-user"
        ],
        "GroupDetailList": [_group(name, held[name], policies) for name in groups],
        "RoleDetailList": [
            _role(i, held[i.id], policies) for i in mine if i.kind != "aws-user"
        ],
        "Policies": [
            _managed(policy) for policy in facts.policies if _is_managed(policy)
        ],
    }


def _is_listed(identity: Identity) -> bool:
    return identity.kind != "aws-root"


def _is_managed(policy: Policy) -> bool:
    return ":policy/" in policy.id and ":iam:" in policy.id and "#" not in policy.id


def _user(
    identity: Identity, held: Iterable[Attachment], policies: Mapping[str, Policy]
) -> Json:
    direct = [one for one in held if not one.via]
    via = sorted({one.via for one in held if one.via})
    return {
        **_named("User", identity.id, identity.unique_id),
        "UserPolicyList": _inline(direct, policies),
        "GroupList": [name.rpartition("/")[2] for name in via],
        **_policies(direct),
        "Tags": _tags(identity),
    }


def _group(
    name: str, held: Iterable[Attachment], policies: Mapping[str, Policy]
) -> Json:
    return {
        **_named("Group", name, _unique("AGPA", name)),
        "GroupPolicyList": _inline(held, policies),
        **_policies(held),
    }


def _role(
    identity: Identity, held: Iterable[Attachment], policies: Mapping[str, Policy]
) -> Json:
    trusts = [one.policy for one in held if one.layer is Layer.TRUST]
    return {
        **_named("Role", identity.id, identity.unique_id),
        "AssumeRolePolicyDocument": document(policies[trusts[0]]),
        "InstanceProfileList": [],
        "RolePolicyList": _inline(held, policies),
        **_policies(held),
        "Tags": _tags(identity),
        "RoleLastUsed": {},
    }


def _named(kind: str, arn: str, unique: str) -> Json:
    path, _, name = arn.split(":", 5)[5].rpartition("/")
    below = path.partition("/")[2]
    return {
        "Path": f"/{below}/" if below else "/",
        f"{kind}Name": name,
        f"{kind}Id": unique,
        "Arn": arn,
        "CreateDate": _MADE,
    }


def _unique(prefix: str, name: str) -> str:
    """Derive an id that is the same in every run."""
    return f"{prefix}{zlib.crc32(name.encode()):017}"


def _inline(held: Iterable[Attachment], policies: Mapping[str, Policy]) -> list[Json]:
    return [
        {
            "PolicyName": one.policy.rpartition("/")[2],
            "PolicyDocument": document(policies[one.policy]),
        }
        for one in held
        if one.layer is Layer.IDENTITY and "#inline/" in one.policy
    ]


def _policies(held: Iterable[Attachment]) -> Json:
    bounds = [one.policy for one in held if one.layer is Layer.BOUNDARY]
    found: Json = {
        "AttachedManagedPolicies": [
            {"PolicyName": one.policy.rpartition("/")[2], "PolicyArn": one.policy}
            for one in held
            if one.layer is Layer.IDENTITY and "#" not in one.policy
        ]
    }
    if bounds:
        found["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": bounds[0],
        }
    return found


def _tags(identity: Identity) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in identity.tags]


def _managed(policy: Policy) -> Json:
    version = {
        "Document": document(policy),
        "VersionId": _VERSION,
        "IsDefaultVersion": True,
        "CreateDate": _MADE,
    }
    return {
        **_named("Policy", policy.id, _unique("ANPA", policy.id)),
        "DefaultVersionId": _VERSION,
        "AttachmentCount": 1,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "UpdateDate": _MADE,
        "PolicyVersionList": [version],
    }


def document(policy: Policy) -> Json:
    """Encode a policy document."""
    return {
        "Version": "2012-10-17",
        "Statement": [_statement(one) for one in policy.statements],
    }


def _statement(one: Statement) -> Json:
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
            found[name] = _principals(pairs)
    if one.conditions:
        found["Condition"] = _conditions(one.conditions)
    return found


def _principals(pairs: Iterable[tuple[str, str]]) -> Json:
    found: Json = {}
    for kind, value in pairs:
        found.setdefault(kind, []).append(value)
    return found


def _conditions(clauses: Iterable[ConditionClause]) -> Json:
    found: Json = {}
    for one in clauses:
        found.setdefault(one.operator, {})[one.key] = list(one.values)
    return found
