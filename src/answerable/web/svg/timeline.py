"""Bar chart of events over time, stacked by outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from answerable.web.svg.elements import Svg, element, link, title

WIDTH, HEIGHT = 1200, 60
_TOP = 2
# From the floor up; what was refused stands on top, where it shows.
OUTCOMES = ("success", "unknown", "error", "denied")


@dataclass(frozen=True, slots=True)
class Span:
    """One bar.

    Attributes:
        at: Index, from 0.
        when: Time range as text.
    """

    at: int
    events: Mapping[str, int]
    when: str
    to: str


def timeline(spans: Sequence[Span], places: int, total: str) -> Svg:
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
    bars = [_bar(span, wide, most) for span in spans]
    return Svg(element("svg", said, element("path", axis), *bars))


def _bar(span: Span, wide: float, most: int) -> str:
    x, y = span.at * wide, HEIGHT - 1.0
    parts = []
    for outcome in OUTCOMES:
        events = span.events.get(outcome, 0)
        if not events:
            continue
        high = max((HEIGHT - 1 - _TOP) * events / most, 1.5)
        y -= high
        box = {"x": x + 0.5, "y": y, "width": max(wide - 1, 1), "height": high}
        parts.append(element("rect", {**box, "class": f"bar {outcome}"}))
    counts = ", ".join(
        f"{span.events[o]:,} {o}" for o in OUTCOMES if span.events.get(o)
    )
    told = f"{span.when}: {counts}"
    # Sixty bars are no stops on the way to the rows; `since:` and `until:` say the same.
    return link(span.to, title(told), *parts, label=told, by_key=False)
