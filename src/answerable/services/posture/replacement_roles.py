"""Derive the least privilege of an identity that is not of AWS, with its proofs.

Reach of Google Cloud and Kubernetes judges the exported roles: within today's
permissions, and no observed call is lost.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from answerable.baseline.policy_export.aws_profile import CLOUD_SERVER
from answerable.model.baseline import BaselineProfile
from answerable.model.documents.least_privilege import ProofItem
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.google_cloud_ids import (
    expand_logged_resource_name,
    is_service_account,
    normalise_principal,
)
from answerable.model.inventory import Inventory
from answerable.model.kubernetes_ids import parse_subject_id
from answerable.model.observed_action import ObservedAction
from answerable.model.policy_export import ExportedPolicy, ExportTarget
from answerable.reach.condition_formula import Verdict
from answerable.reach.gcp.estate_index import POLICIES
from answerable.reach.gcp.evaluator import GcpEvaluator
from answerable.services.baseline.cloud_profiles import (
    convert_event_to_calls,
    learn_from_events,
)
from answerable.services.baseline.google_cloud_drift import (
    NOT_COLLECTED as NO_BINDINGS,
)
from answerable.services.baseline.google_cloud_drift import (
    is_permission,
    list_own_permissions,
)
from answerable.services.baseline.kubernetes_drift import (
    is_rule_covered,
    list_exported_rules,
    read_granted_rules,
)
from answerable.services.baseline.policy_export import export_profiles
from answerable.services.reach.google_cloud_role import (
    GoogleCall,
    ReplacedBindings,
    evaluate_directly,
    find_project,
)
from answerable.services.reach.least_privilege import OBSERVED, SUBSET
from answerable.services.reach.platform_registry import GCP
from answerable.services.reach.replaced_policies import (
    FAILS,
    HOLDS,
    NOT_KNOWN,
    ReachProof,
)
from answerable.store.monitored_call_queries import find_events_of_identity
from answerable.store.store import EvidenceStore

_GCP_CALL = f"{CLOUD_SERVER}/gcp:"
_KUBERNETES_CALL = f"{CLOUD_SERVER}/k8s:"
_NO_CALL = "no ingested log shows a successful call"
_UNNAMED = "the identity of this credential is not known"
_NO_REACH = "permissions of this platform are not evaluated"
_MAX_DETAILS = 20


@dataclass(frozen=True, slots=True)
class DerivedRole:
    """Least privilege of an identity, and its comparison with today's permissions.

    Attributes:
        calls: Successful calls of the log.
        granted: What it may do itself today: permissions of Google Cloud, or rules of
            Kubernetes; None if they are not known.
        kept: What the role allows, in the same units; None without a role.
    """

    policy: ExportedPolicy | None
    subset: ReachProof
    observed: ReachProof
    calls: tuple[ObservedAction, ...] = ()
    granted: frozenset[str] | None = None
    kept: frozenset[str] | None = None

    @property
    def has_calls(self) -> bool:
        """Return whether a log shows a successful call of the identity."""
        return bool(self.calls)

    def list_proof_items(self) -> list[ProofItem]:
        """List the proofs as output items."""
        return [
            {"proof": name, "verdict": each.verdict, "details": list(each.details)}
            for name, each in ((SUBSET, self.subset), (OBSERVED, self.observed))
        ]


def derive_role(
    store: EvidenceStore, inventory: Inventory, identity: str, *, since: int, now: int
) -> DerivedRole:
    """Derive the role of an identity of Google Cloud or Kubernetes from its events.

    Args:
        identity: Id of the identity; empty if it is not known.
        since: UTC nanoseconds; earlier events do not count.
        now: UTC nanoseconds.
    """
    if not identity:
        return _build_unknown(_UNNAMED)
    if not has_role(identity):
        return _build_unknown(_NO_REACH)
    is_google = is_service_account(normalise_principal(identity))
    events = [
        each
        for each in find_events_of_identity(store, identity, since=since, until=now)
        if each.outcome is EventOutcome.SUCCESS
    ]
    if not events:
        return _build_unknown(_NO_CALL)
    profile = learn_from_events(events, identity, now, exact=True)
    derive = _derive_google_role if is_google else _derive_kubernetes_role
    return replace(derive(inventory, profile, now), calls=_count_calls(events))


def has_role(identity: str) -> bool:
    """Return whether an identity is of Google Cloud or Kubernetes, with roles there."""
    is_google = is_service_account(normalise_principal(identity))
    return is_google or parse_subject_id(identity) is not None


def _count_calls(events: Iterable[AuditEvent]) -> tuple[ObservedAction, ...]:
    """Count the calls of each action, with their resources."""
    resources: dict[str, set[frozenset[str]]] = defaultdict(set)
    counts: Counter[str] = Counter()
    last: dict[str, int] = {}
    for event in events:
        for call in convert_event_to_calls(event):
            action = call.tool.removeprefix(f"{CLOUD_SERVER}/")
            resources[action].add(frozenset(each.text for each in call.values))
            counts[action] += 1
            last[action] = max(last.get(action, 0), event.event_time)
    return tuple(
        ObservedAction(action, frozenset(found), counts[action], last[action])
        for action, found in sorted(resources.items())
    )


def _build_unknown(why: str, policy: ExportedPolicy | None = None) -> DerivedRole:
    """Build a result without proofs."""
    proof = ReachProof(NOT_KNOWN, (why,))
    return DerivedRole(policy, proof, proof)


def _derive_google_role(
    inventory: Inventory, profile: BaselineProfile, now: int
) -> DerivedRole:
    """Derive custom roles of a service account, with their bindings."""
    access = GCP.get_access(inventory)
    if POLICIES not in access.index.collected:
        return _build_unknown(NO_BINDINGS)
    today, identity = (
        GcpEvaluator(access),
        normalise_principal(profile.subject.identity),
    )
    project = find_project(access, identity)
    if not project:
        return _build_unknown("the project of the account is not known")
    calls = {
        (tool.removeprefix(_GCP_CALL), name): _normalise_call(today, tool, name)
        for tool, name in _list_logged_resources(profile, _GCP_CALL)
        if is_permission(tool.removeprefix(_GCP_CALL))
    }
    granted = {
        key: call
        for key, call in calls.items()
        if evaluate_directly(today, identity, call, now) is not Verdict.NEVER
    }
    profile = msgspec.structs.replace(
        profile,
        entities=tuple(
            each
            for each in profile.entities
            if (each.tool.removeprefix(_GCP_CALL), each.pattern.text) in granted
        ),
    )
    whole = {
        permission
        for permission in {permission for permission, _ in granted}
        if not permission.startswith("storage.objects.")
        and evaluate_directly(today, identity, (permission, project), now)
        is Verdict.ALWAYS
    }
    policy = export_profiles(
        [profile], ExportTarget.GCP, is_signed=True, any_resource=whole
    )
    if not policy.documents:
        return _build_unknown("; ".join(policy.refusals), policy)
    replaced = ReplacedBindings.build(inventory, identity, policy, now)
    observed = replaced.prove_observed(granted.values())
    unmapped = sorted(
        method
        for each in profile.capabilities
        if each.tool.startswith(_GCP_CALL)
        and not is_permission(method := each.tool.removeprefix(_GCP_CALL))
    )
    if unmapped and observed.verdict == HOLDS:
        details = (f"the permission of {each} is not known" for each in unmapped)
        observed = ReachProof(NOT_KNOWN, tuple(details)[:_MAX_DETAILS])
    return DerivedRole(
        policy,
        replaced.prove_subset(granted.values()),
        observed,
        granted=list_own_permissions(inventory, identity, now),
        kept=replaced.list_exported_permissions(),
    )


def _list_logged_resources(
    profile: BaselineProfile, prefix: str
) -> Iterator[tuple[str, str]]:
    """Yield the tool and the resource of each entry of a platform."""
    for each in profile.entities:
        if each.tool.startswith(prefix):
            yield each.tool, each.pattern.text


def _normalise_call(today: GcpEvaluator, tool: str, name: str) -> GoogleCall:
    """Return a logged call with the full name of its resource."""
    permission = tool.removeprefix(_GCP_CALL)
    full = expand_logged_resource_name(name, permission.partition(".")[0])
    return permission, today.normalise_resource(full)


def _derive_kubernetes_role(
    inventory: Inventory, profile: BaselineProfile, now: int
) -> DerivedRole:
    """Derive roles of a service account or user, with their bindings."""
    identity = profile.subject.identity
    subject = parse_subject_id(identity)
    policy = export_profiles([profile], ExportTarget.K8S_RBAC, is_signed=True)
    granted = read_granted_rules(inventory, identity, now)
    if subject is None or not policy.documents or granted.missing:
        return _build_unknown("; ".join(granted.missing or policy.refusals), policy)
    rules = set(list_exported_rules(policy.documents[0].text, subject.cluster))
    gained = [
        f"{verb} on {resource}"
        for verb, resource in sorted(rules)
        if not is_rule_covered(verb, resource, granted.rules)
    ]
    lost = [
        f"{verb} on {resource}"
        for tool, resource in _list_logged_resources(profile, _KUBERNETES_CALL)
        for verb in [tool.removeprefix(_KUBERNETES_CALL)]
        if not is_rule_covered(verb, resource, rules)
    ]
    subset = _build_proof(gained)
    if gained and granted.gaps:
        subset = ReachProof(NOT_KNOWN, granted.gaps[:_MAX_DETAILS])
    return DerivedRole(
        policy,
        subset,
        _build_proof(lost),
        granted=frozenset(f"{verb} {resource}" for verb, resource in granted.rules),
        kept=frozenset(f"{verb} {resource}" for verb, resource in rules),
    )


def _build_proof(against: Sequence[str]) -> ReachProof:
    """Build a proof from the calls that contradict it."""
    return ReachProof(FAILS if against else HOLDS, tuple(against[:_MAX_DETAILS]))
