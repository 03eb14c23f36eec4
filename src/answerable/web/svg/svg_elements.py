"""Build SVG elements; every attribute and text is escaped here."""

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


@lru_cache(maxsize=8192)  # the same ids are in many diagrams
def escape_text(text: str) -> str:
    """Escape untrusted text for SVG."""
    return escape(sanitize(text))


def build_element(name: str, attributes: Mapping[str, object], *children: str) -> str:
    """Build an SVG element with attributes and children.

    Args:
        attributes: Attributes; `_` stands for `-`, and None values are left out.
        children: Markup from `build_element` or `escape_text`.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}="
        f'"{escape_text(_format_attribute(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(children)}</{name}>"


def _format_attribute(value: object) -> str:
    """Format an attribute value; a float has one decimal at most."""
    if isinstance(value, float):
        return f"{value:.1f}".rstrip("0").rstrip(".")
    return str(value)


def build_tooltip(text: str) -> str:
    """Build the SVG `title` that a browser shows as tooltip."""
    return build_element("title", {}, escape_text(text))


def build_link(
    path: str, *children: str, label: str = "", focusable: bool = True
) -> str:
    """Build a link to a local page.

    Args:
        children: Markup from `build_element` or `escape_text`.
        label: Accessible name, if nothing inside is text.
        focusable: Whether it is in the tab order.
    """
    ours = path.startswith("/") and path[1:2] != "/"
    attributes = {
        "href": path if ours else "/",
        "aria_label": label or None,
        "tabindex": None if focusable else -1,
    }
    return build_element("a", attributes, *children)
