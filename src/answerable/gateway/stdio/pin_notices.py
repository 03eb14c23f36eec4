"""Print notices about pinned definitions on the standard error of a wrapper."""

from collections.abc import Callable

from answerable.server.pins.pin_log import escape_name


class StderrPinNotices:
    """Pin listener that writes sentences.

    Args:
        tell: Writes a line to standard error.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def on_quarantined(self, subject: str, reason: str, lookalike: str) -> None:
        """Report a definition that is in quarantine from now on."""
        named = f", and is named like {escape_name(lookalike)}" if lookalike else ""
        self._tell(
            f"{escape_name(subject)} is in quarantine ({reason}{named}); "
            "see `answerable tools diff`"
        )

    def on_lookalike(self, subject: str, lookalike: str, similarity: str) -> None:
        """Report a new name that resembles another one."""
        self._tell(
            f"{escape_name(subject)} has a name like {escape_name(lookalike)} ({similarity})"
        )

    def on_released(self, subject: str) -> None:
        """Report the end of a quarantine."""
        self._tell(f"{escape_name(subject)} is not in quarantine any more")

    def on_failure(self, reason: str) -> None:
        """Report that the pins cannot be read or written."""
        self._tell(f"pins: {reason}")
