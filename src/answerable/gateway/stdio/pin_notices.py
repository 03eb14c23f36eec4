"""Notices about pins on the standard error of a wrapper."""

from collections.abc import Callable

from answerable.server.pins.pin_log import spelled


class PinSays:
    """Pin listener that writes sentences.

    Args:
        tell: Writes a line to standard error.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def quarantined(self, subject: str, why: str, like: str) -> None:
        """Report a definition that is in quarantine from now on."""
        named = f", and is named like {spelled(like)}" if like else ""
        self._tell(
            f"{spelled(subject)} is in quarantine ({why}{named}); "
            "see `answerable tools diff`"
        )

    def alike(self, subject: str, like: str, how: str) -> None:
        """Report a new name that resembles another one."""
        self._tell(f"{spelled(subject)} has a name like {spelled(like)} ({how})")

    def released(self, subject: str) -> None:
        """Report the end of a quarantine."""
        self._tell(f"{spelled(subject)} is not in quarantine any more")

    def refused(self, why: str) -> None:
        """Report that the pins cannot be read or written."""
        self._tell(f"pins: {why}")
