"""Notices about pins in the log.

Names are the server's own text, so they are logged in ASCII and truncated.
"""

from answerable.server.operator_log import Log

MOST = 200  # letters of a name


class PinTold:
    """Pin listener that writes to the log.

    Args:
        log: Log of the process.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def quarantined(self, subject: str, why: str, like: str) -> None:
        """Log a definition that is in quarantine from now on."""
        self._log.warning(
            "pin.quarantined", subject=spelled(subject), why=why, like=spelled(like)
        )

    def alike(self, subject: str, like: str, how: str) -> None:
        """Log a new name that resembles another one."""
        self._log.warning(
            "pin.alike", subject=spelled(subject), like=spelled(like), how=how
        )

    def released(self, subject: str) -> None:
        """Log the end of a quarantine."""
        self._log.info("pin.released", subject=spelled(subject))

    def refused(self, why: str) -> None:
        """Log that the pins cannot be read or written."""
        self._log.error("pins.refused", why=why)


def spelled(text: str) -> str:
    """Escape a server's text as ASCII, truncated."""
    plain = text[:MOST].encode("unicode_escape").decode("ascii")
    return plain if len(text) <= MOST else f"{plain}..."
