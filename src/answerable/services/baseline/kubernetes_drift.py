"""Compare the rules of a Kubernetes service account with a signed profile."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from answerable.model.baseline import BaselineProfile
from answerable.model.inventory import Inventory
from answerable.model.kubernetes_ids import KubernetesResource, parse_subject_id
from answerable.model.policy_drift import BEYOND, MISSING, NOT_KNOWN, PermissionDrift
from answerable.model.policy_export import ExportTarget
from answerable.reach import engine
from answerable.reach.condition_formula import Verdict
from answerable.reach.platform import PageBounds, Question
from answerable.services.baseline.policy_export import export_profiles
from answerable.services.reach.platform_registry import open_platforms

NOT_COLLECTED = "its permissions were not collected (answerable scan k8s:)"
KubernetesRule = tuple[str, str]  # verb, resource


@dataclass(frozen=True, slots=True)
class GrantedRules:
    """Rules that are bound to a service account, and the data that is missing.

    Attributes:
        missing: Why no rule is known.
        gaps: Missing data that could add rules.
    """

    rules: frozenset[KubernetesRule]
    missing: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()


def read_granted_rules(inventory: Inventory, identity: str, now: int) -> GrantedRules:
    """Read the rules that a service account has itself."""
    question = Question(now, subject=identity, direct=True)
    opened = open_platforms(inventory, question)
    answers, found = engine.list_permissions_of_subject(opened, question, PageBounds())
    if found.unknown or not any(
        each.verdict is not Verdict.NOT_KNOWN for each in answers.answers
    ):
        return GrantedRules(frozenset(), (NOT_COLLECTED,))
    return GrantedRules(
        frozenset(
            (str(each.item["action"]), str(each.item["resource"]))
            for each in answers.answers
            if each.verdict in (Verdict.ALWAYS, Verdict.ONLY_IF)
        ),
        gaps=tuple(
            dict.fromkeys(
                gap.because
                for each in answers.answers
                if each.verdict is Verdict.NOT_KNOWN
                for gap in each.unknown
            )
        ),
    )


def list_kubernetes_drift(
    inventory: Inventory, profile: BaselineProfile, now: int
) -> Iterator[PermissionDrift]:
    """Yield the differences between the rules of an account and a signed profile."""
    identity = profile.subject.identity
    subject = parse_subject_id(identity)
    exported = export_profiles([profile], ExportTarget.K8S_RBAC, is_signed=True)
    if subject is None or not exported.documents:
        yield NOT_KNOWN, "", "; ".join(exported.refusals)
        return
    wanted = set(list_exported_rules(exported.documents[0].text, subject.cluster))
    granted = read_granted_rules(inventory, identity, now)
    if granted.missing:
        yield NOT_KNOWN, "", "; ".join(granted.missing)
        return
    for gap in granted.gaps:
        yield NOT_KNOWN, "", gap
    for verb, resource in sorted(granted.rules):
        if not is_rule_covered(verb, resource, wanted):
            yield BEYOND, verb, resource
    for verb, resource in sorted(wanted):
        if not is_rule_covered(verb, resource, granted.rules):
            yield (NOT_KNOWN if granted.gaps else MISSING), verb, resource


def list_exported_rules(text: str, cluster: str) -> Iterator[KubernetesRule]:
    """Yield verb and resource of each rule of exported roles."""
    for role in json.loads(text)["items"]:
        namespace = role["metadata"].get("namespace", "")
        for rule in role.get("rules", ()):
            for verb in rule["verbs"]:
                for resource in _list_rule_resources(rule, cluster, namespace):
                    yield verb, str(resource)


def _list_rule_resources(
    rule: dict[str, Any], cluster: str, namespace: str
) -> Iterator[KubernetesResource]:
    """Yield the resources of a rule."""
    for url in rule.get("nonResourceURLs", ()):
        yield KubernetesResource(cluster, url=url)
    for kind in rule.get("resources", ()):
        resource, _, subresource = kind.partition("/")
        for name in rule.get("resourceNames", [""]):
            yield KubernetesResource(
                cluster, namespace, resource, rule["apiGroups"][0], name, subresource
            )


def is_rule_covered(
    verb: str, resource: str, rules: Collection[KubernetesRule]
) -> bool:
    """Return whether a rule allows a verb on a resource, or on all its objects."""
    return any(
        given in (verb, "*")
        and (
            resource == pattern
            or resource.startswith(f"{pattern}/")
            or ("*" in pattern and fnmatchcase(resource, pattern))
        )
        for given, pattern in rules
    )
