"""Log changes of pins: quarantines, releases, similar names, failures.

Names are the server's own text, so they are logged in ASCII and truncated.
"""

from answerable.server.operator_log import OperatorLog

MAX_NAME = 200  # letters of a name


class PinLogNotices:
    """Pin listener that writes to the log.

    Args:
        log: Log of the process.
    """

    def __init__(self, log: OperatorLog) -> None:
        self._log = log

    def on_quarantined(self, subject: str, reason: str, similar_item: str) -> None:
        """Log a definition that is in quarantine from now on."""
        self._log.warning(
            "pin.quarantined",
            subject=escape_name(subject),
            why=reason,
            like=escape_name(similar_item),
        )

    def on_lookalike(self, subject: str, similar_item: str, similarity: str) -> None:
        """Log a new name that resembles another one."""
        self._log.warning(
            "pin.alike",
            subject=escape_name(subject),
            like=escape_name(similar_item),
            how=similarity,
        )

    def on_released(self, subject: str) -> None:
        """Log the end of a quarantine."""
        self._log.info("pin.released", subject=escape_name(subject))

    def on_failure(self, reason: str) -> None:
        """Log that the pins cannot be read or written."""
        self._log.error("pins.refused", why=reason)


def escape_name(text: str) -> str:
    """Escape a server's text as ASCII, truncated."""
    plain = text[:MAX_NAME].encode("unicode_escape").decode("ascii")
    return plain if len(text) <= MAX_NAME else f"{plain}..."
