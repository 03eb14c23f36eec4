"""SVG elements; every value is escaped here."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from answerable.presentation.text import sanitize


@dataclass(frozen=True, slots=True)
class SvgMarkup:
    """SVG markup that templates insert without escaping."""

    text: str

    def __html__(self) -> str:
        return self.text


@lru_cache(maxsize=8192)  # the same ids stand in picture after picture
def escape_text(text: str) -> str:
    """Escape foreign text for SVG."""
    return escape(sanitize(text))


def build_element(name: str, said: Mapping[str, object], *inside: str) -> str:
    """Build an element.

    Args:
        said: Attributes; `_` stands for `-`, and None values are left out.
        inside: Markup from `build_element` or `escape_text`.
    """
    attributes = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape_text(_format_value(value))}"'
        for key, value in said.items()
        if value is not None
    )
    return f"<{name}{attributes}>{''.join(inside)}</{name}>"


def _format_value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".rstrip("0").rstrip(".")
    return str(value)


def build_tooltip(text: str) -> str:
    """Build the tooltip of an element."""
    return build_element("title", {}, escape_text(text))


def build_link(to: str, *inside: str, label: str = "", by_key: bool = True) -> str:
    """Build a link to a local page.

    Args:
        inside: Markup from `build_element` or `escape_text`.
        label: Accessible name, if nothing inside is text.
        by_key: Whether it is in the tab order.
    """
    ours = to.startswith("/") and to[1:2] != "/"
    said = {
        "href": to if ours else "/",
        "aria_label": label or None,
        "tabindex": None if by_key else -1,
    }
    return build_element("a", said, *inside)
