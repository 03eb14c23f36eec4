"""Compare permissions in force with signed profiles (`baseline check --deployed`)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from answerable.baseline.policy_export.aws_profile import CLOUD_SERVER
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.baseline import BaselineStage
from answerable.model.config import Config
from answerable.model.documents.policy_export import DeployedDriftItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.google_cloud_ids import is_service_account, normalise_principal
from answerable.model.inventory import Inventory
from answerable.model.kubernetes_ids import KubernetesResource, parse_subject_id
from answerable.model.policy_drift import BEYOND, MISSING, NOT_KNOWN, PermissionDrift
from answerable.model.policy_export import ExportTarget
from answerable.presentation import answer_coverage
from answerable.reach import engine
from answerable.reach.formula import Verdict
from answerable.reach.platform import PageBounds, Question
from answerable.services.baseline.google_cloud_drift import list_google_cloud_drift
from answerable.services.baseline.policy_export import export_profiles
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.reach.platform_registry import open_platforms
from answerable.services.reach.replaced_policies import (
    ReplacedPolicies,
    read_own_policies,
)
from answerable.services.statements import signed_baselines
from answerable.services.statements.signed_baselines import ActiveBaseline
from answerable.store.store import EvidenceStore

_DRIFT_OF_CHANGE = {
    "falls-away": BEYOND,
    "weaker": BEYOND,
    "appears": MISSING,
    "stronger": MISSING,
    "not-known": NOT_KNOWN,
}


@dataclass(frozen=True, slots=True)
class _Context:
    """Data that the comparison reads."""

    inventory: Inventory
    config: Config | None
    now: int


@serialize_queries
def check_deployed(
    store: EvidenceStore,
    inventory: Inventory,
    name: str,
    *,
    now: int,
    config: Config | None = None,
) -> Document:
    """List the differences between permissions in force and signed profiles.

    Args:
        name: Id of an agent, or an identity; empty for every signed profile.
        now: UTC nanoseconds.
        config: Gateway configuration; None to leave out profiles of MCP servers.

    Raises:
        UsageError: No signed profile is in force.
    """
    active = [
        each
        for each in signed_baselines.read_active_baselines(store, now).values()
        if name in ("", each.subject.agent, each.subject.identity)
    ]
    if not active:
        raise UsageError(
            f"no signed baseline is in force{f' for {name}' if name else ''}",
            "answerable baseline sign DIGEST --stage shadow --key KEY signs one",
        )
    context = _Context(inventory, config, now)
    items = [
        item
        for each in sorted(active, key=lambda one: one.digest)
        for item in _compare(context, each)
    ]
    lacking = sorted(
        {i["platform"] for i in items if i["drift"] == NOT_KNOWN and not i["action"]}
    )
    coverage = answer_coverage.build_coverage(inventory, now, lacking)
    drifted = any(item["drift"] != NOT_KNOWN for item in items)
    undecided = any(item["drift"] == NOT_KNOWN for item in items)
    return Document(
        "baseline-deployed",
        items,
        coverage,
        failed=drifted,
        undecided="permissions in force are not known" if undecided else "",
    )


def _compare(context: _Context, signed: ActiveBaseline) -> Iterator[DeployedDriftItem]:
    """Yield the drift of one signed profile."""
    subject = signed.subject
    if subject.server != CLOUD_SERVER:
        platform, found = "gateway", _compare_gateway(context.config, signed)
    elif parse_subject_id(subject.identity):
        platform, found = "kubernetes", _compare_kubernetes(context, signed)
    elif subject.identity.startswith("arn:"):
        platform, found = "aws", _compare_aws(context, signed)
    elif is_service_account(normalise_principal(subject.identity)):
        found = list_google_cloud_drift(context.inventory, signed.profile, context.now)
        platform = "gcp"
    else:
        platform, found = "azure", _list_not_compared()
    for drift, action, resource in found:
        yield {
            "drift": drift,
            "platform": platform,
            "agent": subject.agent,
            "identity": subject.identity,
            "action": action,
            "resource": resource,
            "profile": signed.digest,
        }


def _list_not_compared() -> Iterator[PermissionDrift]:
    """Yield that the role assignments of Azure are not compared."""
    yield (
        NOT_KNOWN,
        "",
        "no source collects role assignments of Azure; compare `az role assignment "
        "list --all --assignee ID` with `baseline export --to azure`",
    )


def _compare_aws(
    context: _Context, signed: ActiveBaseline
) -> Iterator[PermissionDrift]:
    """Compare the policies of a role or user with the signed profile, by evaluation."""
    identity = signed.subject.identity
    exported = export_profiles(
        [signed.profile], ExportTarget.AWS_POLICY, is_signed=True
    )
    if read_own_policies(context.inventory, identity) is None:
        yield NOT_KNOWN, "", "its policies were not collected (answerable scan aws:)"
        return
    if not exported.documents:
        yield NOT_KNOWN, "", "; ".join(exported.refusals)
        return
    replaced = ReplacedPolicies.build(
        context.inventory,
        identity,
        [each.text for each in exported.documents],
        (),
        context.now,
    )
    changes, _ = replaced.list_changes()
    for change in changes:
        action = str(change["action"])
        known = load_catalogue({action.partition(":")[0]}).find_action(action)
        drift = _DRIFT_OF_CHANGE[change["change"]]
        yield drift, str(known or action), change["resource"]


def _compare_kubernetes(
    context: _Context, signed: ActiveBaseline
) -> Iterator[PermissionDrift]:
    """Compare the rules of a service account with the signed profile."""
    identity = signed.subject.identity
    subject = parse_subject_id(identity)
    exported = export_profiles([signed.profile], ExportTarget.K8S_RBAC, is_signed=True)
    if subject is None or not exported.documents:
        yield NOT_KNOWN, "", "; ".join(exported.refusals)
        return
    wanted = set(_list_signed_rules(exported.documents[0].text, subject.cluster))
    question = Question(context.now, subject=identity, direct=True)
    opened = open_platforms(context.inventory, question)
    answers, found = engine.list_permissions_of_subject(opened, question, PageBounds())
    if found.unknown or not any(
        each.verdict is not Verdict.NOT_KNOWN for each in answers.answers
    ):
        yield NOT_KNOWN, "", "its permissions were not collected (answerable scan k8s:)"
        return
    granted = {
        (str(each.item["action"]), str(each.item["resource"]))
        for each in answers.answers
        if each.verdict in (Verdict.ALWAYS, Verdict.ONLY_IF)
    }
    for verb, resource in sorted(granted):
        if not _is_covered(verb, resource, wanted):
            yield BEYOND, verb, resource
    for verb, resource in sorted(wanted):
        if not _is_covered(verb, resource, granted):
            yield MISSING, verb, resource


def _list_signed_rules(text: str, cluster: str) -> Iterator[tuple[str, str]]:
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


def _is_covered(verb: str, resource: str, rules: set[tuple[str, str]]) -> bool:
    """Tell whether a rule allows a verb on a resource, or on all its objects."""
    return any(
        given in (verb, "*")
        and (
            resource == pattern
            or resource.startswith(f"{pattern}/")
            or ("*" in pattern and fnmatchcase(resource, pattern))
        )
        for given, pattern in rules
    )


def _compare_gateway(
    config: Config | None, signed: ActiveBaseline
) -> Iterator[PermissionDrift]:
    """Compare the `allow` rules of an agent with the tools of its signed profile.

    A profile that is enforced blocks further tools itself.
    """
    subject = signed.subject
    agents = config.agents if config else ()
    agent = next((each for each in agents if each.id == subject.agent), None)
    if agent is None:
        yield NOT_KNOWN, "", "no such agent in the configuration (expected --config)"
        return
    patterns = [
        name
        for rule in agent.allow
        if rule.server == subject.server
        for name in rule.tools
    ]
    tools = {
        each.tool.partition("/")[2]
        for each in signed.profile.capabilities
        if each.tool.startswith(f"{subject.server}/")
    }
    if signed.stage is not BaselineStage.ENFORCE:
        for pattern in sorted(set(patterns) - tools):
            yield BEYOND, f"{subject.server}/{pattern}", ""
    for tool in sorted(tools):
        if not any(fnmatchcase(tool, pattern) for pattern in patterns):
            yield MISSING, f"{subject.server}/{tool}", ""
