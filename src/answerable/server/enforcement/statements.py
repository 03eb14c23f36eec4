"""Signed statements of a store as they change, and notifications to owners."""

from collections.abc import Callable, Sequence
from pathlib import Path

from answerable.model.approval_request import ApprovalRequestConfig
from answerable.model.errors import EnvironmentFailure
from answerable.server.approval_notifications.owner_notifier import OwnerNotifier
from answerable.server.enforcement.operator_notices import EnforcementNotices
from answerable.server.statement_watch import StatementWatch
from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.services.statements.statements_in_force import (
    StatementKind,
    StatementsInForce,
)


class WatchedStatements:
    """Watch over signed statements, with the notifier that knows the owners from it.

    Args:
        store: Folder of the store.
        kinds: Kinds to read, besides attested owners.
        changed: Called with the statements in force whenever they change.
        notices: Receives rejected statements and failures.

    Attributes:
        watch: The watch.
        notifier: Notifies owners of approval requests.
    """

    def __init__(
        self,
        store: Path,
        kinds: Sequence[StatementKind],
        changed: Callable[[StatementsInForce], None],
        notices: EnforcementNotices,
    ) -> None:
        self._notices = notices
        self.watch = StatementWatch(
            store,
            (*kinds, AttestedOwnerReader),
            changed,
            notices.on_rejected_statement,
            notices.on_unreadable_statements,
        )
        self.notifier = OwnerNotifier(self.watch, notices.on_undelivered)
        self._asks: ApprovalRequestConfig | None = None

    def configure_notifier(self, config: ApprovalRequestConfig | None) -> None:
        """Configure notifications to owners; decisions go on if that fails."""
        if config == self._asks:
            return
        self._asks = config
        try:
            self.notifier.set_webhook(self.notifier.build_webhook(config))
        except EnvironmentFailure as error:
            self.notifier.set_webhook(None)
            self._notices.on_unusable_webhook(error.message)

    async def close(self, seconds: float = 0.0) -> None:
        """Stop watching signed statements and notifying owners.

        Args:
            seconds: Time limit for queued notifications.
        """
        await self.notifier.close(seconds)
        await self.watch.close()
