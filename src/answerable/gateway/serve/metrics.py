"""Sum the metrics of all workers, and format them for Prometheus."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import (
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from answerable.gateway.serve.call_metrics import (
    BUCKET,
    DECISIONS,
    DURATION,
    LEAKS,
    REFUSALS,
    SUM,
    WOULD_DENY,
)
from answerable.gateway.serve.control_channel import MetricSeries
from answerable.server.admission import CONNECTIONS
from answerable.server.metrics import build_counter

EVICTED_CONNECTIONS = "answerable_connections_evicted"
REFUSED_CONNECTIONS = "answerable_connections_refused"
CONNECTION_PRESSURE = "answerable_connections_pressed"

MetricSums = dict[tuple[str, tuple[str, ...]], float]

COUNTERS = {
    # Without reasons and modes: an agent on this host may read the metrics.
    DECISIONS: ("Decisions.", ("server", "mcp_method_name", "effect")),
    REFUSALS: ("Requests refused before a decision.", ("why",)),
    WOULD_DENY: (
        "Calls of agents in shadow mode that enforcement would deny.",
        ("server", "mcp_method_name"),
    ),
    LEAKS: (
        "Responses withheld because they contained the server's credential.",
        ("server",),
    ),
    "answerable_approval_requests_delivered": (
        "Approval requests that the webhook accepted.",
        (),
    ),
    "answerable_approval_requests_dropped": (
        "Approval requests that were dropped after retries.",
        (),
    ),
    "answerable_break_glass_calls": ("Calls allowed by a break-glass exception.", ()),
    EVICTED_CONNECTIONS: (CONNECTIONS["evicted"], ("quota",)),
    REFUSED_CONNECTIONS: (CONNECTIONS["refused"], ("quota",)),
    "answerable_calls_deferred": (
        "Calls that were queued behind other calls of their caller.",
        (),
    ),
    "answerable_records": ("Records of evidence.", ()),
    "answerable_record_failures": ("Groups of records whose first write failed.", ()),
    "answerable_unrecorded": (
        "Decisions refused because they could not be recorded.",
        (),
    ),
    "answerable_worker_restarts": ("Workers that ended and were restarted.", ()),
    "answerable_shipped": ("Events stored from the spool.", ()),
}
GAUGES = {
    "answerable_spool_bytes": ("Bytes of evidence in the spool, not yet stored.", ()),
    "answerable_connections": ("Connections of clients.", ()),
    CONNECTION_PRESSURE: (
        "Workers that closed or refused connections within a minute.",
        (),
    ),
    "answerable_calls_waiting": (
        "Calls queued behind other calls of their caller.",
        (),
    ),
    "answerable_body_bytes": ("Bytes of large bodies of calls in flight.", ()),
    "answerable_memory_bytes": ("Resident memory of the workers.", ()),
    "answerable_calls_in_flight": ("Calls in flight.", ()),
    "answerable_amendments": ("Policy exceptions in force.", ()),
    "answerable_break_glass": ("Break-glass exceptions in force.", ()),
    "answerable_credentials_refused": ("Credentials whose last renewal failed.", ()),
    "answerable_workers_ready": ("Workers that are ready.", ()),
    "answerable_workers_alarmed": ("Workers that cannot record.", ()),
    "answerable_config_last_reload_successful": (
        "Whether the last reload of the configuration succeeded.",
        (),
    ),
    "answerable_policy_missing": (
        "Whether no policy could be loaded since the start.",
        (),
    ),
    "answerable_ship_lag_seconds": (
        "Seconds since the last complete shipping of evidence.",
        (),
    ),
    "answerable_ship_last_successful": (
        "Whether the last shipping of evidence succeeded.",
        (),
    ),
}
DURATION_LABELS = ("mcp_method_name", "error_type")


def sum_metrics(workers: Iterable[Iterable[MetricSeries]]) -> MetricSums:
    """Sum the Prometheus metrics of several workers."""
    sums: MetricSums = defaultdict(float)
    for worker in workers:
        for series in worker:
            sums[series.name, series.labels] += series.value
    return sums


def sum_series(workers: Iterable[Iterable[MetricSeries]]) -> tuple[MetricSeries, ...]:
    """Sum the metrics of several workers, as series."""
    return tuple(
        MetricSeries(name, labels, value)
        for (name, labels), value in sum_metrics(workers).items()
    )


def drop_gauges(series: Iterable[MetricSeries]) -> tuple[MetricSeries, ...]:
    """Drop the gauges of a worker that has ended."""
    return tuple(each for each in series if each.name not in GAUGES)


def render_prometheus(sums: MetricSums) -> bytes:
    """Format every metric; one without values is left out."""
    return generate_latest(_SumsCollector(sums))


@dataclass(frozen=True, slots=True)
class _SumsCollector(Collector):
    sums: MetricSums

    def collect(self) -> Iterator[Metric]:
        """Yield each metric family."""
        for name, (says, labels) in COUNTERS.items():
            yield build_counter(name, says, labels, self._list_metric_samples(name))
        for name, (says, labels) in GAUGES.items():
            gauge = GaugeMetricFamily(name, says, labels=labels)
            for values, value in self._list_metric_samples(name):
                gauge.add_metric(values, value)
            yield gauge
        yield self._duration_histogram()

    def _duration_histogram(self) -> Metric:
        """Build the histogram of call durations."""
        family = HistogramMetricFamily(
            DURATION,
            "Time from the decision to the end of the call.",
            labels=DURATION_LABELS,
        )
        buckets: dict[tuple[str, ...], list[tuple[str, float]]] = defaultdict(list)
        for (*kind, bound), value in self._list_metric_samples(BUCKET):
            buckets[tuple(kind)].append((bound, value))
        for values, total in self._list_metric_samples(SUM):
            ordered = sorted(buckets[values], key=lambda each: float(each[0]))
            family.add_metric(values, ordered, sum_value=total)
        return family

    def _list_metric_samples(self, name: str) -> list[tuple[tuple[str, ...], float]]:
        """Return labels and values of one metric, sorted."""
        found = [
            (labels, value) for (of, labels), value in self.sums.items() if of == name
        ]
        return sorted(found)
