"""Report the health of a gateway's processes: reasons, warnings and metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from answerable.gateway.serve.companion_process import CompanionProcess
from answerable.gateway.serve.control_channel import MetricSeries, WorkerMetrics
from answerable.gateway.serve.metrics import (
    CONNECTION_PRESSURE,
    EVICTED_CONNECTIONS,
    REFUSED_CONNECTIONS,
    render_prometheus,
    sum_metrics,
)
from answerable.gateway.serve.worker_process import WorkerProcess
from answerable.server.admission import quota_warning

# Display names of the companion servers.
_DISPLAY_NAMES = {
    "sts": "token service",
    "decisions": "decision point",
    "web": "web page",
    "collector": "collector",
}
SHIPPING_LAG = (
    600.0  # seconds of evidence in the spool alone from which readiness warns
)


def evidence_shipping_warnings(lag: float, refused: str) -> list[str]:
    """Warn where evidence has been in the spool alone for too long.

    Args:
        lag: Seconds since the last complete shipping.
        refused: Reason that the last shipping failed; empty where it did not.
    """
    if lag < SHIPPING_LAG:
        return []
    why = f": {refused}" if refused else ""
    return [f"evidence has not been shipped for {lag:.0f} s{why}"]


@dataclass(slots=True)
class WorkerHealth:
    """Health of the workers and the companions of a gateway.

    Attributes:
        children: Processes of the workers.
        companions: Companion processes of other servers.
        lacks_policy: The file's policy is invalid, and none was ever loaded.
        alarms: Disk error of each worker that cannot record.
        measured: Metrics of each worker, as last collected.
    """

    children: Sequence[WorkerProcess]
    companions: Sequence[CompanionProcess] = ()
    lacks_policy: bool = False
    alarms: list[str] = field(default_factory=list)
    measured: list[WorkerMetrics] = field(default_factory=list)

    async def poll_workers(self) -> None:
        """Collect the metrics of every worker."""
        self.measured = [await child.collect_metrics() for child in self.children]
        self.alarms = [each.alarm for each in self.measured if each.alarm]

    def connection_warnings(self) -> list[str]:
        """Warn of connections that workers refused or closed."""
        sums = sum_metrics(each.series for each in self.measured)
        if not sums.get((CONNECTION_PRESSURE, ()), 0):
            return []
        evicted, refused = (
            sum(value for (name, _), value in sums.items() if name == counted)
            for counted in (EVICTED_CONNECTIONS, REFUSED_CONNECTIONS)
        )
        return [quota_warning(int(evicted), int(refused))]

    def not_ready_reasons(self) -> list[str]:
        """List the reasons that the gateway is not ready; empty where it is.

        A refused reload keeps the gateway ready: the last good file is in force.
        """
        missing = sum(not child.is_ready for child in self.children)
        return [
            *([f"{missing} workers are not ready"] if missing else []),
            *(["no policy could be loaded"] if self.lacks_policy else []),
            *(
                f"the {_DISPLAY_NAMES[each.name]} is not ready"
                for each in self.companions
                if not each.is_ready
            ),
            *(f"a worker cannot record: {alarm}" for alarm in self.alarms),
        ]

    def render_metrics(self, own: Mapping[str, float]) -> bytes:
        """Render the sums of all workers, and the supervisor's own metrics.

        Args:
            own: Metrics of the supervisor by name.
        """
        own = {
            "answerable_worker_restarts": sum(each.restarts for each in self.children),
            "answerable_workers_ready": sum(each.is_ready for each in self.children),
            "answerable_workers_alarmed": len(self.alarms),
            "answerable_policy_missing": self.lacks_policy,
            **own,
        }
        series = [MetricSeries(name, (), float(value)) for name, value in own.items()]
        sums = sum_metrics([*(each.series for each in self.measured), series])
        return render_prometheus(sums)
