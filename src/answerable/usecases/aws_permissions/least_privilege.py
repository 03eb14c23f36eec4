"""Derive the least privilege of an identity from logs (`least-privilege`)."""

from collections import Counter
from collections.abc import Iterator, Sequence

from answerable.baseline.policy_export.aws_profile import is_privileged_action
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.inventory.name_resolution import resolve_entity_by_name
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.documents.least_privilege import (
    LeastPrivilegeItem,
    ObservedActionItem,
    ServiceUsageItem,
)
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.errors import AnswerableError, PartialError, UsageError
from answerable.model.inventory import Inventory
from answerable.model.observed_action import ObservedAction
from answerable.presentation import answer_coverage
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.policy_text import (
    build_clause_items,
    build_policy_file_items,
)
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.services.baseline.google_cloud_drift import is_permission
from answerable.services.lineage.recorded_calls import LogCoverage, read_log_coverage
from answerable.services.posture.replacement_roles import (
    DerivedRole,
    derive_role,
    has_role,
)
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.reach.least_privilege import LeastPrivilege, derive_policy
from answerable.services.reach.replaced_policies import FAILS, NOT_KNOWN
from answerable.store.event_gaps import read_event_gaps
from answerable.store.monitored_call_queries import read_successful_call_span
from answerable.store.store import EvidenceStore


@serialize_queries
def derive_least_privilege(
    store: EvidenceStore,
    inventory: Inventory,
    identity: str,
    *,
    since: int,
    now: int,
    target: str = "",
) -> Document:
    """Derive the smallest policy that allows what an identity was seen to do.

    Args:
        identity: ARN of a role or user, as events name it; or a service account of
            Google Cloud or Kubernetes; or the name of a known identity.
        since: UTC nanoseconds; earlier events do not count.
        now: UTC nanoseconds.
        target: One of the AWS targets; empty for a permission set's policy for a role
            of one, else managed policies.

    Raises:
        UsageError: The log has no successful event of the identity, or a name is
            unknown.
        PartialError: It has none, and events of the log cannot be read.
        AmbiguousError: A name is that of several identities.
    """
    identity = _resolve_identity(inventory, identity)
    if identity.endswith(":root"):
        raise UsageError(
            f"the root user of an account has no policies to reduce (got {identity})",
            "name a role or user",
        )
    if has_role(identity):
        if target:
            raise UsageError(
                f"{identity} is not an AWS identity (got --to {target})", "omit --to"
            )
        return _derive_other_platform(store, inventory, identity, since, now)
    found = derive_policy(
        store, inventory, identity, since=since, now=now, target=target
    )
    if found is None:
        raise _build_no_calls_error(store, identity, since, "cloudtrail:PATH")
    policy = found.policy
    trail = read_log_coverage(store, load_catalogue())
    item = _build_item(identity, found, trail)
    verdicts = {each.verdict for each in found.proofs.values()}
    return Document(
        "least-privilege",
        [item],
        _build_coverage(inventory, now, found, trail, identity),
        failed=FAILS in verdicts or bool(policy.refusals),
        undecided="data for a proof is missing" if NOT_KNOWN in verdicts else "",
    )


def _resolve_identity(inventory: Inventory, text: str) -> str:
    """Return an id as it is, and the id of the identity that a bare name names.

    A log may name identities that no scan describes, so every id is accepted.
    """
    is_id = text.isprintable() and any(mark in text for mark in ":@")
    return text if is_id else resolve_entity_by_name(inventory, text, ("identity",))


def _build_no_calls_error(
    store: EvidenceStore, identity: str, since: int, logs: str
) -> AnswerableError:
    """Build the error about an identity without a successful call since a time."""
    span = read_successful_call_span(store, identity)
    message = f"no log shows a successful call of {identity} since {format_time(since)}"
    gaps = read_event_gaps(store)
    if gaps.unreadable:
        return PartialError(
            f"{message}, and events are missing: {gaps.unreadable[0]}",
            "answerable store repair --from FOLDER restores them from a copy",
        )
    message += f" (not in the store: {'; '.join(gaps.removed)})" if gaps.removed else ""
    hint = f"ingest a log (answerable ingest {logs})"
    if identity.startswith("arn:") and set("*?") & set(identity):
        hint = "name one identity by its ARN, not a pattern"
    elif span is not None:
        hint = (
            f"the log has calls of it from {format_time(span[0])} to "
            f"{format_time(span[1])}: name an earlier --since"
        )
    elif identity.startswith("arn:"):
        hint += "; identities are named by the ARN of a role or user, as in events"
    return UsageError(message, hint)


def _derive_other_platform(
    store: EvidenceStore, inventory: Inventory, identity: str, since: int, now: int
) -> Document:
    """Derive the roles of an identity of Google Cloud or Kubernetes.

    Raises:
        UsageError: The log has no successful event of the identity.
        PartialError: The same, and events of the log cannot be read.
    """
    role = derive_role(store, inventory, identity, since=since, now=now)
    if not role.has_calls:
        logs = "gcp-audit:PATH or k8s-audit:PATH"
        raise _build_no_calls_error(store, identity, since, logs)
    policy = role.policy
    proofs = role.list_proof_items()
    verdicts = {each["verdict"] for each in proofs}
    item: LeastPrivilegeItem = {
        "identity": identity,
        "identities": [identity],
        "target": policy.target.value if policy else "",
        "recorded_since": None,
        "granted": _count_names(role.granted),
        "reachable": None,
        "used": len(role.calls),
        "kept": _count_names(role.kept),
        "services": [],
        "actions": [_build_call_item(each, role) for each in role.calls],
        "proofs": proofs,
        "policies": build_policy_file_items(policy, identity.rpartition("/")[2])
        if policy
        else [],
        "refusals": list(policy.refusals) if policy else [],
        "omitted": build_clause_items(policy) if policy else [],
    }
    return Document(
        "least-privilege",
        [item],
        answer_coverage.build_coverage(inventory, now, []),
        failed=FAILS in verdicts or bool(policy and policy.refusals),
        undecided="a proof lacks data" if NOT_KNOWN in verdicts else "",
    )


def _build_call_item(observed: ObservedAction, role: DerivedRole) -> ObservedActionItem:
    """Build the output row of one call of Google Cloud or Kubernetes."""
    name = observed.action.partition(":")[2]
    kept = {each.partition(" ")[0] for each in role.kept or ()}
    state = "kept" if name in kept else "not-granted"
    if observed.action.startswith("gcp:") and not is_permission(name):
        state = "no-action"
    return {
        "action": observed.action,
        "calls": observed.count,
        "last_used": format_time(observed.last),
        "state": state,
        "resources": sorted(observed.resources),
        "unnamed": observed.has_unnamed,
        "privileged": False,
        "via": [],
    }


def _build_item(
    identity: str, found: LeastPrivilege, trail: LogCoverage
) -> LeastPrivilegeItem:
    """Build the output item of an identity."""
    observed, policy = found.observed, found.policy
    account = get_arn_account(identity)
    is_logged = account in trail.logs
    return {
        "identity": identity,
        "identities": list(observed.identities),
        "target": policy.target.value,
        "recorded_since": format_time(trail.logs[account].since) if is_logged else None,
        "granted": _count_names(found.granted),
        "reachable": _count_names(found.reachable),
        "used": len(observed.actions),
        "kept": _count_names(found.kept),
        "services": list(_list_services(found, trail, account)),
        "actions": [
            _build_action_item(each, observed.catalogue, found)
            for each in observed.actions
        ],
        "proofs": found.list_proof_items(),
        "policies": build_policy_file_items(policy, identity.rpartition("/")[2]),
        "refusals": list(policy.refusals),
        "omitted": build_clause_items(policy),
    }


def _count_names(names: frozenset[str] | None) -> int | None:
    """Count names; None if they are not known."""
    return None if names is None else len(names)


def _list_services(
    found: LeastPrivilege, trail: LogCoverage, account: str
) -> Iterator[ServiceUsageItem]:
    """Yield the granted actions of each service, by what the log says of their use."""
    used = {each.action for each in found.observed.actions}
    counts: dict[str, Counter[str]] = {}
    for action in sorted(found.granted or ()):
        kinds = counts.setdefault(action.partition(":")[0], Counter())
        if action in used:
            kinds["used"] += 1
        else:
            missing = trail.find_missing_log(action, (account,))
            kinds["not_recorded" if missing else "unused"] += 1
    for service, kinds in counts.items():
        yield {
            "service": service,
            "granted": kinds.total(),
            "used": kinds["used"],
            "unused": kinds["unused"],
            "not_recorded": kinds["not_recorded"],
        }


def _build_action_item(
    observed: ObservedAction, catalogue: ActionCatalogue, found: LeastPrivilege
) -> ObservedActionItem:
    """Build the output row of one observed action."""
    action = catalogue.find_action(observed.action)
    state = "kept"
    if action is None:
        state = "no-action"
    elif found.granted is not None and observed.action not in found.granted:
        state = "not-granted"
    elif found.granted is None and _is_not_in_policy(observed.action, found):
        state = "not-known"
    return {
        "action": observed.action,
        "calls": observed.count,
        "last_used": format_time(observed.last),
        "state": state,
        "resources": sorted(observed.resources),
        "unnamed": observed.has_unnamed
        and bool(action and not action.takes_only_wildcard_resource),
        "privileged": bool(action and is_privileged_action(action)),
        "via": sorted(observed.via),
    }


def _is_not_in_policy(action: str, found: LeastPrivilege) -> bool:
    """Return whether the derived policy does not allow an action, or there is none."""
    if found.kept is None:
        return not found.policy.documents
    return action not in found.kept


def _build_coverage(
    inventory: Inventory,
    now: int,
    found: LeastPrivilege,
    trail: LogCoverage,
    identity: str,
) -> CoverageRecord:
    """Build the coverage of the answer: data that could change it."""
    account = get_arn_account(identity)
    silent: Sequence[str] = [] if account in trail.logs else ["cloudtrail"]
    coverage = answer_coverage.build_coverage(
        inventory, now, sorted({*found.missing, *silent})
    )
    coverage["recorded"] = trail.list_recorded_days([account])
    return coverage
