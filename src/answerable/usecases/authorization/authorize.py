"""Authorization of one request in memory: policy, revocations, exceptions.

Servers call it while an agent waits: it reads no file, takes no lock and never raises.
Its state is replaced as a whole, so a call sees one policy.
"""

import threading
from collections.abc import Callable

from answerable.authorization.decision import NOTHING_STANDS, Standing, decide
from answerable.authorization.decision_table import Table, without_policy
from answerable.authorization.policy_exceptions import Amendments, amended
from answerable.authorization.quarantine import Quarantine
from answerable.authorization.revocations import NO_KILLS, Kills
from answerable.model.decision import Decision, Request


class Authority:
    """Policy in force in one process.

    Args:
        table: Decision table; one that denies everything if no policy was loaded.
    """

    def __init__(self, table: Table | None = None) -> None:
        self._table = table or without_policy(())
        self._standing: Standing = NOTHING_STANDS
        self._cuts: list[Callable[[Kills], None]] = []
        self._cut: Kills = NO_KILLS
        self._changing = threading.Lock()

    @property
    def table(self) -> Table:
        """Compiled policy in force."""
        return self._table

    @property
    def policy(self) -> str:
        """Digest of the policy in force, empty if there is none."""
        return self._table.policy

    @property
    def kills(self) -> Kills:
        """Subjects that are revoked."""
        return self._standing.kills

    def authorize(self, request: Request) -> Decision:
        """Decide one request. Never raises: an error is a denial with its reason."""
        table = self._table
        try:
            return decide(table, self._standing, request)
        except Exception:  # noqa: BLE001 - whatever went wrong, the answer is no
            return table.failed

    def amended(self, request: Request, decision: Decision) -> Decision:
        """Lift a denial by a baseline if a policy exception covers the request."""
        return amended(self._standing.amendments, request, decision)

    def trial(self, table: Table) -> "Authority":
        """Return an authorizer with another policy and all other state unchanged."""
        other = Authority(table)
        other._standing = self._standing
        return other

    def lists(self, request: Request) -> Decision:
        """Decide whether a listing shows an item: some arguments may be allowed.

        Never raises; the call itself is decided when it comes.
        """
        table = self._table
        try:
            return decide(table, self._standing, request, listed=True)
        except Exception:  # noqa: BLE001 - as above
            return table.failed

    def swap(self, table: Table) -> None:
        """Replace the policy for all later calls."""
        self._table = table

    def hold_kills(self, kills: Kills) -> None:
        """Set the revocations without notifying listeners; thread-safe."""
        self._stand(kills=kills)

    def set_kills(self, kills: Kills) -> None:
        """Set the revocations and notify the listeners about new ones."""
        self._stand(kills=kills)
        new, self._cut = kills - self._cut, kills
        if new:
            for cut in self._cuts:
                cut(new)

    def on_kill(self, cut: Callable[[Kills], None]) -> None:
        """Register a callback that receives newly revoked subjects."""
        self._cuts.append(cut)

    def set_quarantine(self, quarantine: Quarantine) -> None:
        """Block quarantined tool definitions from the next call on."""
        self._stand(quarantine=quarantine)

    def set_amendments(self, amendments: Amendments) -> None:
        """Apply these policy exceptions from the next call on."""
        self._stand(amendments=amendments)

    def _stand(
        self,
        *,
        kills: Kills | None = None,
        quarantine: Quarantine | None = None,
        amendments: Amendments | None = None,
    ) -> None:
        """Replace part of the decision state; revocations come from another thread."""
        with self._changing:
            before = self._standing
            self._standing = Standing(
                kills=before.kills if kills is None else kills,
                quarantine=before.quarantine if quarantine is None else quarantine,
                amendments=before.amendments if amendments is None else amendments,
            )
