"""Which of the implementations a token service uses."""

from pathlib import Path

from answerable.store.control.contract import Control
from answerable.store.control.sqlite import SqliteControl


def open_control(folder: Path, now: float) -> Control:
    """Open what the token service remembers.

    Args:
        folder: Its state folder.
        now: NumericDate.

    Raises:
        EnvironmentRefused: It cannot be used, or is of a newer release.
    """
    return SqliteControl(folder, now)
