"""Notices to operators: changes of what a process enforces, and failures to read it.

Names of tools are their server's own text, so they are logged in ASCII and truncated.
"""

from typing import Protocol

from answerable.authorization.revocations import Revocations
from answerable.server.operator_log import OperatorLog
from answerable.server.pins.pin_watch import PinListener

MAX_NAME = 200  # letters of a name


class EnforcementNotices(PinListener, Protocol):
    """Receiver of notices, in a process that enforces."""

    def on_revocations_changed(
        self, revoked: Revocations, reinstated: Revocations
    ) -> None:
        """Handle revocations and reinstatements that took effect."""

    def on_unreadable_revocations(self, reason: str) -> None:
        """Handle a revocation list that cannot be read."""

    def on_rejected_statement(self, noun: str, digest: str, reason: str) -> None:
        """Handle a signed statement that is invalid."""

    def on_unreadable_statements(self, reason: str) -> None:
        """Handle a store of signed statements that cannot be read."""

    def on_undelivered(self, host: str, decision: str, reason: str) -> None:
        """Handle an approval request that its owner did not receive."""

    def on_unusable_webhook(self, reason: str) -> None:
        """Handle a webhook that cannot be used: owners get no approval requests."""


class LogNotices:
    """Notices as lines of the log.

    Args:
        log: Log of the process.
    """

    def __init__(self, log: OperatorLog) -> None:
        self._log = log

    def on_quarantined(self, subject: str, reason: str, similar_item: str) -> None:
        """Log that a changed tool definition is now in quarantine."""
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
        """Log that a tool definition is no longer in quarantine."""
        self._log.info("pin.released", subject=escape_name(subject))

    def on_failure(self, reason: str) -> None:
        """Log that the pins cannot be read or written."""
        self._log.error("pins.refused", why=reason)

    def on_revocations_changed(
        self, revoked: Revocations, reinstated: Revocations
    ) -> None:
        """Log revocations and reinstatements that took effect."""
        for subject in sorted(revoked):
            self._log.warning("kill.taken", subject=subject)
        for subject in sorted(reinstated):
            self._log.warning("kill.revived", subject=subject)

    def on_unreadable_revocations(self, reason: str) -> None:
        """Log that the revocation list cannot be read."""
        self._log.error("kills.refused", why=reason)

    def on_rejected_statement(self, noun: str, digest: str, reason: str) -> None:
        """Log a signed statement that is invalid."""
        self._log.warning(f"{noun}.refused", id=digest, why=reason)

    def on_unreadable_statements(self, reason: str) -> None:
        """Log that the store of signed statements cannot be read."""
        self._log.error("amendments.unreadable", why=reason)

    def on_undelivered(self, host: str, decision: str, reason: str) -> None:
        """Log an approval request that its owner did not receive."""
        self._log.warning(
            "approval.not-delivered", host=host, decision=decision, why=reason
        )

    def on_unusable_webhook(self, reason: str) -> None:
        """Log that owners get no approval requests."""
        self._log.warning("approvals.not-notified", why=reason)

    def on_stale_issuer_keys(self, issuer: str, reason: str) -> None:
        """Log that an issuer's keys could not be renewed."""
        self._log.warning("issuer.keys-refused", issuer=issuer, why=reason)


def escape_name(text: str) -> str:
    """Escape a server's text as ASCII, truncated."""
    plain = text[:MAX_NAME].encode("unicode_escape").decode("ascii")
    return plain if len(text) <= MAX_NAME else f"{plain}..."
