"""Progress of a long operation: the callback that receives it."""

from collections.abc import Callable

ProgressCallback = Callable[[int, int, str], None]


def ignore_progress_report(done: int, total: int, what: str) -> None:
    """Discard progress reports: the default progress callback."""
