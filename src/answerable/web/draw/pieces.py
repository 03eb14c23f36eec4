"""What every picture is made of: elements, of which each value is escaped here."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from answerable.flows.words.text import safe


@dataclass(frozen=True, slots=True)
class Svg:
    """Markup that was made of elements alone; a template shows it as it stands."""

    text: str

    def __html__(self) -> str:
        return self.text


@lru_cache(maxsize=8192)  # the same ids stand in picture after picture
def words(text: str) -> str:
    """Make foreign text part of a picture: nothing in it does anything."""
    return escape(safe(text))


def element(name: str, said: Mapping[str, object], *inside: str) -> str:
    """Make an element.

    Args:
        name: Of the element, ours.
        said: Attributes; `_` in a name stands for `-`, and a None is left out.
        inside: Markup made by `element` or `words`.
    """
    attributes = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{words(_spelled(value))}"'
        for key, value in said.items()
        if value is not None
    )
    return f"<{name}{attributes}>{''.join(inside)}</{name}>"


def _spelled(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".rstrip("0").rstrip(".")
    return str(value)


def title(text: str) -> str:
    """Make what is told of an element where one points at it."""
    return element("title", {}, words(text))


def link(to: str, *inside: str, label: str = "", by_key: bool = True) -> str:
    """Make a link to a page of ours.

    Args:
        to: Path and query.
        inside: Markup made by `element` or `words`.
        label: What it is called, where nothing inside is text.
        by_key: The tab key stops at it.
    """
    ours = to.startswith("/") and to[1:2] != "/"
    said = {
        "href": to if ours else "/",
        "aria_label": label or None,
        "tabindex": None if by_key else -1,
    }
    return element("a", said, *inside)
