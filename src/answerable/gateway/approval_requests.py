"""Notify the owner of an agent of a denied call that the owner could approve.

A worker notifies its supervisor, which notifies the webhook; the stdio wrapper notifies
the webhook itself. All apply the same rate limit, so an agent that is denied a thousand
times a second fills neither pipe nor channel.
"""

import hashlib
import time
from collections.abc import Callable

from answerable.model.approval_request import (
    ApprovalRequestConfig,
    ApprovalScope,
    BlockedCall,
)
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import Decision
from answerable.server.approval_notifications.notification_rate import NotificationRate
from answerable.server.approval_notifications.owner_notifier import owner_could_allow
from answerable.server.mcp.call import McpCall


class ApprovalRequestNotifier:
    """Sends an approval request for each denied call that its owner could allow.

    Args:
        asks: Rate limits; None where nothing is sent.
        say: Called with each request.
    """

    def __init__(
        self, asks: ApprovalRequestConfig | None, say: Callable[[BlockedCall], None]
    ) -> None:
        self._say = say
        self._rate: NotificationRate | None = None
        self.reconfigure(asks)

    def reconfigure(self, config: ApprovalRequestConfig | None) -> None:
        """Apply another configuration."""
        if config is None:
            self._rate = None
        elif self._rate is None:
            self._rate = NotificationRate(config.per_agent)
        else:
            self._rate.per_agent = config.per_agent

    def notify(
        self,
        caller: VerifiedCaller,
        call: McpCall,
        decision: Decision,
        decision_id: str,
    ) -> None:
        """Notify the owner of a denied call, if the owner could approve it.

        Args:
            caller: The verified caller.
            call: The call.
            decision: The decision on it.
            decision_id: Id of the decision.
        """
        rate = self._rate
        if rate is None or decision.passes:
            return
        digest = hashlib.sha256(call.arguments).hexdigest() if call.arguments else ""
        wanted = ApprovalScope(
            caller.agent, call.server, call.target, call.name, digest
        )
        if owner_could_allow(wanted, decision) and rate.allow_notification(
            wanted, time.monotonic()
        ):
            self._say(BlockedCall(decision_id, wanted))
