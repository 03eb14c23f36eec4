"""Metrics of all workers, summed, in the text format of Prometheus."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from answerable.gateway.serve.control import Series
from answerable.gateway.serve.counts import (
    BUCKET,
    DECISIONS,
    DURATION,
    LEAKS,
    REFUSALS,
    SUM,
    WOULD_DENY,
)
from answerable.serving.admission import CONNECTIONS

EVICTED = "answerable_connections_evicted"
TURNED_OFF = "answerable_connections_refused"
PRESSED = "answerable_connections_pressed"

Sums = dict[tuple[str, tuple[str, ...]], float]

COUNTERS = {
    # Without reasons and modes: an agent on this host may read the metrics.
    DECISIONS: ("Decisions.", ("server", "mcp_method_name", "effect")),
    REFUSALS: ("Requests turned away before a decision.", ("why",)),
    WOULD_DENY: (
        "Calls of agents in shadow that enforcing would hold back.",
        ("server", "mcp_method_name"),
    ),
    LEAKS: ("Answers kept back that held what their server was shown.", ("server",)),
    "answerable_asks_told": ("Messages about asks that the webhook took.", ()),
    "answerable_asks_not_told": ("Messages about asks that were given up.", ()),
    "answerable_break_glass_calls": ("Calls that passed by a break-glass.", ()),
    EVICTED: (CONNECTIONS["evicted"], ("quota",)),
    TURNED_OFF: (CONNECTIONS["refused"], ("quota",)),
    "answerable_calls_deferred": ("Calls that waited for their caller's turn.", ()),
    "answerable_records": ("Records of evidence.", ()),
    "answerable_record_failures": ("Groups of records that failed at first.", ()),
    "answerable_unrecorded": ("Decisions refused for want of a record.", ()),
    "answerable_worker_restarts": ("Workers that ended and were started anew.", ()),
    "answerable_shipped": ("Events stored from the spool.", ()),
}
GAUGES = {
    "answerable_spool_bytes": ("Evidence that waits to be stored.", ()),
    "answerable_connections": ("Connections of clients.", ()),
    PRESSED: ("Workers that closed or refused connections within a minute.", ()),
    "answerable_calls_waiting": ("Calls that wait for their caller's turn.", ()),
    "answerable_body_bytes": ("Bytes of large bodies of calls in flight.", ()),
    "answerable_memory_bytes": ("Resident memory of the workers.", ()),
    "answerable_calls_in_flight": ("Calls under way.", ()),
    "answerable_amendments": ("Amendments in force that owners have signed.", ()),
    "answerable_break_glass": ("Of these, signed by two persons (break-glass).", ()),
    "answerable_credentials_refused": ("Credentials that could not be got.", ()),
    "answerable_workers_ready": ("Workers that serve.", ()),
    "answerable_workers_alarmed": ("Workers that cannot record.", ()),
    "answerable_config_last_reload_successful": ("The file in force is the last.", ()),
    "answerable_policy_missing": ("No policy could be loaded at all.", ()),
    "answerable_ship_lag_seconds": ("Seconds since evidence was shipped last.", ()),
    "answerable_ship_last_successful": ("The last shipping went well.", ()),
}
DURATION_LABELS = ("mcp_method_name", "error_type")


def summed(workers: Iterable[Iterable[Series]]) -> Sums:
    """Sum the metrics of several workers."""
    sums: Sums = defaultdict(float)
    for worker in workers:
        for series in worker:
            sums[series.name, series.labels] += series.value
    return sums


def summed_series(workers: Iterable[Iterable[Series]]) -> tuple[Series, ...]:
    """Sum the metrics of several workers, as series."""
    return tuple(
        Series(name, labels, value) for (name, labels), value in summed(workers).items()
    )


def lasting(series: Iterable[Series]) -> tuple[Series, ...]:
    """Drop the gauges of a worker that has ended."""
    return tuple(each for each in series if each.name not in GAUGES)


def render(sums: Sums) -> bytes:
    """Format every metric; one without values is left out."""
    return generate_latest(_Collector(sums))


@dataclass(frozen=True, slots=True)
class _Collector(Collector):
    sums: Sums

    def collect(self) -> Iterator[Metric]:
        """Yield each metric family."""
        for name, (says, labels) in COUNTERS.items():
            counter = CounterMetricFamily(name, says, labels=labels)
            for values, value in self._of(name):
                counter.add_metric(values, value)
            yield counter
        for name, (says, labels) in GAUGES.items():
            gauge = GaugeMetricFamily(name, says, labels=labels)
            for values, value in self._of(name):
                gauge.add_metric(values, value)
            yield gauge
        yield self._durations()

    def _durations(self) -> Metric:
        family = HistogramMetricFamily(
            DURATION, "Time from a decision to the end.", labels=DURATION_LABELS
        )
        buckets: dict[tuple[str, ...], list[tuple[str, float]]] = defaultdict(list)
        for (*kind, bound), value in self._of(BUCKET):
            buckets[tuple(kind)].append((bound, value))
        for values, total in self._of(SUM):
            ordered = sorted(buckets[values], key=lambda each: float(each[0]))
            family.add_metric(values, ordered, sum_value=total)
        return family

    def _of(self, name: str) -> list[tuple[tuple[str, ...], float]]:
        found = [
            (labels, value) for (of, labels), value in self.sums.items() if of == name
        ]
        return sorted(found)
