"""Detect terminal properties: width, marks, colours."""

import os
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import TextIO

from answerable.cli.render.status_marks import UNICODE, MarkSet, choose_marks
from answerable.presentation.text import sanitize, shorten, wrap_text

# Without a terminal, this keeps a hostile name from filling the disk.
_PIPE_WIDTH = 2_000
_WIDE = 100_000  # no column is dropped
_MIN_WIDTH = 20


@dataclass(frozen=True, slots=True)
class Screen:
    """Terminal: width in cells, marks, and whether it has colours."""

    width: int = 88
    marks: MarkSet = UNICODE
    colour: bool = False

    def sanitize_to_width(self, text: str, cells: int) -> str:
        """Sanitize untrusted text and shorten it to a width."""
        return shorten(sanitize(text), cells, self.marks.ellipsis)

    def wrap(self, text: str, indent: str = "  ") -> list[str]:
        """Wrap sanitized text to the width of the terminal."""
        return wrap_text(text, self.width, indent)


def detect_screen(stream: TextIO, wide: bool = False) -> Screen:
    """Detect the terminal properties of an output stream.

    A pipe gets lines of any length unless COLUMNS says otherwise, and no colour.

    Args:
        wide: Lines of any length on a terminal, too.
    """
    terminal = stream.isatty()
    named = os.environ.get("COLUMNS", "")
    if named.isascii() and named.isdigit() and int(named) > 0:
        columns = int(named)
    else:
        columns = get_terminal_size().columns if terminal else _PIPE_WIDTH
    columns = min(max(columns, _MIN_WIDTH), _PIPE_WIDTH)
    plain = not terminal or os.environ.get("NO_COLOR") or _is_dumb_terminal()
    encoding = getattr(stream, "encoding", None)
    return Screen(
        width=_WIDE if wide else columns,
        marks=choose_marks(encoding),
        colour=not plain,
    )


def _is_dumb_terminal() -> bool:
    """Return whether `TERM` says that the terminal has no escape sequences."""
    return os.environ.get("TERM", "") == "dumb"
