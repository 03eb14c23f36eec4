"""Compare permissions in force with signed profiles (`baseline check --deployed`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from answerable.baseline.policy_export.aws_profile import CLOUD_SERVER
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.baseline import BaselineStage
from answerable.model.config import Config
from answerable.model.documents.policy_export import DeployedDriftItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.google_cloud_ids import is_service_account, normalise_principal
from answerable.model.inventory import Inventory
from answerable.model.kubernetes_ids import parse_subject_id
from answerable.model.policy_drift import BEYOND, MISSING, NOT_KNOWN, PermissionDrift
from answerable.model.policy_export import ExportTarget
from answerable.presentation import answer_coverage
from answerable.services.baseline.azure_drift import list_azure_drift
from answerable.services.baseline.google_cloud_drift import list_google_cloud_drift
from answerable.services.baseline.kubernetes_drift import list_kubernetes_drift
from answerable.services.baseline.policy_export import export_profiles
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.reach.replaced_policies import (
    ReplacedPolicies,
    read_own_policies,
)
from answerable.services.statements import signed_baselines
from answerable.services.statements.signed_baselines import ActiveBaseline
from answerable.store.store import EvidenceStore

_NOT_COMPARED = ("github", "okta", "anthropic", "openai", "postgres")
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
        for item in _yield_drift(context, each)
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


def _yield_drift(
    context: _Context, signed: ActiveBaseline
) -> Iterator[DeployedDriftItem]:
    """Yield the drift of one signed profile."""
    subject = signed.subject
    if subject.server != CLOUD_SERVER:
        platform, found = "gateway", _compare_gateway(context.config, signed)
    elif parse_subject_id(subject.identity):
        found = list_kubernetes_drift(context.inventory, signed.profile, context.now)
        platform = "kubernetes"
    elif subject.identity.startswith("arn:"):
        platform, found = "aws", _compare_aws(context, signed)
    elif is_service_account(normalise_principal(subject.identity)):
        found = list_google_cloud_drift(context.inventory, signed.profile, context.now)
        platform = "gcp"
    elif (prefix := subject.identity.partition(":")[0]) in _NOT_COMPARED:
        platform = prefix
        found = iter([(NOT_KNOWN, "", f"permissions of {prefix} are not compared")])
    else:
        platform, found = "azure", list_azure_drift(context.inventory, signed.profile)
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


def _compare_aws(
    context: _Context, signed: ActiveBaseline
) -> Iterator[PermissionDrift]:
    """Compare the policies of a role or user with the signed profile, by evaluation.

    Its direct permissions are compared before its reach: with a permission to edit its
    own policies, it reaches everything on both sides. A policy that was not collected
    may allow or deny anything.
    """
    identity = signed.subject.identity
    exported = export_profiles(
        [signed.profile], ExportTarget.AWS_POLICY, is_signed=True
    )
    own = read_own_policies(context.inventory, identity)
    if own is None:
        yield NOT_KNOWN, "", "its policies were not collected (answerable scan aws:)"
        return
    if not exported.documents:
        yield NOT_KNOWN, "", "; ".join(exported.refusals)
        return
    for policy in own.missing:
        yield NOT_KNOWN, "", f"its policy {policy} was not collected"
    if own.missing:
        return
    if own.unread:
        yield NOT_KNOWN, "", "a statement of its policies was not understood"
    replaced = ReplacedPolicies.build(
        context.inventory,
        identity,
        [each.text for each in exported.documents],
        (),
        context.now,
    )
    for direct in (True, False):
        found: dict[PermissionDrift, None] = {}
        changes, _ = replaced.list_changes(direct=direct)
        for change in changes:
            action = str(change["action"])
            known = load_catalogue({action.partition(":")[0]}).find_action(action)
            drift = _DRIFT_OF_CHANGE[change["change"]]
            found[drift, str(known or action), change["resource"]] = None
        yield from found
        if any(drift != NOT_KNOWN for drift, _, _ in found):
            return  # what it reaches follows from these


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
