"""Terminal properties: width, marks, colours."""

import os
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import TextIO

from answerable.cli.render.marks import UNICODE, Marks, marks_for
from answerable.presentation.text import safe, shorten, wrap

# Without a terminal, this keeps a hostile name from filling the disk.
_UNLIMITED = 2_000
_NARROWEST = 20


@dataclass(frozen=True, slots=True)
class Screen:
    """Terminal: width in cells, marks, and whether it has colours."""

    width: int = 88
    marks: Marks = UNICODE
    colour: bool = False

    def short(self, text: str, cells: int) -> str:
        """Sanitize untrusted text and shorten it to a width."""
        return shorten(safe(text), cells, self.marks.ellipsis)

    def wrap(self, text: str, indent: str = "  ") -> list[str]:
        """Wrap sanitized text to the width of the terminal."""
        return wrap(text, self.width, indent)


def screen_of(stream: TextIO) -> Screen:
    """Detect the terminal properties of an output stream.

    A pipe gets lines of any length unless COLUMNS says otherwise, and no colour.
    """
    terminal = stream.isatty()
    named = os.environ.get("COLUMNS", "")
    if named.isascii() and named.isdigit() and int(named) > 0:
        columns = int(named)
    else:
        columns = get_terminal_size().columns if terminal else _UNLIMITED
    plain = not terminal or os.environ.get("NO_COLOR") or _dumb()
    encoding = getattr(stream, "encoding", None)
    return Screen(
        width=min(max(columns, _NARROWEST), _UNLIMITED),
        marks=marks_for(encoding),
        colour=not plain,
    )


def _dumb() -> bool:
    return os.environ.get("TERM", "") == "dumb"
