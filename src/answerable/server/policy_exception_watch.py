"""Watch the signed policy exceptions in a store, and apply the valid ones.

A signature, a revocation, a key that is no longer trusted and a change of owner take
effect within a second.
"""

from pathlib import Path

from answerable.model.policy_exception import PolicyException, PolicyExceptionInvalidity
from answerable.server.store_watch import (
    ChangeListener,
    FailureListener,
    RejectionListener,
    Rejections,
    StoreWatch,
)
from answerable.services.statements.policy_exceptions import (
    PolicyExceptionReader,
    PolicyExceptions,
)
from answerable.store.store import EvidenceStore

# Ordinary ends of policy exceptions, which are not reported.
_EXPECTED_REASONS = (
    None,
    PolicyExceptionInvalidity.ENDED,
    PolicyExceptionInvalidity.REVOKED,
    PolicyExceptionInvalidity.UNCONFIRMED,
)


class PolicyExceptionWatch(StoreWatch[tuple[PolicyException, ...]]):
    """Watch over the policy exceptions of a store.

    Attributes:
        held: Result of the last reading; None before the first.
    """

    _nothing = ()
    _of: PolicyExceptionReader

    def __init__(
        self,
        root: Path,
        changed: ChangeListener[tuple[PolicyException, ...]],
        unheld: RejectionListener,
        refused: FailureListener,
    ) -> None:
        super().__init__(root, changed, unheld, refused)
        self.held: PolicyExceptions | None = None

    def _read_valid(
        self, store: EvidenceStore, now: int, *, is_new_store: bool
    ) -> tuple[tuple[PolicyException, ...], Rejections]:
        """Return the valid exceptions, and the rejected ones with reasons."""
        if is_new_store:
            self._of = PolicyExceptionReader(store)
        self.held = held = self._of.read(now)
        unheld = [(each.digest, each.why) for each in held.rejected]
        unheld += [
            (each.exception.id, each.invalidity.value)
            for each in held.statuses
            if each.invalidity not in _EXPECTED_REASONS
        ]
        return held.active, unheld

    def _clear_statements(self) -> None:
        """Drop every exception, because the store cannot be read."""
        self.held = None
        super()._clear_statements()
