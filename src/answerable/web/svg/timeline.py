"""Bar chart of events over time, stacked by outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from answerable.web.svg.elements import (
    SvgMarkup,
    build_element,
    build_link,
    build_tooltip,
)

WIDTH, HEIGHT = 1200, 60
_TOP = 2
# From the floor up; what was refused stands on top, where it shows.
OUTCOMES = ("success", "unknown", "error", "denied")


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """One bar.

    Attributes:
        at: Index, from 0.
        when: Time range as text.
    """

    at: int
    events: Mapping[str, int]
    when: str
    to: str


def draw_timeline(spans: Sequence[TimelineBar], places: int, total: str) -> SvgMarkup:
    """Draw the bars over the full width.

    Args:
        spans: Bars that are not empty.
        places: Number of bars, empty ones included.
    """
    most = max((sum(span.events.values()) for span in spans), default=0)
    wide = WIDTH / max(places, 1)
    axis = {"d": f"M0 {HEIGHT - 0.5}H{WIDTH}", "class": "axis"}
    said = {
        "class": "drawn timeline",
        "viewBox": f"0 0 {WIDTH} {HEIGHT}",
        "preserveAspectRatio": "none",
        "role": "group",
        "aria-label": total,
    }
    bars = [_draw_bar(span, wide, most) for span in spans]
    return SvgMarkup(build_element("svg", said, build_element("path", axis), *bars))


def _draw_bar(span: TimelineBar, wide: float, most: int) -> str:
    x, y = span.at * wide, HEIGHT - 1.0
    parts = []
    for outcome in OUTCOMES:
        events = span.events.get(outcome, 0)
        if not events:
            continue
        high = max((HEIGHT - 1 - _TOP) * events / most, 1.5)
        y -= high
        box = {"x": x + 0.5, "y": y, "width": max(wide - 1, 1), "height": high}
        parts.append(build_element("rect", {**box, "class": f"bar {outcome}"}))
    counts = ", ".join(
        f"{span.events[o]:,} {o}" for o in OUTCOMES if span.events.get(o)
    )
    told = f"{span.when}: {counts}"
    # Sixty bars are no stops on the way to the rows; `since:` and `until:` say the same.
    return build_link(span.to, build_tooltip(told), *parts, label=told, by_key=False)
