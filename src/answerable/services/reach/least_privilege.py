"""Derive the least privilege of an AWS identity from logs, with proofs by evaluation."""

from dataclasses import dataclass, field

from answerable.baseline.policy_export.aws_policy import compile_aws_policy
from answerable.baseline.policy_export.least_privilege import LeastPrivilegeCompiler
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.documents.least_privilege import ProofItem
from answerable.model.inventory import Inventory
from answerable.model.policy_export import ExportedPolicy, ExportTarget
from answerable.services.baseline.observed_actions import (
    ObservedActions,
    is_permission_set_role,
    read_observed_actions,
)
from answerable.services.reach.replaced_policies import (
    HOLDS,
    NOT_KNOWN,
    OwnPolicies,
    ReachProof,
    ReplacedPolicies,
    read_own_policies,
)
from answerable.store.store import EvidenceStore

SUBSET, OBSERVED = "subset-of-today", "observed-still-allowed"


@dataclass(slots=True)
class LeastPrivilege:
    """Policy of an identity, and its comparison with today's permissions.

    Attributes:
        proofs: By name.
        granted: Actions that the own policies allow; None if they are not known.
        reachable: Actions that it reaches, also as other identities.
        kept: Actions that the new policy allows.
        missing: Data that was not collected.
    """

    observed: ObservedActions
    policy: ExportedPolicy
    proofs: dict[str, ReachProof] = field(default_factory=dict)
    granted: frozenset[str] | None = None
    reachable: frozenset[str] | None = None
    kept: frozenset[str] | None = None
    missing: list[str] = field(default_factory=list)

    def list_proof_items(self) -> list[ProofItem]:
        """List the proofs as output items."""
        return [
            {"proof": name, "verdict": each.verdict, "details": list(each.details)}
            for name, each in self.proofs.items()
        ]


def list_unknown_proof_items() -> list[ProofItem]:
    """List the proofs of an identity without a recorded call."""
    why = ["no ingested log shows a successful call"]
    return [
        {"proof": name, "verdict": NOT_KNOWN, "details": why}
        for name in (SUBSET, OBSERVED)
    ]


def derive_policy(
    store: EvidenceStore,
    inventory: Inventory,
    identity: str,
    *,
    since: int,
    now: int,
    target: str = "",
) -> LeastPrivilege | None:
    """Derive the policy of an identity; None if no log shows a successful call.

    Args:
        identity: ARN of a role or user, as events name it.
        since: UTC nanoseconds; earlier events do not count.
        now: UTC nanoseconds.
        target: One of the AWS targets; empty for a permission set's policy for a role
            of one, else managed policies.
    """
    observed = read_observed_actions(store, identity, since=since, until=now)
    if not observed.actions:
        return None
    is_set = is_permission_set_role(identity)
    usual = ExportTarget.AWS_PERMISSION_SET if is_set else ExportTarget.AWS_POLICY
    today = read_own_policies(inventory, identity)
    compiler = LeastPrivilegeCompiler(
        observed.catalogue,
        None if today is None else today.statements,
        is_partial=today is not None and (bool(today.missing) or today.unread),
    )
    statements = compiler.list_statements(observed.actions)
    kind = ExportTarget(target) if target else usual
    found = LeastPrivilege(
        observed, compile_aws_policy(statements, kind, compiler.omitted)
    )
    _compare_with_today(inventory, identity, found, today, now)
    return found


def _prove_subset(after: ReplacedPolicies, today: OwnPolicies) -> ReachProof:
    """Prove that no permission is new; a policy that was not collected may have it."""
    proof = after.prove_subset()
    if proof.verdict == HOLDS or not today.missing:
        return proof
    return ReachProof(
        NOT_KNOWN,
        tuple(f"its policy {each} was not collected" for each in today.missing),
    )


def _compare_with_today(
    inventory: Inventory,
    identity: str,
    found: LeastPrivilege,
    today: OwnPolicies | None,
    now: int,
) -> None:
    """Compare the policy with today's permissions of the identity."""
    if today is None or not found.policy.documents:
        why = "its policies were not collected" if today is None else "no policy"
        unknown = ReachProof(NOT_KNOWN, (why,))
        found.proofs = {SUBSET: unknown, OBSERVED: unknown}
        found.missing = ["identity-policies"] if today is None else []
        return
    observed = found.observed
    after = ReplacedPolicies.build(
        inventory,
        identity,
        [each.text for each in found.policy.documents],
        observed.catalogue.services,
        now,
    )
    known = [a for a in observed.actions if observed.catalogue.find_action(a.action)]
    found.proofs = {
        SUBSET: _prove_subset(after, today),
        OBSERVED: after.prove_observed(known),
    }
    catalogue = load_catalogue()
    if not today.missing:
        found.granted, found.reachable = (
            after.list_allowed_actions(catalogue, after=False, direct=direct)
            for direct in (True, False)
        )
    found.kept = after.list_allowed_actions(catalogue, after=True, direct=True)
    found.missing = [f"identity-policies ({each})" for each in today.missing]
