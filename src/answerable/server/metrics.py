"""Render the metrics of one server in the text format of Prometheus."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from answerable.server.admission import CONNECTIONS, AdmissionControl
from answerable.server.recording.server_recorder import ServerRecorder

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Gauges = Mapping[str, tuple[str, float]]  # name -> (what it says, value)


@dataclass(frozen=True, slots=True)
class MetricNames:
    """Names of a server's metrics.

    Attributes:
        door: Prefix of each name.
        counted: Request counter: its name, description, and labels.
        away: Description of the counter of refused requests.
        unrecorded: Description of the counter of requests without a record.
    """

    door: str
    counted: tuple[str, str, tuple[str, ...]]
    away: str
    unrecorded: str


def render_metrics(
    names: MetricNames,
    recorder: ServerRecorder,
    gauges: Gauges,
    admission: AdmissionControl,
) -> bytes:
    """Render every metric as Prometheus text.

    Args:
        names: Names of the metrics.
        recorder: Recorder with the counters.
        gauges: Further gauges.
        admission: Quotas with the connection counters.
    """
    return generate_latest(_ServerCollector(names, recorder, gauges, admission))


@dataclass(frozen=True, slots=True)
class _ServerCollector(Collector):
    names: MetricNames
    recorder: ServerRecorder
    gauges: Gauges
    admission: AdmissionControl

    def collect(self) -> Iterator[Metric]:
        """Yield each metric family, for the Prometheus client library."""
        names, recorder, journal = self.names, self.recorder, self.recorder.journal
        name, says, kinds = names.counted
        counted = CounterMetricFamily(f"{names.door}_{name}", says, labels=kinds)
        for labels, count in sorted(recorder.counted.items()):
            counted.add_metric(labels, count)
        yield counted
        away = CounterMetricFamily(
            f"{names.door}_refusals", names.away, labels=("why",)
        )
        for why, count in sorted(recorder.away.items()):
            away.add_metric((why,), count)
        yield away
        yield from self._connection_counters()
        for name, says, total in (
            ("records", "Records of evidence.", journal.recorded),
            (
                "record_failures",
                "Groups of records whose first write failed.",
                journal.failures,
            ),
            ("unrecorded", names.unrecorded, recorder.unrecorded),
        ):
            yield CounterMetricFamily(f"{names.door}_{name}", says, value=total)
        spooled = (
            "Bytes of evidence in the spool, not yet stored.",
            float(journal.spooled),
        )
        for name, (says, value) in {"spool_bytes": spooled, **self.gauges}.items():
            yield GaugeMetricFamily(f"{names.door}_{name}", says, value=value)

    def _connection_counters(self) -> Iterator[Metric]:
        """Yield the counters of evicted and refused connections."""
        for what, says in CONNECTIONS.items():
            name = f"{self.names.door}_connections_{what}"
            family = CounterMetricFamily(name, says, labels=("quota",))
            for counted, quota, count in self.admission.iter_counts():
                if counted == what:
                    family.add_metric((quota,), count)
            yield family
