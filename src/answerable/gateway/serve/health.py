"""Health of a gateway, and the pages that report it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from answerable.gateway.serve.companion_process import Beside
from answerable.gateway.serve.control_channel import Measured, Series
from answerable.gateway.serve.metrics import (
    EVICTED,
    PRESSED,
    TURNED_OFF,
    Sums,
    render,
    summed,
)
from answerable.gateway.serve.signed_statements import OwnersWord
from answerable.gateway.serve.status_listener import TEXT, Page, Pages, json_page
from answerable.gateway.serve.worker_process import Child
from answerable.model.policy_replay import Replayed
from answerable.server.admission import AdmissionControl, full_warning

# Display names of the companion servers.
_CALLED = {"sts": "token service", "decisions": "decision point"}

LAG = 600.0  # seconds of evidence in the spool alone from which readiness warns


@dataclass(slots=True)
class Health:
    """Current state of a gateway.

    Attributes:
        children: Processes of the workers.
        lacks_policy: The file's policy is invalid, and none was ever loaded.
        reload_refused: Reason that the last reload failed; empty where it did not.
        ship_refused: Reason that the last shipping failed; empty where it did not.
        shipped_at: Time of the last complete shipping, monotonic seconds.
        shipped: Number of events stored so far.
        ending: New connections are refused.
        alarms: Disk error of each worker that cannot record.
        beside: Companion processes of other servers.
        replayed: Replay result of the policy in force.
        owners: Signed statements of persons.
        admission: Quotas for connections to these pages; None for none.
        warnings: Warnings that do not affect readiness.
    """

    children: Sequence[Child]
    lacks_policy: bool = False
    reload_refused: str = ""
    ship_refused: str = ""
    shipped_at: float = field(default_factory=time.monotonic)
    shipped: int = 0
    ending: bool = False
    alarms: list[str] = field(default_factory=list)
    beside: Sequence[Beside] = ()
    replayed: Replayed = field(default_factory=Replayed)
    owners: OwnersWord | None = None
    admission: AdmissionControl | None = None
    warnings: list[str] = field(default_factory=list)

    def pages(self) -> Pages:
        """Map each path to its page."""
        return {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }

    async def look(self) -> list[Measured]:
        """Collect the metrics of every worker."""
        measured = [await child.measure() for child in self.children]
        self.alarms = [each.alarm for each in measured if each.alarm]
        sums = summed(each.series for each in measured)
        self.warnings = self._warned(sums)
        return measured

    def _warned(self, sums: Sums) -> list[str]:
        own = self.admission
        behind = self._unshipped()
        if not sums.get((PRESSED, ()), 0):
            return [*(own.warnings if own is not None else []), *behind]
        evicted, refused = (
            sum(value for (name, _), value in sums.items() if name == counted)
            for counted in (EVICTED, TURNED_OFF)
        )
        return [full_warning(int(evicted), int(refused)), *behind]

    def _unshipped(self) -> list[str]:
        """Warn where evidence has been in the spool alone for too long."""
        lag = time.monotonic() - self.shipped_at
        if lag < LAG:
            return []
        why = f": {self.ship_refused}" if self.ship_refused else ""
        return [f"evidence has not been shipped for {lag:.0f} s{why}"]

    def reasons(self) -> list[str]:
        """List the reasons that the gateway is not ready; empty where it is.

        A refused reload keeps the gateway ready: the last good file is in force.
        """
        up = sum(child.is_ready for child in self.children)
        missing = len(self.children) - up
        return [
            *(["it is ending"] if self.ending else []),
            *([f"{missing} workers are not ready"] if missing else []),
            *(["no policy could be loaded"] if self.lacks_policy else []),
            *(
                f"the {_CALLED[each.name]} is not ready"
                for each in self.beside
                if not each.is_ready
            ),
            *(f"a worker cannot record: {alarm}" for alarm in self.alarms),
        ]

    async def _healthz(self) -> Page:
        return Page(200, TEXT, b"ok\n")

    async def _readyz(self) -> Page:
        await self.look()
        reasons = self.reasons()
        said = {
            "ready": not reasons,
            "reasons": reasons,
            "warnings": self.warnings,
            "reload_refused": self.reload_refused,
            "ship_refused": self.ship_refused,
            # Without agents and rules: an agent on this host may read this page, too.
            "replayed": {
                "calls": self.replayed.calls,
                "would_have_denied": self.replayed.held_back,
                "would_have_passed": self.replayed.let_through,
            },
        }
        return json_page(503 if reasons else 200, said)

    async def _metrics(self) -> Page:
        measured = await self.look()
        own = {
            "answerable_worker_restarts": sum(each.restarts for each in self.children),
            "answerable_shipped": self.shipped,
            "answerable_workers_ready": sum(each.is_ready for each in self.children),
            "answerable_workers_alarmed": len(self.alarms),
            "answerable_config_last_reload_successful": not self.reload_refused,
            "answerable_policy_missing": self.lacks_policy,
            "answerable_ship_last_successful": not self.ship_refused,
            "answerable_ship_lag_seconds": time.monotonic() - self.shipped_at,
        }
        if self.owners is not None:
            own["answerable_amendments"] = len(self.owners.standing)
            own["answerable_break_glass"] = self.owners.broken_glass
            own["answerable_asks_told"] = self.owners.teller.told["sent"]
            own["answerable_asks_not_told"] = self.owners.teller.told["dropped"]
        series = [Series(name, (), float(value)) for name, value in own.items()]
        sums = summed([*(each.series for each in measured), series])
        return Page(200, TEXT, render(sums))
