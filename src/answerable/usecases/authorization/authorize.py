"""Decide one request in memory from policy, revocations and policy exceptions.

Servers call it while an agent waits: it reads no file, takes no lock and never raises.
Its state is replaced as a whole, so a call sees one policy.
"""

import threading
from collections.abc import Callable

from answerable.authorization.decision import EMPTY_STATE, PolicyOverrides, decide
from answerable.authorization.decision_table import (
    DecisionTable,
    build_missing_policy_table,
)
from answerable.authorization.policy_exceptions import ExceptionIndex, apply_exceptions
from answerable.authorization.quarantine import Quarantine
from answerable.authorization.revocations import NO_REVOCATIONS, Revocations
from answerable.model.decision import AuthorizationRequest, Decision


class Authorizer:
    """Policy in force in one process.

    Args:
        table: Decision table; one that denies everything if no policy was loaded.
    """

    def __init__(self, table: DecisionTable | None = None) -> None:
        self._table = table or build_missing_policy_table(())
        self._standing: PolicyOverrides = EMPTY_STATE
        self._cuts: list[Callable[[Revocations], None]] = []
        self._cut: Revocations = NO_REVOCATIONS
        self._changing = threading.Lock()

    @property
    def decision_table(self) -> DecisionTable:
        """Compiled policy in force."""
        return self._table

    @property
    def policy_digest(self) -> str:
        """Digest of the policy in force, empty if there is none."""
        return self._table.policy

    @property
    def revocations(self) -> Revocations:
        """Subjects that are revoked."""
        return self._standing.revocations

    def authorize(self, request: AuthorizationRequest) -> Decision:
        """Decide one request. Never raises: an error is a denial with its reason."""
        table = self._table
        try:
            return decide(table, self._standing, request)
        except Exception:  # noqa: BLE001 - any failure is a denial
            return table.failed

    def apply_exceptions(
        self, request: AuthorizationRequest, decision: Decision
    ) -> Decision:
        """Lift a denial by a baseline if a policy exception covers the request."""
        return apply_exceptions(self._standing.exceptions, request, decision)

    def with_policy(self, table: DecisionTable) -> "Authorizer":
        """Return an authorizer with another policy and all other state unchanged."""
        other = Authorizer(table)
        other._standing = self._standing
        return other

    def decide_listing(self, request: AuthorizationRequest) -> Decision:
        """Decide whether `tools/list` shows a tool: some call may be allowed.

        Never raises; the call itself is decided when it comes.
        """
        table = self._table
        try:
            return decide(table, self._standing, request, for_listing=True)
        except Exception:  # noqa: BLE001 - as above
            return table.failed

    def replace_policy(self, table: DecisionTable) -> None:
        """Replace the compiled policy table for all later calls."""
        self._table = table

    def apply_revocations(self, revocations: Revocations) -> None:
        """Set the revocations without notifying listeners; thread-safe."""
        self._replace_policy_overrides(kills=revocations)

    def update_revocations(self, revocations: Revocations) -> None:
        """Set the revocations and notify the listeners about new ones."""
        self._replace_policy_overrides(kills=revocations)
        new, self._cut = revocations - self._cut, revocations
        if new:
            for cut in self._cuts:
                cut(new)

    def add_revocation_listener(self, listener: Callable[[Revocations], None]) -> None:
        """Register a callback that receives newly revoked subjects."""
        self._cuts.append(listener)

    def set_quarantine(self, quarantine: Quarantine) -> None:
        """Block quarantined tool definitions from the next call on."""
        self._replace_policy_overrides(quarantine=quarantine)

    def set_policy_exceptions(self, exceptions: ExceptionIndex) -> None:
        """Apply these policy exceptions from the next call on."""
        self._replace_policy_overrides(amendments=exceptions)

    def _replace_policy_overrides(
        self,
        *,
        kills: Revocations | None = None,
        quarantine: Quarantine | None = None,
        amendments: ExceptionIndex | None = None,
    ) -> None:
        """Replace part of the decision state; revocations come from another thread."""
        with self._changing:
            before = self._standing
            self._standing = PolicyOverrides(
                revocations=before.revocations if kills is None else kills,
                quarantine=before.quarantine if quarantine is None else quarantine,
                exceptions=before.exceptions if amendments is None else amendments,
            )
