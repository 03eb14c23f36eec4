"""Print notices of enforcement on the standard error of a wrapper."""

from collections.abc import Callable

from answerable.authorization.revocations import Revocations
from answerable.server.enforcement.operator_notices import escape_name


class StderrNotices:
    """Notices as sentences; revocations are in the records alone.

    Args:
        tell: Writes a line to standard error.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def on_quarantined(self, subject: str, reason: str, similar_item: str) -> None:
        """Report a definition that is in quarantine from now on."""
        named = (
            f", and is named like {escape_name(similar_item)}" if similar_item else ""
        )
        self._tell(
            f"{escape_name(subject)} is in quarantine ({reason}{named}); "
            "see `answerable tools diff`"
        )

    def on_lookalike(self, subject: str, similar_item: str, similarity: str) -> None:
        """Report a new name that resembles another one."""
        self._tell(
            f"{escape_name(subject)} has a name like {escape_name(similar_item)} ({similarity})"
        )

    def on_released(self, subject: str) -> None:
        """Report the end of a quarantine."""
        self._tell(f"{escape_name(subject)} is no longer in quarantine")

    def on_failure(self, reason: str) -> None:
        """Report that the pins cannot be read or written."""
        self._tell(f"pins: {reason}")

    def on_revocations_changed(
        self, revoked: Revocations, reinstated: Revocations
    ) -> None:
        """Print nothing: the client is refused from its next call on."""

    def on_unreadable_revocations(self, reason: str) -> None:
        """Report that the revocation list cannot be read."""
        self._tell(reason)

    def on_rejected_statement(self, noun: str, digest: str, reason: str) -> None:
        """Report a signed statement that is invalid."""
        self._tell(f"the {noun} {digest[:16]} is rejected ({reason})")

    def on_unreadable_statements(self, reason: str) -> None:
        """Report that the store of signed statements cannot be read."""
        self._tell(reason)

    def on_undelivered(self, host: str, decision: str, reason: str) -> None:
        """Report an approval request that its owner did not receive."""
        self._tell(
            f"the webhook at {host} did not accept decision {decision} ({reason})"
        )

    def on_unusable_webhook(self, reason: str) -> None:
        """Report that owners get no approval requests."""
        self._tell(f"owners are not notified of denied calls: {reason}")
