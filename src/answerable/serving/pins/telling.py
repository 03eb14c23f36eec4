"""What becomes of pins, told in the log.

Names are the server's own words, so they are told in ASCII and cut short.
"""

from answerable.serving.log import Log

MOST = 200  # letters of a name


class PinTold:
    """Tells of pins.

    Args:
        log: The process's.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def quarantined(self, subject: str, why: str, like: str) -> None:
        """Something is in quarantine from now on."""
        self._log.warning(
            "pin.quarantined", subject=spelled(subject), why=why, like=spelled(like)
        )

    def alike(self, subject: str, like: str, how: str) -> None:
        """Something new is named like another one."""
        self._log.warning(
            "pin.alike", subject=spelled(subject), like=spelled(like), how=how
        )

    def released(self, subject: str) -> None:
        """Something is not in quarantine any more."""
        self._log.info("pin.released", subject=spelled(subject))

    def refused(self, why: str) -> None:
        """The pins cannot be read or written."""
        self._log.error("pins.refused", why=why)


def spelled(text: str) -> str:
    """Spell a text of a server in ASCII that does nothing, cut short."""
    plain = text[:MOST].encode("unicode_escape").decode("ascii")
    return plain if len(text) <= MOST else f"{plain}..."
