"""What becomes of pins, told to whoever reads the standard error of a wrapper."""

from collections.abc import Callable

from answerable.serving.pins.telling import spelled


class PinSays:
    """Tells of pins.

    Args:
        tell: Is given sentences.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def quarantined(self, subject: str, why: str, like: str) -> None:
        """Something is in quarantine from now on."""
        named = f", and is named like {spelled(like)}" if like else ""
        self._tell(
            f"{spelled(subject)} is in quarantine ({why}{named}); "
            "see `answerable tools diff`"
        )

    def alike(self, subject: str, like: str, how: str) -> None:
        """Something new is named like another one."""
        self._tell(f"{spelled(subject)} has a name like {spelled(like)} ({how})")

    def released(self, subject: str) -> None:
        """Something is not in quarantine any more."""
        self._tell(f"{spelled(subject)} is not in quarantine any more")

    def refused(self, why: str) -> None:
        """The pins cannot be read or written."""
        self._tell(f"pins: {why}")
