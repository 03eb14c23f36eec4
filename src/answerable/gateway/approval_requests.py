"""Approval requests: denied calls that the agent's owner could allow.

A worker notifies its supervisor, which notifies the webhook; the stdio wrapper notifies
the webhook itself. All apply the same rate limit, so an agent that is denied a thousand
times a second fills neither pipe nor channel.
"""

import hashlib
import time
from collections.abc import Callable

from answerable.model.approval_request import Asked, Asks, Wanted
from answerable.model.caller import Caller
from answerable.model.decision import Decision
from answerable.server.approval_notifications.notification_rate import Rate
from answerable.server.approval_notifications.owner_notifier import may_be_lifted
from answerable.server.mcp.call import Call


class HeldBack:
    """Sends an approval request for each denied call that its owner could allow.

    Args:
        asks: Rate limits; None where nothing is sent.
        say: Called with each request.
    """

    def __init__(self, asks: Asks | None, say: Callable[[Asked], None]) -> None:
        self._say = say
        self._rate: Rate | None = None
        self.swap(asks)

    def swap(self, asks: Asks | None) -> None:
        """Apply another configuration from now on."""
        if asks is None:
            self._rate = None
        elif self._rate is None:
            self._rate = Rate(asks.per_agent)
        else:
            self._rate.per_agent = asks.per_agent

    def tell(self, caller: Caller, call: Call, decision: Decision, id: str) -> None:
        """Notify of a denied call that its owner could have allowed.

        Args:
            caller: The verified caller.
            call: The call.
            decision: The decision on it.
            id: Id of the decision.
        """
        rate = self._rate
        if rate is None or decision.passes:
            return
        digest = hashlib.sha256(call.arguments).hexdigest() if call.arguments else ""
        wanted = Wanted(caller.agent, call.server, call.target, call.name, digest)
        if may_be_lifted(wanted, decision) and rate.may(wanted, time.monotonic()):
            self._say(Asked(id, wanted))
