"""Count requests, refusals and sign-ins for Prometheus."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import (
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from answerable.server.metrics import build_counter

LATENCY_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # seconds


class RequestMetrics:
    """Counters of requests, refusals and sign-ins."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.refusals: Counter[str] = Counter()
        self.signed_in: Counter[str] = Counter()
        self.not_signed_in: Counter[str] = Counter()
        self._times: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def count_answer(self, path: str, status: int, seconds: float) -> None:
        """Count a response by path and status, with its latency.

        Args:
            path: Path of a known route.
            seconds: Time to the answer.
        """
        self.requests[path, status] += 1
        times = self._times.setdefault(path, [0] * (len(LATENCY_BUCKETS) + 1))
        times[
            next((i for i, most in enumerate(LATENCY_BUCKETS) if seconds <= most), -1)
        ] += 1
        self._sums[path] = self._sums.get(path, 0.0) + seconds

    def count_refusal(self, reason: str) -> None:
        """Count a rejected request by its reason code."""
        self.refusals[reason] += 1

    def render_metrics(self, gauges: Mapping[str, tuple[str, float]]) -> bytes:
        """Render all metrics in the Prometheus text format.

        Args:
            gauges: Additional gauges: name -> (help text, value).
        """
        return generate_latest(_RequestCollector(self, gauges))

    def latency_histograms(
        self,
    ) -> Iterator[tuple[str, list[tuple[str, float]], float]]:
        """Yield path, cumulative bucket counts and sum of seconds."""
        for path, times in sorted(self._times.items()):
            so_far, buckets = 0, []
            for bound, count in zip(
                (*map(str, LATENCY_BUCKETS), "+Inf"), times, strict=True
            ):
                so_far += count
                buckets.append((bound, float(so_far)))
            yield path, buckets, self._sums[path]


@dataclass(frozen=True, slots=True)
class _RequestCollector(Collector):
    counted: RequestMetrics
    gauges: Mapping[str, tuple[str, float]]

    def collect(self) -> Iterator[Metric]:
        """Yield each metric family."""
        counted = self.counted
        yield build_counter(
            "answerable_web_requests",
            "Completed requests.",
            ("path", "status"),
            (((path, str(code)), n) for (path, code), n in counted.requests.items()),
        )
        seconds = HistogramMetricFamily(
            "answerable_web_seconds",
            "Time from the request to its response.",
            labels=("path",),
        )
        for path, buckets, total in counted.latency_histograms():
            seconds.add_metric((path,), buckets, total)
        yield seconds
        for name, says, label, words in (
            ("refusals", "Requests turned away.", "why", counted.refusals),
            ("signed_in", "Sign-ins.", "by", counted.signed_in),
            ("not_signed_in", "Sign-ins refused.", "why", counted.not_signed_in),
        ):
            counts = (((word,), count) for word, count in words.items())
            yield build_counter(f"answerable_web_{name}", says, (label,), counts)
        for name, (says, value) in self.gauges.items():
            yield GaugeMetricFamily(f"answerable_web_{name}", says, value=value)
