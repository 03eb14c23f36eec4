"""Render the metrics of one server in the text format of Prometheus."""

from collections.abc import Iterable, Iterator, Mapping
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
        prefix: Prefix of each name.
        counted: Request counter: its name, description, and labels.
        away: Description of the counter of refused requests.
        unrecorded: Description of the counter of requests without a record.
    """

    prefix: str
    counted: tuple[str, str, tuple[str, ...]]
    away: str
    unrecorded: str


def render_metrics(
    names: MetricNames,
    recorder: ServerRecorder,
    gauges: Gauges,
    admission: AdmissionControl,
) -> bytes:
    """Render a server's metrics in the Prometheus text format.

    Args:
        names: Names of the metrics.
        recorder: Recorder with the counters.
        gauges: Further gauges.
        admission: Quotas with the connection counters.
    """
    return generate_latest(_ServerCollector(names, recorder, gauges, admission))


def build_counter(
    name: str,
    description: str,
    labels: tuple[str, ...],
    counts: Iterable[tuple[tuple[str, ...], float]],
) -> Metric:
    """Build a counter of Prometheus, with its series in order.

    Args:
        name: Name of the metric.
        labels: Names of the labels.
        counts: Pairs: values of the labels, and the count.
    """
    family = CounterMetricFamily(name, description, labels=labels)
    for values, count in sorted(counts):
        family.add_metric(values, count)
    return family


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
        yield build_counter(
            f"{names.prefix}_{name}", says, kinds, recorder.counted.items()
        )
        away = (((why,), count) for why, count in recorder.away.items())
        yield build_counter(f"{names.prefix}_refusals", names.away, ("why",), away)
        for what, says in CONNECTIONS.items():
            counts = [
                ((quota,), count)
                for counted, quota, count in self.admission.iterate_refused_and_evicted()
                if counted == what
            ]
            name = f"{names.prefix}_connections_{what}"
            yield build_counter(name, says, ("quota",), counts)
        for name, says, total in (
            ("records", "Records of evidence.", journal.recorded),
            (
                "record_failures",
                "Groups of records whose first write failed.",
                journal.failures,
            ),
            ("unrecorded", names.unrecorded, recorder.unrecorded),
        ):
            yield CounterMetricFamily(f"{names.prefix}_{name}", says, value=total)
        spooled = (
            "Bytes of evidence in the spool, not yet stored.",
            float(journal.unshipped_bytes),
        )
        for name, (says, value) in {"spool_bytes": spooled, **self.gauges}.items():
            yield GaugeMetricFamily(f"{names.prefix}_{name}", says, value=value)
