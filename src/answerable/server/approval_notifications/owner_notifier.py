"""Notify the owner of an agent about denied calls, by a webhook."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

from answerable.authorization.policy_exceptions import OWNER_LIFTABLE
from answerable.model.approval_request import (
    APPROVABLE_TARGETS,
    ApprovalRequestConfig,
    ApprovalScope,
    BlockedCall,
)
from answerable.model.decision import Decision
from answerable.server.approval_notifications.webhook import (
    ApprovalWebhook,
    UndeliveredListener,
)
from answerable.server.statement_watch import StatementWatch
from answerable.services.statements.attested_owners import AttestedOwnerReader


def owner_could_allow(action: ApprovalScope, decision: Decision) -> bool:
    """Return whether a call is denied that the agent's owner could have allowed."""
    is_held = not decision.passes and decision.reason in OWNER_LIFTABLE
    return is_held and action.target in APPROVABLE_TARGETS


class OwnerNotifier:
    """Notifier with at most one webhook.

    Args:
        statements: Watch that reads the attested owners of agents.
        untold: Called for undelivered notifications.
    """

    def __init__(self, statements: StatementWatch, untold: UndeliveredListener) -> None:
        self._statements, self._untold = statements, untold
        self._webhook: ApprovalWebhook | None = None
        self._serving: asyncio.Task[None] | None = None
        self._told: Counter[str] = Counter()

    @property
    def sent_counts(self) -> Counter[str]:
        """Number of messages by outcome, since the start."""
        now = self._webhook.counted if self._webhook is not None else Counter[str]()
        return self._told + now

    def build_webhook(
        self, approval_config: ApprovalRequestConfig | None
    ) -> ApprovalWebhook | None:
        """Build the webhook; None without one in the configuration.

        Raises:
            EnvironmentFailure: It cannot be used.
        """
        return (
            ApprovalWebhook(approval_config, self._owner_name, self._untold)
            if approval_config is not None
            else None
        )

    def set_webhook(self, webhook: ApprovalWebhook | None) -> None:
        """Replace the webhook; queued messages of another one are dropped."""
        self._told = self.sent_counts
        if self._serving is not None:
            self._serving.cancel()
        self._webhook, self._serving = webhook, None
        if webhook is not None:
            self._serving = asyncio.create_task(webhook.deliver_forever())

    def notify(self, blocked_call: BlockedCall) -> None:
        """Queue a webhook message to the agent's owner about a denied call."""
        if self._webhook is not None:
            self._webhook.enqueue(blocked_call, time.monotonic())

    def notify_if_owner_could_allow(
        self, id: str, action: ApprovalScope, decision: Decision
    ) -> None:
        """Notify of a decision, if the owner could have allowed the call.

        Args:
            id: Id of the decision.
            action: Action of the agent.
            decision: The decision.
        """
        if self._webhook is not None and owner_could_allow(action, decision):
            self.notify(BlockedCall(id, action))

    async def close(self, seconds: float = 0.0) -> None:
        """Stop notifying, after a time for the queued messages.

        Args:
            seconds: Time limit for queued messages, in seconds.
        """
        if self._webhook is not None and seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._webhook.wait_delivered()
        self.set_webhook(None)

    def _owner_name(self, agent: str) -> str:
        """Return the name of an agent's owner; empty if it has none."""
        owners = self._statements.current.get(AttestedOwnerReader)
        persons = (each.person for each in owners if each.agent == agent)
        return next(persons, "").removeprefix("person:")
