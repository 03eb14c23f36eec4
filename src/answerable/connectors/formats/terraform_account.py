"""Convert Terraform resources to IAM account details and Kubernetes objects.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
and the resource pages of both providers; see `terraform_plan`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from answerable.connectors.formats.terraform_changes import JsonObject
from answerable.connectors.formats.terraform_plan import NO_ACCOUNT, PlannedResource

_Details = dict[str, dict[str, dict[str, object]]]
# Fields of the answer for each kind of principal: inline policies, list, id prefix.
_PRINCIPALS = {
    "role": ("RolePolicyList", "RoleDetailList", "Role"),
    "user": ("UserPolicyList", "UserDetailList", "User"),
    "group": ("GroupPolicyList", "GroupDetailList", "Group"),
}
_KUBERNETES_KINDS = {
    "cluster_role": "ClusterRole",
    "role": "Role",
    "cluster_role_binding": "ClusterRoleBinding",
    "role_binding": "RoleBinding",
    "service_account": "ServiceAccount",
}
_RBAC = "rbac.authorization.k8s.io/v1"
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AdministratorAccess.html
ADMINISTRATOR_POLICY: Mapping[str, object] = {
    "Arn": "arn:aws:iam::aws:policy/AdministratorAccess",
    "PolicyName": "AdministratorAccess",
    "DefaultVersionId": "v1",
    "PolicyVersionList": [
        {
            "VersionId": "v1",
            "IsDefaultVersion": True,
            "Document": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
            },
        }
    ],
}


def find_planned_account(resources: Iterable[PlannedResource]) -> str:
    """Find the account number in the ARNs of a plan; zeros if it has none."""
    for each in resources:
        for value in each.values.values():
            parts = value.split(":") if isinstance(value, str) else []
            if len(parts) > 4 and parts[0] == "arn" and len(parts[4]) == 12:
                return parts[4]
    return NO_ACCOUNT


def build_account_details(
    resources: Sequence[PlannedResource], account: str
) -> tuple[JsonObject, Mapping[str, str]]:
    """Build the answer of get-account-authorization-details for planned resources.

    Returns:
        The answer, and the resources that refer to a principal or a policy that no
        resource states, by address, each with a digest of its values.
    """
    details = _AccountDetails(resources, account)
    return details.build(), details.unresolved


class _AccountDetails:
    """Account details under construction.

    Attributes:
        unresolved: Digest of the values of each resource that refers to a principal or
            a policy that no resource states, by address.
    """

    def __init__(self, resources: Sequence[PlannedResource], account: str) -> None:
        self.unresolved: dict[str, str] = {}
        self._resources = resources
        self._account = account
        self._by_address = {each.address: each for each in resources}
        self._found: dict[str, dict[str, dict[str, object]]] = defaultdict(dict)
        self._policies: dict[str, Mapping[str, object]] = {}

    def build(self) -> JsonObject:
        """Add principals first, then what is attached to them."""
        for each in self._resources:
            kind = each.type.removeprefix("aws_iam_")
            if each.type.startswith("aws_iam_") and kind in _PRINCIPALS:
                self._add_principal(kind, each)
            elif each.type == "aws_iam_policy":
                self._add_policy(each)
        for each in self._resources:
            self._attach_policy_or_member(each)
        return {
            "Policies": list(self._policies.values()),
            **{
                listed: list(self._found[kind].values())
                for kind, (_, listed, _) in _PRINCIPALS.items()
            },
        }

    def _name_arn(self, kind: str, each: PlannedResource) -> str:
        """Return the ARN of a resource, as known or as it will be."""
        path = each.text("path") or "/"
        known = each.text("arn")
        return (
            known
            or f"arn:aws:iam::{self._account}:{kind}{path}{_get_resource_name(each)}"
        )

    def _add_principal(self, kind: str, each: PlannedResource) -> None:
        """Add a role, user or group with its own inline policies."""
        inline, _, title = _PRINCIPALS[kind]
        arn = self._name_arn(kind, each)
        tags = each.values.get("tags")
        entry: dict[str, object] = {
            "Arn": arn,
            f"{title}Name": _get_resource_name(each),
            f"{title}Id": each.text("unique_id"),
            "Path": each.text("path") or "/",
            "AttachedManagedPolicies": [
                {"PolicyArn": one, "PolicyName": one.rpartition("/")[2]}
                for one in each.texts("managed_policy_arns")
            ],
            inline: [
                {"PolicyName": _get_text_field(one, "name"), "PolicyDocument": document}
                for one in each.blocks("inline_policy")
                if (document := _get_text_field(one, "policy"))
            ],
        }
        inlines = each.blocks("inline_policy")
        if any(one and not _get_text_field(one, "policy") for one in inlines):
            self._add_unresolved(each)
        if kind != "group":
            entry["Tags"] = [
                {"Key": str(key), "Value": str(value)}
                for key, value in (tags.items() if isinstance(tags, dict) else ())
            ]
            boundary = each.text("permissions_boundary")
            if boundary:
                entry["PermissionsBoundary"] = {"PermissionsBoundaryArn": boundary}
        if kind == "role":
            trust = each.text("assume_role_policy")
            entry["AssumeRolePolicyDocument"] = trust or None
            entry["InstanceProfileList"] = []
        if kind == "user":
            entry["GroupList"] = []
        self._found[kind][_get_resource_name(each)] = entry

    def _add_policy(self, each: PlannedResource) -> None:
        """Add a managed policy with its document."""
        arn = self._name_arn("policy", each)
        version = {
            "VersionId": "v1",
            "IsDefaultVersion": True,
            "Document": each.text("policy") or None,
        }
        self._policies[arn] = {
            "Arn": arn,
            "PolicyName": _get_resource_name(each),
            "DefaultVersionId": "v1",
            "PolicyVersionList": [version],
        }

    def _attach_policy_or_member(self, each: PlannedResource) -> None:
        """Add an inline policy, an attachment or a membership to its principals."""
        for kind, (inline, _, _) in _PRINCIPALS.items():
            if each.type == f"aws_iam_{kind}_policy":
                for entry in self._find_principals(kind, each, kind):
                    document = each.text("policy") or None
                    _append_to_list_field(
                        entry,
                        inline,
                        {
                            "PolicyName": _get_resource_name(each),
                            "PolicyDocument": document,
                        },
                    )
            elif each.type == f"aws_iam_{kind}_policy_attachment":
                for entry in self._find_principals(kind, each, kind):
                    self._attach_policy(entry, each)
            elif each.type == "aws_iam_policy_attachment":
                self._attach_policy_to_list(kind, each)
        if each.type == "aws_iam_group_membership":
            self._add_members(
                self._find_principals("user", each, "users"), each, "group"
            )
        if each.type == "aws_iam_user_group_membership":
            self._add_members(
                self._find_principals("user", each, "user"), each, "groups"
            )

    def _attach_policy_to_list(self, kind: str, each: PlannedResource) -> None:
        """Attach a managed policy to all principals of a kind that a resource lists."""
        name = f"{kind}s"
        if each.values.get(name) or each.references.get(name):
            for entry in self._find_principals(kind, each, name):
                self._attach_policy(entry, each)

    def _add_members(
        self, users: Iterable[dict[str, object]], each: PlannedResource, name: str
    ) -> None:
        """Add users to groups."""
        groups = [
            entry["GroupName"] for entry in self._find_principals("group", each, name)
        ]
        for user in users:
            for group in groups:
                _append_to_list_field(user, "GroupList", group)

    def _attach_policy(self, entry: dict[str, object], each: PlannedResource) -> None:
        """Attach a managed policy, by its ARN or by the resource that will have it."""
        arns = [each.text("policy_arn")] if each.text("policy_arn") else []
        arns = arns or [
            self._name_arn("policy", one)
            for one in self._yield_referenced_resources(each, "policy_arn")
            if one.type == "aws_iam_policy"
        ]
        if not arns:
            self._add_unresolved(each)
        for arn in arns:
            if arn == ADMINISTRATOR_POLICY["Arn"]:
                self._policies[arn] = ADMINISTRATOR_POLICY
            attached = {"PolicyArn": arn, "PolicyName": arn.rpartition("/")[2]}
            _append_to_list_field(entry, "AttachedManagedPolicies", attached)

    def _find_principals(
        self, kind: str, each: PlannedResource, name: str
    ) -> list[dict[str, object]]:
        """Find the principals that a value names, or that it refers to."""
        names = each.texts(name) or ([each.text(name)] if each.text(name) else [])
        names = names or [
            _get_resource_name(one)
            for one in self._yield_referenced_resources(each, name)
        ]
        if not names or not {*names} <= {*self._found[kind]}:
            self._add_unresolved(each)
        return [self._found[kind][one] for one in names if one in self._found[kind]]

    def _add_unresolved(self, each: PlannedResource) -> None:
        """Note a resource whose principal or policy no resource states."""
        self.unresolved[each.address] = _digest_resource(each)

    def _yield_referenced_resources(
        self, each: PlannedResource, name: str
    ) -> Iterator[PlannedResource]:
        """Yield the resources that a value refers to."""
        for address in each.references.get(name, ()):
            if address in self._by_address:
                yield self._by_address[address]


def _digest_resource(each: PlannedResource) -> str:
    """Return the digest of the values of a resource and of what they refer to."""
    content = msgspec.json.encode([each.values, each.references], order="sorted")
    return hashlib.sha256(content).hexdigest()


def digest_unknown_objects(resources: Iterable[PlannedResource]) -> Mapping[str, str]:
    """Digest the Kubernetes resources that only the apply completes, by address."""
    return {
        each.address: _digest_resource(each)
        for each in resources
        if each.type.startswith("kubernetes_") and _lacks_known_values(each)
    }


def _lacks_known_values(each: PlannedResource) -> bool:
    """Return whether an object lacks its rules, its role or a subject's name."""
    if each.type == "kubernetes_manifest":
        return not isinstance(each.values.get("manifest"), dict)
    kind = each.type.removeprefix("kubernetes_").removesuffix("_v1")
    if kind in ("role", "cluster_role"):
        return not (each.blocks("rule") or each.blocks("aggregation_rule"))
    if kind not in ("role_binding", "cluster_role_binding"):
        return False
    named = [*each.blocks("role_ref"), *each.blocks("subject")]
    stated = each.blocks("role_ref") and each.blocks("subject")
    return not stated or not all(_get_text_field(one, "name") for one in named)


def build_kubernetes_objects(
    resources: Iterable[PlannedResource],
) -> Iterator[JsonObject]:
    """Yield the RBAC objects and service accounts of planned resources."""
    for each in resources:
        if each.type == "kubernetes_manifest":
            manifest = each.values.get("manifest")
            if isinstance(manifest, dict):
                yield manifest
            continue
        kind = _KUBERNETES_KINDS.get(
            each.type.removeprefix("kubernetes_").removesuffix("_v1")
        )
        if kind is None or not each.type.startswith("kubernetes_"):
            continue
        yield {
            "apiVersion": "v1" if kind == "ServiceAccount" else _RBAC,
            "kind": kind,
            "metadata": _build_metadata(each),
            **_build_rbac_fields(kind, each),
        }


def _build_metadata(each: PlannedResource) -> JsonObject:
    """Build the metadata of a Kubernetes object."""
    block = next(iter(each.blocks("metadata")), {})
    kept = ("name", "namespace", "labels", "annotations")
    return {key: block[key] for key in kept if block.get(key)}


def _build_rbac_fields(kind: str, each: PlannedResource) -> JsonObject:
    """Build the rules of a role, or the role and the subjects of a binding."""
    if kind.endswith("Role"):
        return {"rules": [_build_rule(rule) for rule in each.blocks("rule")]}
    if kind.endswith("Binding"):
        reference = next(iter(each.blocks("role_ref")), {})
        return {
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": _get_text_field(reference, "kind"),
                "name": _get_text_field(reference, "name"),
            },
            "subjects": [_build_subject(one) for one in each.blocks("subject")],
        }
    return {}


def _build_rule(rule: JsonObject) -> JsonObject:
    """Build a policy rule; Terraform spells its fields with underscores."""
    names = {
        "api_groups": "apiGroups",
        "resources": "resources",
        "verbs": "verbs",
        "resource_names": "resourceNames",
        "non_resource_urls": "nonResourceURLs",
    }
    return {new: rule[old] for old, new in names.items() if rule.get(old)}


def _build_subject(subject: JsonObject) -> JsonObject:
    """Build a subject; a service account needs its namespace, others have none."""
    kind = _get_text_field(subject, "kind")
    built: dict[str, object] = {"kind": kind, "name": _get_text_field(subject, "name")}
    if kind == "ServiceAccount":
        return {
            **built,
            "namespace": _get_text_field(subject, "namespace") or "default",
        }
    return {**built, "apiGroup": "rbac.authorization.k8s.io"}


def _get_resource_name(each: PlannedResource) -> str:
    """Return the name of a resource, or its address until the apply names it."""
    return each.text("name") or each.address.replace("[", "_").replace("]", "")


def _get_text_field(holder: Mapping[str, object], name: str) -> str:
    """Return a text field; empty if there is none."""
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def _append_to_list_field(entry: dict[str, object], name: str, value: object) -> None:
    """Append a value to a list field."""
    listed = entry.setdefault(name, [])
    if isinstance(listed, list):
        listed.append(value)
