"""Notifier of owners about denied calls."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

from answerable.authorization.policy_exceptions import BY_OWNER
from answerable.model.approval_request import ASKABLE, Asked, Asks, Wanted
from answerable.model.decision import Decision
from answerable.model.ids import AgentId
from answerable.server.approval_notifications.webhook import Untold, Webhook
from answerable.server.policy_exception_watch import AmendmentWatch


def may_be_lifted(wanted: Wanted, decision: Decision) -> bool:
    """Tell whether a call is denied that its agent's owner could have allowed."""
    is_held = not decision.passes and decision.reason in BY_OWNER
    return is_held and wanted.target in ASKABLE


class Teller:
    """Notifier with at most one webhook.

    Args:
        amendments: Watch that knows the owners of agents.
        untold: Called for undelivered notifications.
    """

    def __init__(self, amendments: AmendmentWatch, untold: Untold) -> None:
        self._amendments, self._untold = amendments, untold
        self._webhook: Webhook | None = None
        self._serving: asyncio.Task[None] | None = None
        self._told: Counter[str] = Counter()

    @property
    def told(self) -> Counter[str]:
        """Number of messages by outcome, since the start."""
        now = self._webhook.counted if self._webhook is not None else Counter[str]()
        return self._told + now

    def made(self, asks: Asks | None) -> Webhook | None:
        """Build the webhook; None without one in the configuration.

        Raises:
            EnvironmentRefused: It cannot be used.
        """
        return Webhook(asks, self._owner, self._untold) if asks is not None else None

    def use(self, webhook: Webhook | None) -> None:
        """Replace the webhook; queued messages of another one are dropped."""
        self._told = self.told
        if self._serving is not None:
            self._serving.cancel()
        self._webhook, self._serving = webhook, None
        if webhook is not None:
            self._serving = asyncio.create_task(webhook.serve())

    def heard(self, asked: Asked) -> None:
        """Notify of a denied call."""
        if self._webhook is not None:
            self._webhook.tell(asked, time.monotonic())

    def decided(self, id: str, wanted: Wanted, decision: Decision) -> None:
        """Notify of a decision, if the owner could have allowed the call.

        Args:
            id: Id of the decision.
            wanted: Action of the agent.
            decision: The decision.
        """
        if self._webhook is not None and may_be_lifted(wanted, decision):
            self.heard(Asked(id, wanted))

    async def close(self, seconds: float = 0.0) -> None:
        """Stop notifying.

        Args:
            seconds: Time limit for queued messages, in seconds.
        """
        if self._webhook is not None and seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._webhook.told_all()
        self.use(None)

    def _owner(self, agent: str) -> str:
        held = self._amendments.held
        owner = held.owners.get(AgentId(agent)) if held is not None else None
        return owner.person.removeprefix("person:") if owner is not None else ""
