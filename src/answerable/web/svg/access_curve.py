"""Draw the curve of `replay`: calls that happen unasked, by the lifetime of access."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from answerable.web.svg.svg_elements import SvgMarkup, build_element, escape_text

WIDTH, HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 700, 60, 300
_INK, _TIMED, _STANDING, _BASELINE = "#1f2933", "#b45309", "#6b7280", "#0f766e"
_SECONDS = (
    (60, "1 min"),
    (300, "5 min"),
    (900, "15 min"),
    (3600, "1 h"),
    (28800, "8 h"),
)

Item = Mapping[str, object]


def draw_access_curve(items: Sequence[Item]) -> SvgMarkup:
    """Draw the document of `replay` as an SVG file of its own.

    The vertical axis is the number of calls that happen without a new request: harmful
    ones where indicators were given, else all. The horizontal axis is logarithmic.

    Args:
        items: Items of the document `access-replay`.
    """
    knows_harm = any(item["harmful"] is not None for item in items)
    field = "harmful_unasked" if knows_harm else "unasked"
    counts = {str(item["access"]): _as_int(item[field]) for item in items}
    timed = [(_as_int(i["t_s"]), _as_int(i[field])) for i in items if i["t_s"]]
    most = max(1, counts.get("standing", 0), counts.get("baseline", 0))
    noun = "harmful calls" if knows_harm else "calls"
    points = [(_get_x(seconds), _get_y(count, most)) for seconds, count in timed]
    children = [
        build_element("rect", {"width": WIDTH, "height": HEIGHT, "fill": "#ffffff"}),
        _build_text_element(
            _LEFT,
            24,
            f"{noun.capitalize()} that happen without a new request",
            size=16,
        ),
        _build_text_element(
            _LEFT,
            44,
            "by the lifetime T of access, which is granted again on request",
            size=12,
        ),
        *_draw_axes(most),
        *_draw_level("standing access", counts.get("standing", 0), most, _STANDING),
        *_draw_level(
            "limited by a baseline", counts.get("baseline", 0), most, _BASELINE
        ),
        *(
            build_element(
                "path",
                {
                    "d": f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}",
                    "stroke": _TIMED,
                    "stroke_width": 2.5,
                    "fill": "none",
                },
            )
            for a, b in pairwise(points)
        ),
        *(
            build_element("circle", {"cx": x, "cy": y, "r": 3.5, "fill": _TIMED})
            for x, y in points
        ),
    ]
    if points:
        x, y = points[0]
        children.append(_build_text_element(x + 8, y + 16, "timed access", fill=_TIMED))
    attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {WIDTH} {HEIGHT}",
        "font_family": "sans-serif",
        "role": "img",
        "aria_label": f"{noun} without a new request, by the lifetime of access",
    }
    return SvgMarkup(build_element("svg", attributes, *children))


def _draw_axes(most: int) -> list[str]:
    """Draw both axes with their labels."""
    drawn = [
        build_element(
            "path",
            {
                "d": f"M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}",
                "stroke": _INK,
                "fill": "none",
            },
        ),
        _build_text_element(_LEFT - 8, _BOTTOM + 4, "0", anchor="end"),
        _build_text_element(_LEFT - 8, _TOP + 14, str(most), anchor="end"),
    ]
    for seconds, label in _SECONDS:
        x = _get_x(seconds)
        line = {"d": f"M{x:.1f} {_BOTTOM}v5", "stroke": _INK}
        drawn += [
            build_element("path", line),
            _build_text_element(x, _BOTTOM + 20, label, anchor="middle"),
        ]
    drawn.append(
        _build_text_element((_LEFT + _RIGHT) / 2, _BOTTOM + 42, "T", anchor="middle")
    )
    return drawn


def _draw_level(label: str, count: int, most: int, colour: str) -> list[str]:
    """Draw a level that does not depend on T."""
    y = _get_y(count, most)
    line = {
        "d": f"M{_LEFT} {y:.1f}H{_RIGHT}",
        "stroke": colour,
        "stroke_width": 2.0,
        "stroke_dasharray": "6 4",
    }
    text = _build_text_element(
        _RIGHT, y - 6, f"{label}: {count}", anchor="end", fill=colour
    )
    return [build_element("path", line), text]


def _get_x(seconds: int) -> float:
    """Return the place of a lifetime on the logarithmic axis."""
    low, high = math.log(_SECONDS[0][0]), math.log(_SECONDS[-1][0])
    share = (math.log(max(1, seconds)) - low) / (high - low)
    return _LEFT + min(1.0, max(0.0, share)) * (_RIGHT - _LEFT)


def _get_y(count: int, most: int) -> float:
    """Return the place of a number of calls."""
    return _BOTTOM - count / most * (_BOTTOM - _TOP - 10)


def _build_text_element(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = _INK,
    size: int = 12,
) -> str:
    """Build a text element."""
    attributes = {
        "x": x,
        "y": y,
        "text_anchor": anchor,
        "fill": fill,
        "font_size": size,
    }
    return build_element("text", attributes, escape_text(text))


def _as_int(value: object) -> int:
    """Narrow a number of an item."""
    return value if isinstance(value, int) else 0
