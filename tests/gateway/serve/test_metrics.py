from pathlib import Path

from answerable.gateway.serve.call_metrics import BUCKET, DECISIONS, DURATION, SUM
from answerable.gateway.serve.control_channel import MetricSeries
from answerable.gateway.serve.metrics import (
    COUNTERS,
    GAUGES,
    drop_gauges,
    render_prometheus,
    sum_metrics,
    sum_series,
)

ALLOWED = ("files", "tools/call", "allow")


def test_what_workers_counted_is_added_up() -> None:
    one = [
        MetricSeries(DECISIONS, ALLOWED, 2.0),
        MetricSeries("answerable_connections", (), 1.0),
    ]
    two = [MetricSeries(DECISIONS, ALLOWED, 3.0)]
    page = render_prometheus(sum_metrics([one, two])).decode()
    labels = 'effect="allow",mcp_method_name="tools/call",server="files"'
    assert f"answerable_decisions_total{{{labels}}} 5.0" in page
    assert "answerable_connections 1.0" in page


def test_counters_outlive_a_worker_and_gauges_do_not() -> None:
    ended = drop_gauges(
        [
            MetricSeries(DECISIONS, ALLOWED, 2.0),
            MetricSeries("answerable_connections", (), 9.0),
        ]
    )
    total = sum_series([ended, [MetricSeries(DECISIONS, ALLOWED, 1.0)]])
    assert total == (MetricSeries(DECISIONS, ALLOWED, 3.0),)


def test_durations_are_a_histogram() -> None:
    kind = ("tools/call", "")
    series = [
        MetricSeries(BUCKET, (*kind, "0.01"), 1.0),
        MetricSeries(BUCKET, (*kind, "+Inf"), 4.0),
        MetricSeries(BUCKET, (*kind, "0.02"), 3.0),
        MetricSeries(SUM, kind, 0.5),
    ]
    page = render_prometheus(sum_metrics([series])).decode()
    labels = 'error_type="",mcp_method_name="tools/call"'
    assert f"{DURATION}_count{{{labels}}} 4.0" in page
    assert f"{DURATION}_sum{{{labels}}} 0.5" in page
    lines = [line for line in page.splitlines() if line.startswith(f"{DURATION}_b")]
    assert [line.rpartition(" ")[2] for line in lines] == ["1.0", "3.0", "4.0"]


def test_a_label_of_any_text_is_escaped() -> None:
    page = render_prometheus(
        sum_metrics([[MetricSeries(DECISIONS, ('a"b', "c\nd", "deny"), 1.0)]])
    ).decode()
    (line,) = [each for each in page.splitlines() if each.startswith(DECISIONS)]
    assert 'server="a\\"b"' in line
    assert "c\\nd" in line


def test_the_documentation_names_every_metric() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs" / "gateway.md").read_text(encoding="utf-8")
    counted = {f"{name}_total" for name in COUNTERS}
    for name in counted | set(GAUGES) | {DURATION}:
        assert f"`{name}`" in page, name
