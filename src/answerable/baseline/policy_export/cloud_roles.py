"""Compile profiles to custom roles of Google Cloud and Azure.

Sources: Google Cloud IAM, "Resource types that accept conditions" and "Attribute
reference for IAM Conditions" (`resource.name` of Cloud Storage); Azure RBAC, "Azure
custom roles" and "Understand scope for Azure RBAC".
"""

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from answerable.baseline.policy_export.aws_profile import CLOUD_SERVER
from answerable.baseline.policy_export.profile_clauses import list_inexpressible_clauses
from answerable.model.baseline import (
    BaselineProfile,
    EntityPattern,
    GeneralisationLevel,
)
from answerable.model.policy_export import (
    ClauseReason,
    ExportedPolicy,
    ExportTarget,
    OmittedClause,
    PolicyDocument,
)

_PREFIX = f"{CLOUD_SERVER}/"
_GCP = "gcp:"
_PERMISSION = re.compile(r"[a-z][a-z0-9]*\.[A-Za-z]+\.[A-Za-z]+")
_AZURE_ACTION = re.compile(
    r"(?i)microsoft\.[a-z.]+(?:/[a-z0-9]+)+/(?:read|write|delete|action)"
)
_AZURE_RESOURCE = re.compile(r"(?i)/subscriptions/[^/]+(?:/.+)?")
_LABEL = re.compile(r"[^A-Za-z0-9]+")
_MAX_CONDITION = 12  # logical operators of one condition, as IAM allows
# Permissions that give further permissions need a signature.
_GCP_PRIVILEGED = (
    ".setIamPolicy",
    ".actAs",
    ".getAccessToken",
    ".signBlob",
    ".signJwt",
)
_AZURE_PRIVILEGED = ("microsoft.authorization/",)


class _Profile:
    """Actions of one profile with their resources, and the clauses left out."""

    def __init__(self, profile: BaselineProfile) -> None:
        self.profile = profile
        self.omitted: set[OmittedClause] = set(list_inexpressible_clauses(profile))
        self.patterns: dict[str, list[EntityPattern]] = defaultdict(list)
        for entry in profile.entities:
            self.patterns[entry.tool].append(entry.pattern)

    def list_calls(self) -> Iterator[tuple[str, list[EntityPattern]]]:
        """Yield each cloud call with its resources."""
        for tool in dict.fromkeys(each.tool for each in self.profile.capabilities):
            if tool.startswith(_PREFIX):
                yield tool.removeprefix(_PREFIX), self.patterns[tool]

    def omit(self, reason: ClauseReason, layer: str, action: str, text: str) -> None:
        """Record a clause that the policy does not contain."""
        self.omitted.add(OmittedClause(reason, layer, action, text))


def compile_gcp_roles(
    profiles: Sequence[BaselineProfile],
    *,
    is_signed: bool,
    any_resource: Collection[str],
) -> ExportedPolicy:
    """Write a custom role with a conditional binding for each set of objects.

    Only Cloud Storage objects have a condition here; other permissions need a person's
    word that they may be used on every resource of the project.
    """
    omitted: set[OmittedClause] = set()
    bindings: list[dict[str, object]] = []
    roles: list[dict[str, object]] = []
    for profile in profiles:
        found = _Profile(profile)
        by_condition: dict[str, set[str]] = defaultdict(set)
        for call, patterns in found.list_calls():
            name = call.removeprefix(_GCP)
            if not call.startswith(_GCP) or not _PERMISSION.fullmatch(name):
                found.omit(ClauseReason.NO_ACTION, "L1", call, "no permission")
            elif name.endswith(_GCP_PRIVILEGED) and not is_signed:
                text = "grants further permissions"
                found.omit(ClauseReason.NEEDS_SIGNATURE, "L1", name, text)
            elif name in any_resource:
                by_condition[""].add(name)
            else:
                condition = _build_gcp_condition(found, name, patterns)
                if condition:
                    by_condition[condition].add(name)
        omitted |= found.omitted
        label = _LABEL.sub("_", profile.subject.identity.rpartition("/")[2]).strip("_")
        for number, (condition, names) in enumerate(sorted(by_condition.items())):
            role = f"answerable_{label}_{number}"
            roles.append(_build_gcp_role(role, names))
            bindings.append(_build_gcp_binding(role, profile, condition))
    return _build_exported_policy(
        ExportTarget.GCP, {"roles": roles, "bindings": bindings}, bool(roles), omitted
    )


def _build_gcp_condition(
    found: _Profile, permission: str, patterns: Sequence[EntityPattern]
) -> str:
    """Return the condition for the objects of a permission; empty if there is none."""
    tests = []
    for pattern in patterns:
        text = pattern.text
        is_object = permission.startswith("storage.objects.") and "/objects/" in text
        if not is_object or pattern.level not in (
            GeneralisationLevel.EXACT,
            GeneralisationLevel.PREFIX,
        ):
            found.omit(ClauseReason.WOULD_WIDEN, "L2", permission, text)
            continue
        quoted = json.dumps(text)
        is_exact = pattern.level is GeneralisationLevel.EXACT
        tests.append(
            f"resource.name == {quoted}"
            if is_exact
            else f"resource.name.startsWith({quoted})"
        )
    if not patterns:
        found.omit(ClauseReason.RESOURCE_NOT_RECORDED, "L2", permission, "")
    if len(tests) > _MAX_CONDITION:
        text = f"{len(tests)} objects (expected at most {_MAX_CONDITION})"
        found.omit(ClauseReason.WOULD_WIDEN, "L2", permission, text)
        return ""
    return " || ".join(sorted(tests))


def _build_gcp_role(name: str, permissions: Collection[str]) -> dict[str, object]:
    """Build a custom role, as `gcloud iam roles create --file` takes it."""
    return {
        "roleId": name,
        "title": name,
        "stage": "GA",
        "includedPermissions": sorted(permissions),
    }


def _build_gcp_binding(
    role: str, profile: BaselineProfile, condition: str
) -> dict[str, object]:
    """Build a binding of a role in the policy of a project."""
    email = profile.subject.identity.rpartition("/")[2]
    built: dict[str, object] = {
        "role": f"projects/PROJECT/roles/{role}",
        "members": [f"serviceAccount:{email}"],
    }
    if condition:
        built["condition"] = {"title": role, "expression": condition}
    return built


def compile_azure_roles(
    profiles: Sequence[BaselineProfile], *, is_signed: bool
) -> ExportedPolicy:
    """Write a custom role for each set of actions, and its scopes."""
    omitted: set[OmittedClause] = set()
    roles: list[dict[str, object]] = []
    for profile in profiles:
        found = _Profile(profile)
        by_scope: dict[str, set[str]] = defaultdict(set)
        for call, patterns in found.list_calls():
            if not _AZURE_ACTION.fullmatch(call):
                found.omit(ClauseReason.NO_ACTION, "L1", call, "no action of Azure")
                continue
            if call.lower().startswith(_AZURE_PRIVILEGED) and not is_signed:
                text = "grants further permissions"
                found.omit(ClauseReason.NEEDS_SIGNATURE, "L1", call, text)
                continue
            if not patterns:
                found.omit(ClauseReason.RESOURCE_NOT_RECORDED, "L2", call, "")
            for pattern in patterns:
                is_exact = pattern.level is GeneralisationLevel.EXACT
                if is_exact and _AZURE_RESOURCE.fullmatch(pattern.text):
                    by_scope[pattern.text.lower()].add(call)
                else:
                    found.omit(ClauseReason.WOULD_WIDEN, "L2", call, pattern.text)
        omitted |= found.omitted
        roles += _build_azure_roles(profile, by_scope)
    return _build_exported_policy(
        ExportTarget.AZURE, {"roles": roles}, bool(roles), omitted
    )


def _build_azure_roles(
    profile: BaselineProfile, by_scope: dict[str, set[str]]
) -> Iterator[dict[str, object]]:
    """Yield role definitions, each with the scopes at which it is assigned."""
    scopes: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for scope, names in sorted(by_scope.items()):
        scopes[tuple(sorted(names))].append(scope)
    label = _LABEL.sub("-", profile.subject.identity.rpartition("/")[2]).strip("-")
    for number, (actions, listed) in enumerate(sorted(scopes.items())):
        yield {
            "Name": f"answerable-{label}-{number}",
            "IsCustom": True,
            "Description": f"Observed actions of {profile.subject.identity}",
            "Actions": list(actions),
            "NotActions": [],
            "DataActions": [],
            "NotDataActions": [],
            "AssignableScopes": sorted({"/".join(s.split("/")[:3]) for s in listed}),
            "assignments": listed,
        }


def _build_exported_policy(
    target: ExportTarget,
    document: object,
    has_content: bool,
    omitted: Collection[OmittedClause],
) -> ExportedPolicy:
    """Build the exported policy, or its refusal."""
    kept = tuple(sorted(omitted))
    if not has_content:
        return ExportedPolicy(target, (), kept, (f"no call for {target.value}",))
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return ExportedPolicy(
        target, (PolicyDocument(target.value, text, len(text), 0),), kept
    )
