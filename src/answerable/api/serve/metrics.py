"""What is counted, in the text format of Prometheus: numbers by our own words only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from answerable.api.recording.recorder import Recorder


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
        decided = CounterMetricFamily(
            "answerable_pdp_evaluations", "Evaluations.", labels=("effect", "passes")
        )
        for (effect, passes), count in sorted(recorder.counted.items()):
            decided.add_metric((effect, str(passes).lower()), count)
        yield decided
        away = CounterMetricFamily(
            "answerable_pdp_refusals", "Requests turned away.", labels=("why",)
        )
        for why, count in sorted(recorder.away.items()):
            away.add_metric((why,), count)
        yield away
        for name, says, total in (
            ("records", "Records of evidence.", journal.recorded),
            ("record_failures", "Groups that failed at first.", journal.failures),
            ("unrecorded", "Denials for want of a record.", recorder.unrecorded),
        ):
            yield CounterMetricFamily(f"answerable_pdp_{name}", says, value=total)
        spooled = ("Evidence that waits to be stored.", float(journal.spooled))
        for name, (says, value) in {"spool_bytes": spooled, **self.gauges}.items():
            yield GaugeMetricFamily(f"answerable_pdp_{name}", says, value=value)
