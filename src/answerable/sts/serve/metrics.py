"""What is counted, in the text format of Prometheus: numbers by our own words only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from answerable.sts.recording.recorder import Recorder


def rendered(recorder: Recorder, gauges: Mapping[str, tuple[str, float]]) -> bytes:
    """Write every metric.

    Args:
        recorder: What it counted.
        gauges: Further ones: name -> (what it says, value).
    """
    return generate_latest(_Collector(recorder, gauges))


@dataclass(frozen=True, slots=True)
class _Collector(Collector):
    recorder: Recorder
    gauges: Mapping[str, tuple[str, float]]

    def collect(self) -> Iterator[Metric]:
        """Give each family of metrics."""
        recorder, journal = self.recorder, self.recorder.journal
        # Without agents and rules: whoever may read this may be a workload.
        attempts = CounterMetricFamily(
            "answerable_sts_attempts", "Attempts.", labels=("what", "error")
        )
        for labels, count in sorted(recorder.counted.items()):
            attempts.add_metric(labels, count)
        yield attempts
        away = CounterMetricFamily(
            "answerable_sts_refusals", "Requests turned away unread.", labels=("why",)
        )
        for why, count in sorted(recorder.away.items()):
            away.add_metric((why,), count)
        yield away
        for name, says, total in (
            ("records", "Records of evidence.", journal.recorded),
            ("record_failures", "Groups that failed at first.", journal.failures),
            (
                "unrecorded",
                "Attempts refused for want of a record.",
                recorder.unrecorded,
            ),
        ):
            yield CounterMetricFamily(f"answerable_sts_{name}", says, value=total)
        spooled = ("Evidence that waits to be stored.", float(journal.spooled))
        for name, (says, value) in {"spool_bytes": spooled, **self.gauges}.items():
            yield GaugeMetricFamily(f"answerable_sts_{name}", says, value=value)
