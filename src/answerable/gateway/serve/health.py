"""Report the health of a gateway: readiness reasons, warnings and metrics."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from answerable.gateway.serve.companion_process import CompanionProcess
from answerable.gateway.serve.control_channel import MetricSeries, WorkerMetrics
from answerable.gateway.serve.metrics import (
    CONNECTION_PRESSURE,
    EVICTED_CONNECTIONS,
    REFUSED_CONNECTIONS,
    MetricSums,
    render_prometheus,
    sum_metrics,
)
from answerable.gateway.serve.signed_statements import SignedStatementDistributor
from answerable.gateway.serve.status_listener import (
    TEXT_TYPE,
    StatusPage,
    StatusPages,
    json_page,
)
from answerable.gateway.serve.worker_process import WorkerProcess
from answerable.model.policy_replay import PolicyReplayResult
from answerable.server.admission import AdmissionControl, quota_warning

# Display names of the companion servers.
_DISPLAY_NAMES = {"sts": "token service", "decisions": "decision point"}

SHIPPING_LAG = (
    600.0  # seconds of evidence in the spool alone from which readiness warns
)


@dataclass(slots=True)
class GatewayHealth:
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

    children: Sequence[WorkerProcess]
    lacks_policy: bool = False
    reload_refused: str = ""
    ship_refused: str = ""
    shipped_at: float = field(default_factory=time.monotonic)
    shipped: int = 0
    ending: bool = False
    alarms: list[str] = field(default_factory=list)
    companions: Sequence[CompanionProcess] = ()
    replayed: PolicyReplayResult = field(default_factory=PolicyReplayResult)
    statements: SignedStatementDistributor | None = None
    admission: AdmissionControl | None = None
    warnings: list[str] = field(default_factory=list)

    def status_pages(self) -> StatusPages:
        """Map each path to its page."""
        return {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }

    async def poll_workers(self) -> list[WorkerMetrics]:
        """Collect the metrics of every worker."""
        measured = [await child.collect_metrics() for child in self.children]
        self.alarms = [each.alarm for each in measured if each.alarm]
        sums = sum_metrics(each.series for each in measured)
        self.warnings = self._connection_warnings(sums)
        return measured

    def _connection_warnings(self, sums: MetricSums) -> list[str]:
        """Warn of refused connections, and of evidence that is not shipped."""
        own = self.admission
        behind = self._shipping_warnings()
        if not sums.get((CONNECTION_PRESSURE, ()), 0):
            return [*(own.warnings if own is not None else []), *behind]
        evicted, refused = (
            sum(value for (name, _), value in sums.items() if name == counted)
            for counted in (EVICTED_CONNECTIONS, REFUSED_CONNECTIONS)
        )
        return [quota_warning(int(evicted), int(refused)), *behind]

    def _shipping_warnings(self) -> list[str]:
        """Warn where evidence has been in the spool alone for too long."""
        lag = time.monotonic() - self.shipped_at
        if lag < SHIPPING_LAG:
            return []
        why = f": {self.ship_refused}" if self.ship_refused else ""
        return [f"evidence has not been shipped for {lag:.0f} s{why}"]

    def unready_reasons(self) -> list[str]:
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
                f"the {_DISPLAY_NAMES[each.name]} is not ready"
                for each in self.companions
                if not each.is_ready
            ),
            *(f"a worker cannot record: {alarm}" for alarm in self.alarms),
        ]

    async def _healthz(self) -> StatusPage:
        """Serve `/healthz`: the process is alive."""
        return StatusPage(200, TEXT_TYPE, b"ok\n")

    async def _readyz(self) -> StatusPage:
        """Serve `/readyz`: 503 with reasons while it is not ready."""
        await self.poll_workers()
        reasons = self.unready_reasons()
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

    async def _metrics(self) -> StatusPage:
        """Serve `/metrics`: the sums of all workers, and the supervisor's own."""
        measured = await self.poll_workers()
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
        if self.statements is not None:
            own["answerable_amendments"] = len(self.statements.standing)
            own["answerable_break_glass"] = self.statements.break_glass_count
            own["answerable_asks_told"] = self.statements.teller.sent_counts["sent"]
            own["answerable_asks_not_told"] = self.statements.teller.sent_counts[
                "dropped"
            ]
        series = [MetricSeries(name, (), float(value)) for name, value in own.items()]
        sums = sum_metrics([*(each.series for each in measured), series])
        return StatusPage(200, TEXT_TYPE, render_prometheus(sums))
