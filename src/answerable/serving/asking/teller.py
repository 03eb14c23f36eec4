"""Who is told of calls that were held back, in a process that knows who owns what."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

from answerable.enforce.amending import BY_OWNER
from answerable.model.ask import ASKABLE, Asked, Asks, Wanted
from answerable.model.decision import Decision
from answerable.model.ids import AgentId
from answerable.serving.amendments import AmendmentWatch
from answerable.serving.asking.webhook import Untold, Webhook


def may_be_lifted(wanted: Wanted, decision: Decision) -> bool:
    """Say whether a call does not go on, and its agent's owner could have let it."""
    is_held = not decision.passes and decision.reason in BY_OWNER
    return is_held and wanted.target in ASKABLE


class Teller:
    """Tells a webhook, where there is one.

    Args:
        amendments: Knows the owners of agents.
        untold: Hears of what the webhook did not take.
    """

    def __init__(self, amendments: AmendmentWatch, untold: Untold) -> None:
        self._amendments, self._untold = amendments, untold
        self._webhook: Webhook | None = None
        self._serving: asyncio.Task[None] | None = None
        self._told: Counter[str] = Counter()

    @property
    def told(self) -> Counter[str]:
        """Messages by outcome, since the start."""
        now = self._webhook.counted if self._webhook is not None else Counter[str]()
        return self._told + now

    def made(self, asks: Asks | None) -> Webhook | None:
        """Make what tells owners of asks; None where nothing does.

        Raises:
            EnvironmentRefused: It cannot be used.
        """
        return Webhook(asks, self._owner, self._untold) if asks is not None else None

    def use(self, webhook: Webhook | None) -> None:
        """Tell this one from now on; what waits for another is dropped."""
        self._told = self.told
        if self._serving is not None:
            self._serving.cancel()
        self._webhook, self._serving = webhook, None
        if webhook is not None:
            self._serving = asyncio.create_task(webhook.serve())

    def heard(self, asked: Asked) -> None:
        """Hear of a call that was held back."""
        if self._webhook is not None:
            self._webhook.tell(asked, time.monotonic())

    def decided(self, id: str, wanted: Wanted, decision: Decision) -> None:
        """Hear of what was decided; an owner hears of it who could let it pass.

        Args:
            id: Of the decision.
            wanted: What the agent wanted to do.
            decision: What was decided.
        """
        if self._webhook is not None and may_be_lifted(wanted, decision):
            self.heard(Asked(id, wanted))

    async def close(self, seconds: float = 0.0) -> None:
        """Tell no more.

        Args:
            seconds: How long what waits may take.
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
