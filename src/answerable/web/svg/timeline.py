"""Draw the bar chart of events over time, stacked by outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from answerable.web.svg.svg_elements import (
    SvgMarkup,
    build_element,
    build_link,
    build_tooltip,
)

WIDTH, HEIGHT = 1200, 60
_TOP = 2
# Bottom to top; denied calls are on top, where they are visible.
OUTCOMES = ("success", "unknown", "error", "denied")


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """One bar.

    Attributes:
        index: Index, from 0.
        when: Time range as text.
    """

    index: int
    events: Mapping[str, int]
    when: str
    link: str


def draw_timeline(bars: Sequence[TimelineBar], bar_count: int, label: str) -> SvgMarkup:
    """Draw the bars over the full width of the chart.

    Args:
        bars: Bars with events.
        bar_count: Number of bars, empty ones included.
    """
    most = max((sum(bar.events.values()) for bar in bars), default=0)
    wide = WIDTH / max(bar_count, 1)
    axis = {"d": f"M0 {HEIGHT - 0.5}H{WIDTH}", "class": "axis"}
    attributes = {
        "class": "drawn timeline",
        "viewBox": f"0 0 {WIDTH} {HEIGHT}",
        "preserveAspectRatio": "none",
        "role": "group",
        "aria-label": label,
    }
    drawn = [_draw_bar(bar, wide, most) for bar in bars]
    return SvgMarkup(
        build_element("svg", attributes, build_element("path", axis), *drawn)
    )


def _draw_bar(bar: TimelineBar, width: float, max_events: int) -> str:
    """Draw one bar with a part per outcome, as a link to its events."""
    x, y = bar.index * width, HEIGHT - 1.0
    parts = []
    for outcome in OUTCOMES:
        events = bar.events.get(outcome, 0)
        if not events:
            continue
        high = max((HEIGHT - 1 - _TOP) * events / max_events, 1.5)
        y -= high
        box = {"x": x + 0.5, "y": y, "width": max(width - 1, 1), "height": high}
        parts.append(build_element("rect", {**box, "class": f"bar {outcome}"}))
    counts = ", ".join(f"{bar.events[o]:,} {o}" for o in OUTCOMES if bar.events.get(o))
    label = f"{bar.when}: {counts}"
    # Sixty bars are not tab stops before the rows: a query can do the same.
    return build_link(
        bar.link, build_tooltip(label), *parts, label=label, focusable=False
    )
