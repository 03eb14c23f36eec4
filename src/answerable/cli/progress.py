"""Draw a progress bar on a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from shutil import get_terminal_size

from answerable.cli.settings import Settings
from answerable.model.progress import ignore_progress_report
from answerable.presentation.text import clip, sanitize

# Redrawing more often is not visible and costs time.
_PAUSE = 0.1
_WIDTH = 24
_ERASE = "\r\x1b[K"


@contextmanager
def progress_bar(settings: Settings) -> Iterator[Callable[[int, int, str], None]]:
    """Provide a progress callback that draws on standard error.

    It draws only if standard error is a terminal and `--quiet` was not given, and
    clears the line at the end.
    """
    if settings.quiet or not sys.stderr.isatty():
        yield ignore_progress_report
        return
    drawn = [0.0]
    last = [""]

    def draw(done: int, total: int, what: str) -> None:
        moment = time.monotonic()
        # A stage that begins is always drawn: the next call may take minutes to come.
        if moment - drawn[0] < _PAUSE and what == last[0]:
            return
        drawn[0], last[0] = moment, what
        columns = get_terminal_size().columns
        sys.stderr.write(
            _ERASE + clip(_format_bar(done, total, sanitize(what)), columns - 1)
        )
        sys.stderr.flush()

    try:
        yield draw
    finally:
        if drawn[0]:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()


def _format_bar(done: int, total: int, activity: str) -> str:
    """Format the bar, or only the count if the total is not known."""
    if total <= 0:
        return f"{done:,} {activity}"
    share = min(1.0, max(0.0, done / total))
    filled = round(share * _WIDTH)
    return f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {share:4.0%} {activity}"
