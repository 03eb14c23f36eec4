"""Compile profiles of Kubernetes audit events to roles and bindings.

Rules only add, and name objects exactly: no prefix, no time. Source: Kubernetes, "Using
RBAC Authorization" (kubernetes.io/docs/reference/access-authn-authz/rbac/):
`resourceNames` cannot restrict `list`, `watch`, `deletecollection` and a `create` of a
whole object.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from answerable.baseline.policy_export.aws_profile import CLOUD_SERVER
from answerable.baseline.policy_export.profile_clauses import list_inexpressible_clauses
from answerable.model.baseline import BaselineProfile, EntityEntry, GeneralisationLevel
from answerable.model.kubernetes_ids import (
    PREFIX,
    KubernetesResource,
    KubernetesSubject,
    parse_resource_id,
    parse_subject_id,
)
from answerable.model.policy_export import (
    ClauseReason,
    ExportedPolicy,
    ExportTarget,
    OmittedClause,
    PolicyDocument,
)

_CALL = f"{CLOUD_SERVER}/{PREFIX}"
_API = "rbac.authorization.k8s.io"
_UNNAMED_VERBS = frozenset({"list", "watch", "deletecollection"})
_READS = frozenset({"get", "list", "watch"})
_PRIVILEGED_VERBS = frozenset({"bind", "escalate", "impersonate"})
_NAME = re.compile(r"[^a-z0-9]+")
_Rule = tuple[str, str, str, str]  # group, resource with subresource, name, URL


@dataclass(slots=True)
class _RoleRules:
    """Verbs by rule, for each namespace; the empty one is the cluster."""

    verbs: dict[str, dict[_Rule, set[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    omitted: set[OmittedClause] = field(default_factory=set)

    def add(self, verb: str, resource: KubernetesResource) -> None:
        """Allow a verb on a resource."""
        kind = resource.resource
        if resource.subresource:
            kind = f"{kind}/{resource.subresource}"
        is_whole_create = verb == "create" and not resource.subresource
        is_named = verb not in _UNNAMED_VERBS and not is_whole_create
        name = resource.name if is_named and resource.name != "*" else ""
        rule = (resource.group, kind, name, resource.url)
        self.verbs[resource.namespace][rule].add(verb)


def compile_kubernetes_rbac(
    profiles: Sequence[BaselineProfile], *, is_signed: bool
) -> ExportedPolicy:
    """Write a role and a binding for each namespace in which an identity acted.

    Args:
        is_signed: Whether the owner signed the profiles; verbs that give further
            permissions need it.
    """
    target = ExportTarget.K8S_RBAC
    omitted: set[OmittedClause] = set()
    objects: list[dict[str, object]] = []
    for profile in profiles:
        subject = parse_subject_id(profile.subject.identity)
        if subject is None:
            continue
        rules = _collect_rules(profile, is_signed)
        omitted |= rules.omitted
        objects += _build_objects(subject, rules)
    kept = tuple(sorted(omitted))
    if not objects:
        return ExportedPolicy(target, (), kept, ("no call of Kubernetes",))
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    text = json.dumps(listed, indent=2, ensure_ascii=False) + "\n"
    return ExportedPolicy(
        target, (PolicyDocument(target.value, text, len(text), 0),), kept
    )


def _collect_rules(profile: BaselineProfile, is_signed: bool) -> _RoleRules:
    """Collect the rules of one profile."""
    found = _RoleRules()
    found.omitted.update(list_inexpressible_clauses(profile))
    entries: dict[str, list[EntityEntry]] = defaultdict(list)
    for entry in profile.entities:
        entries[entry.tool].append(entry)
    for tool in dict.fromkeys(each.tool for each in profile.capabilities):
        if not tool.startswith(_CALL):
            text = "not a call of Kubernetes"
            found.omitted.add(OmittedClause(ClauseReason.NO_ACTION, "L1", tool, text))
            continue
        verb = tool.removeprefix(_CALL)
        if not entries[tool]:
            text = "no log names a resource"
            reason = ClauseReason.RESOURCE_NOT_RECORDED
            found.omitted.add(OmittedClause(reason, "L2", verb, text))
        for entry in entries[tool]:
            _add_entry(found, verb, entry, is_signed)
    return found


def _add_entry(
    rules: _RoleRules, verb: str, entry: EntityEntry, is_signed: bool
) -> None:
    """Add the resource of one entry, or the reason why it is omitted."""
    pattern = entry.pattern
    resource = parse_resource_id(pattern.text)
    if pattern.level is not GeneralisationLevel.EXACT or resource is None:
        text = f"{pattern.level.value} {pattern.text}"
        rules.omitted.add(OmittedClause(ClauseReason.WOULD_WIDEN, "L2", verb, text))
    elif _is_privileged(verb, resource) and not is_signed:
        text = f"{pattern.text} grants further permissions"
        rules.omitted.add(OmittedClause(ClauseReason.NEEDS_SIGNATURE, "L2", verb, text))
    else:
        rules.add(verb, resource)


def _is_privileged(verb: str, resource: KubernetesResource) -> bool:
    """Return whether a call can give further permissions: roles, tokens, other users."""
    if verb in _PRIVILEGED_VERBS:
        return True
    is_token = (resource.resource, resource.subresource) == ("serviceaccounts", "token")
    return (resource.group == _API or is_token) and verb not in _READS


def _build_objects(
    subject: KubernetesSubject, rules: _RoleRules
) -> Iterator[dict[str, object]]:
    """Yield a role and its binding for each namespace."""
    name = f"answerable-{_NAME.sub('-', subject.name.lower()).strip('-')}"
    bound = {"kind": "User", "name": subject.username, "apiGroup": _API}
    if subject.namespace:
        bound = {
            "kind": "ServiceAccount",
            "name": subject.name,
            "namespace": subject.namespace,
        }
    for namespace, verbs in sorted(rules.verbs.items()):
        kind = "Role" if namespace else "ClusterRole"
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        head = {"apiVersion": f"{_API}/v1", "metadata": metadata}
        yield {"kind": kind, **head, "rules": list(_build_rules(verbs))}
        yield {
            "kind": f"{kind}Binding",
            **head,
            "roleRef": {"apiGroup": _API, "kind": kind, "name": name},
            "subjects": [bound],
        }


def _build_rules(verbs: dict[_Rule, set[str]]) -> Iterator[dict[str, object]]:
    """Yield rules; names with equal verbs are joined."""
    names: dict[tuple[str, str, str, tuple[str, ...]], set[str]] = defaultdict(set)
    for (group, kind, name, url), found in verbs.items():
        whole = verbs.get((group, kind, "", url), set()) if name else set()
        kept = tuple(sorted(found - whole))
        if kept:
            names[group, kind, url, kept].add(name)
    for (group, kind, url, kept), named in sorted(names.items()):
        if url:
            yield {"nonResourceURLs": [url], "verbs": list(kept)}
            continue
        rule: dict[str, object] = {"apiGroups": [group], "resources": [kind]}
        if "" not in named:
            rule["resourceNames"] = sorted(named)
        yield {**rule, "verbs": list(kept)}
