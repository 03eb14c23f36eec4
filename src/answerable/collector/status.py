"""Report the state of each source: health and readiness as JSON, and metrics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from answerable.collector.receivers.sender_status import SenderStatus
from answerable.collector.source_collector import SourceCollector
from answerable.model.collection import parse_maintenance_task
from answerable.model.time_units import SECOND_NS
from answerable.presentation.inventory_items import format_time
from answerable.server.metrics import Gauges

_PREFIX = "answerable_collector"


class SourceHealth(TypedDict):
    """State of one source; times are RFC 3339 UTC.

    The reason of a failure is only in the log and in the coverage of answers.
    """

    source: str
    running: bool
    late: bool
    lag_s: int | None
    failures: int
    succeeded_at: str | None
    failed_at: str | None
    next_at: str
    newest_event_at: str | None


def build_source_health(collector: SourceCollector, now: float) -> SourceHealth:
    """Build a source's state for the health page: last run, next, late.

    Args:
        now: Seconds since the epoch.
    """
    state = collector.state
    read_at, failed_at = state.succeeded_at, state.failed_at
    return {
        "source": state.source,
        "running": bool(collector.running_since),
        "late": collector.is_late(now),
        "lag_s": round(_lag_seconds(collector, now)) if read_at else None,
        "failures": state.failures,
        "succeeded_at": format_time(read_at) if read_at else None,
        "failed_at": format_time(failed_at) if failed_at else None,
        "next_at": format_time(round(collector.next_at * SECOND_NS)),
        "newest_event_at": format_time(state.newest) if state.newest else None,
    }


def list_late_reasons(
    collectors: Mapping[str, SourceCollector], now: float
) -> list[str]:
    """List the late sources and tasks, each with its lag; empty where none is late."""
    return [
        f"{source} is late: {_describe_last_run(source, each, now)}"
        for source, each in collectors.items()
        if each.is_late(now)
    ] + [
        f"{source} has no new event for more than {each.schedule.silent_after} s"
        for source, each in collectors.items()
        if each.is_silent(now)
    ]


def _describe_last_run(source: str, collector: SourceCollector, now: float) -> str:
    """Describe when a source was last read, or a task last done."""
    word = "read" if parse_maintenance_task(source) is None else "done"
    if not collector.state.succeeded_at:
        return f"never {word}"
    return f"last {word} {_lag_seconds(collector, now):.0f} s ago"


def list_late_senders(statuses: Mapping[str, SenderStatus], now: int) -> list[str]:
    """List the senders that are silent; empty where none is.

    Args:
        now: UTC nanoseconds.
    """
    return [
        f"{each.sender.place} is silent for more than {each.sender.silent_after} s"
        for each in statuses.values()
        if now > each.late_after
    ]


def _lag_seconds(collector: SourceCollector, now: float) -> float:
    """Return the seconds since the last successful run, or since the schedule began."""
    return max(0.0, now - collector.state.since / SECOND_NS)


@dataclass(frozen=True, slots=True)
class StatusMetrics(Collector):
    """Metrics of all sources, in the text format of Prometheus.

    Attributes:
        collectors: Collectors by source.
        senders: Status of each sender.
        gauges: Further gauges of the process.
        now: Seconds since the epoch.
    """

    collectors: Mapping[str, SourceCollector]
    senders: Mapping[str, SenderStatus]
    gauges: Gauges
    now: float

    def render(self) -> bytes:
        """Render every metric."""
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """Yield each metric family, for the Prometheus client library."""
        runs = CounterMetricFamily(
            f"{_PREFIX}_runs", "Completed runs.", labels=("source", "outcome")
        )
        stored = CounterMetricFamily(
            f"{_PREFIX}_events_stored", "Stored new events.", labels=("source",)
        )
        for source, each in self.collectors.items():
            for outcome in ("success", "partial", "failure"):
                runs.add_metric((source, outcome), each.runs[outcome])
            stored.add_metric((source,), each.stored)
        yield from (runs, stored)
        yield from self._source_gauges()
        yield from self._sender_metrics()
        for name, (says, value) in self.gauges.items():
            yield GaugeMetricFamily(f"{_PREFIX}_{name}", says, value=value)

    def _sender_metrics(self) -> Iterator[Metric]:
        """Yield the counters and gauges of the senders."""
        for name, says in (
            ("deliveries", "Stored deliveries."),
            ("events", "Received events, including those that were stored before."),
            ("rejected", "Quarantined records."),
            ("invalid", "Undecodable request bodies."),
        ):
            counter = CounterMetricFamily(
                f"{_PREFIX}_received_{name}", says, labels=("source",)
            )
            for each in self.senders.values():
                counter.add_metric((each.sender.place,), getattr(each, name))
            yield counter
        for name, says in (
            ("received_at", "Time of the last delivery; 0 for none."),
            ("newest", "Time of the newest event; 0 for none."),
        ):
            gauge = GaugeMetricFamily(
                f"{_PREFIX}_sender_{name}_timestamp_seconds", says, labels=("source",)
            )
            for each in self.senders.values():
                gauge.add_metric((each.sender.place,), getattr(each, name) / SECOND_NS)
            yield gauge

    def _source_gauges(self) -> Iterator[Metric]:
        """Yield the gauges of the sources."""
        now = self.now
        for name, says, value in (
            (
                "lag_seconds",
                "Seconds since the start of the last successful run.",
                _lag_seconds,
            ),
            (
                "late",
                "Whether the data is older than the schedule allows.",
                SourceCollector.is_late,
            ),
            (
                "silent",
                "Whether a log has no new event for longer than silent_after.",
                SourceCollector.is_silent,
            ),
            (
                "newest_event_timestamp_seconds",
                "Time of the newest event; 0 for none.",
                lambda each, _: each.state.newest / SECOND_NS,
            ),
            (
                "failures",
                "Failed runs since the last successful one.",
                lambda each, _: each.state.failures,
            ),
            (
                "last_success_timestamp_seconds",
                "Start of the last successful run; 0 for none.",
                lambda each, _: each.state.succeeded_at / SECOND_NS,
            ),
            (
                "run_seconds",
                "Duration of the last run.",
                lambda each, _: each.last_seconds,
            ),
            (
                "running",
                "Whether a run is in progress.",
                lambda each, _: bool(each.running_since),
            ),
        ):
            family = GaugeMetricFamily(f"{_PREFIX}_{name}", says, labels=("source",))
            for source, each in self.collectors.items():
                family.add_metric((source,), float(value(each, now)))
            yield family
