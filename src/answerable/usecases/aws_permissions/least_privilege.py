"""Derive the least privilege of an AWS identity from logs (`least-privilege`)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from answerable.baseline.policy_export.aws_policy import compile_aws_policy
from answerable.baseline.policy_export.aws_profile import is_privileged_action
from answerable.baseline.policy_export.least_privilege import LeastPrivilegeCompiler
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.documents.least_privilege import (
    LeastPrivilegeItem,
    ObservedActionItem,
    ProofItem,
    ServiceUsageItem,
)
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.errors import UsageError
from answerable.model.inventory import Inventory
from answerable.model.observed_action import ObservedAction
from answerable.model.policy_export import ExportedPolicy, ExportTarget
from answerable.presentation import answer_coverage
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.policy_text import (
    build_clause_items,
    build_policy_file_items,
)
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.services.baseline.observed_actions import (
    ObservedActions,
    is_permission_set_role,
    read_observed_actions,
)
from answerable.services.lineage.recorded_calls import LogCoverage, read_log_coverage
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.reach.replaced_policies import (
    FAILS,
    NOT_KNOWN,
    OwnPolicies,
    ReachProof,
    ReplacedPolicies,
    read_own_policies,
)
from answerable.store.store import EvidenceStore

_SUBSET, _OBSERVED = "subset-of-today", "observed-still-allowed"


@dataclass(slots=True)
class _Findings:
    """Results of the comparison with today's permissions.

    Attributes:
        proofs: By name.
        granted: Actions that the own policies allow; None if they are not known.
        reachable: Actions that it reaches, also as other identities.
        kept: Actions that the new policy allows.
        missing: Data that was not collected.
    """

    proofs: dict[str, ReachProof] = field(default_factory=dict)
    granted: frozenset[str] | None = None
    reachable: frozenset[str] | None = None
    kept: frozenset[str] | None = None
    missing: list[str] = field(default_factory=list)


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
        identity: ARN of a role or user, as events name it.
        since: UTC nanoseconds; earlier events do not count.
        now: UTC nanoseconds.
        target: One of the AWS targets; empty for a permission set's policy for a role
            of one, else managed policies.

    Raises:
        UsageError: The log has no successful event of the identity.
    """
    observed = read_observed_actions(store, identity, since=since, until=now)
    if not observed.actions:
        raise UsageError(
            f"no log shows a successful call of {identity} since {format_time(since)}",
            "ingest a log (answerable ingest cloudtrail:PATH), or name an earlier "
            "--since; identities are named by their ARN",
        )
    is_set = is_permission_set_role(identity)
    usual = ExportTarget.AWS_PERMISSION_SET if is_set else ExportTarget.AWS_POLICY
    today = read_own_policies(inventory, identity)
    compiler = LeastPrivilegeCompiler(
        observed.catalogue, None if today is None else today.statements
    )
    statements = compiler.list_statements(observed.actions)
    kind = ExportTarget(target) if target else usual
    policy = compile_aws_policy(statements, kind, compiler.omitted)
    found = _prove(inventory, identity, observed, policy, today, now)
    trail = read_log_coverage(store, load_catalogue())
    item = _build_item(identity, observed, policy, found, trail)
    verdicts = {each.verdict for each in found.proofs.values()}
    return Document(
        "least-privilege",
        [item],
        _build_coverage(inventory, now, found, trail, identity),
        failed=FAILS in verdicts or bool(policy.refusals),
        undecided="a proof lacks data" if NOT_KNOWN in verdicts else "",
    )


def _prove(
    inventory: Inventory,
    identity: str,
    observed: ObservedActions,
    policy: ExportedPolicy,
    today: OwnPolicies | None,
    now: int,
) -> _Findings:
    """Compare the policy with today's permissions of the identity."""
    if today is None or not policy.documents:
        why = "its policies were not collected" if today is None else "no policy"
        unknown = ReachProof(NOT_KNOWN, (why,))
        missing = ["identity-policies"] if today is None else []
        return _Findings({_SUBSET: unknown, _OBSERVED: unknown}, missing=missing)
    after = ReplacedPolicies.build(
        inventory,
        identity,
        [each.text for each in policy.documents],
        observed.catalogue.services,
        now,
    )
    catalogue = load_catalogue()
    return _Findings(
        {
            _SUBSET: after.prove_subset(),
            _OBSERVED: after.prove_observed(
                each
                for each in observed.actions
                if observed.catalogue.find_action(each.action)
            ),
        },
        after.list_allowed_actions(catalogue, after=False, direct=True),
        after.list_allowed_actions(catalogue, after=False, direct=False),
        after.list_allowed_actions(catalogue, after=True, direct=True),
        [f"identity-policies ({each})" for each in today.missing],
    )


def _build_item(
    identity: str,
    observed: ObservedActions,
    policy: ExportedPolicy,
    found: _Findings,
    trail: LogCoverage,
) -> LeastPrivilegeItem:
    """Build the output item of an identity."""
    account = get_arn_account(identity)
    is_logged = account in trail.logs
    return {
        "identity": identity,
        "identities": list(observed.identities),
        "target": policy.target.value,
        "recorded_since": format_time(trail.logs[account].since) if is_logged else None,
        "granted": _count(found.granted),
        "reachable": _count(found.reachable),
        "used": len(observed.actions),
        "kept": _count(found.kept),
        "services": list(_list_services(found, observed, trail, account)),
        "actions": [
            _build_action_item(each, observed.catalogue, found)
            for each in observed.actions
        ],
        "proofs": [_build_proof_item(*each) for each in found.proofs.items()],
        "policies": build_policy_file_items(policy, identity.rpartition("/")[2]),
        "refusals": list(policy.refusals),
        "omitted": build_clause_items(policy),
    }


def _count(names: frozenset[str] | None) -> int | None:
    """Count names; None if they are not known."""
    return None if names is None else len(names)


def _list_services(
    found: _Findings, observed: ObservedActions, trail: LogCoverage, account: str
) -> Iterator[ServiceUsageItem]:
    """Yield the granted actions of each service, by what the log says of their use."""
    used = {each.action for each in observed.actions}
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
    observed: ObservedAction, catalogue: ActionCatalogue, found: _Findings
) -> ObservedActionItem:
    """Build the output row of one observed action."""
    action = catalogue.find_action(observed.action)
    state = "kept"
    if action is None:
        state = "no-action"
    elif found.granted is not None and observed.action not in found.granted:
        state = "not-granted"
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


def _build_proof_item(name: str, proof: ReachProof) -> ProofItem:
    """Build the output item of a proof."""
    return {"proof": name, "verdict": proof.verdict, "details": list(proof.details)}


def _build_coverage(
    inventory: Inventory,
    now: int,
    found: _Findings,
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
