"""Webhook for approval requests, off the path of calls: bounded, retried, then dropped.

No call waits for it, and its answer decides nothing: it accepts messages, and an owner
signs at their own terminal.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping

from answerable.model.approval_request import Asked, Asks
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.server.approval_notifications.chat_message import message
from answerable.server.approval_notifications.notification_rate import Rate
from answerable.server.issuers.allowed_addresses import Unfetched, check_url
from answerable.server.issuers.http_fetch import Place, ask
from answerable.server.tls import client_context

Untold = Callable[[str, str, str], None]

MOST = 256  # queued messages
PAUSES = (1.0, 4.0, 16.0)  # seconds before each further try
_LARGEST = 16 * 1024  # bytes of an answer
_FIELDS = (("Content-Type", "application/json"), ("Accept", "*/*"))
_TAKEN = (200, 201, 202, 204)


class Webhook:
    """One webhook.

    Args:
        owner: Returns the owner of an agent; empty for none.
        untold: Called for a dropped message with host, decision, and reason.
        environ: Environment that may hold its URL.
        pauses: Seconds before each retry.

    Attributes:
        counted: Messages by outcome: `sent`, `dropped`.

    Raises:
        EnvironmentRefused: There is no URL, or the file of authorities cannot be used.
    """

    def __init__(
        self,
        asks: Asks,
        owner: Callable[[str], str],
        untold: Untold,
        environ: Mapping[str, str] = os.environ,
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        self.counted: Counter[str] = Counter()
        self._owner, self._untold, self._pauses = owner, untold, pauses
        self._place = _place(asks, environ)
        self._rate = Rate(asks.per_agent)
        self._queue: asyncio.Queue[Asked] = asyncio.Queue(MOST)

    def tell(self, asked: Asked, now: float) -> None:
        """Queue a message, unless the rate limit for that action or agent is reached.

        Args:
            asked: Denied call.
            now: Monotonic seconds.
        """
        if not self._rate.may(asked.wanted, now):
            return
        try:
            self._queue.put_nowait(asked)
        except asyncio.QueueFull:
            self.counted["dropped"] += 1

    async def serve(self) -> None:
        """Deliver messages in order, until cancelled."""
        while True:
            asked = await self._queue.get()
            sent = await self._push(asked)
            self.counted["sent" if sent else "dropped"] += 1
            self._queue.task_done()

    async def told_all(self) -> None:
        """Wait until the queue is empty."""
        await self._queue.join()

    async def _push(self, asked: Asked) -> bool:
        why = ""
        for pause in (0.0, *self._pauses):
            await asyncio.sleep(pause)
            body = message(asked, self._owner(asked.wanted.agent))
            try:
                await ask(
                    *(self._place, _LARGEST, "POST", _FIELDS),
                    body=body,
                    statuses=_TAKEN,
                )
            except (Unfetched, AnswerableError) as error:
                why = error.message
            else:
                return True
        # Only its host: the path of a webhook URL is a secret.
        host, _ = check_url(self._place.url)
        self._untold(host, asked.decision, why)
        return False


def _place(asks: Asks, environ: Mapping[str, str]) -> Place:
    url = asks.webhook or environ.get(asks.webhook_env, "")
    named = "asks.webhook" if asks.webhook else f"the variable {asks.webhook_env}"
    try:
        check_url(url)
    except Unfetched:
        raise EnvironmentRefused(
            f"{named} holds no https URL with a host and without a user",
            "see `asks` in docs/configuration.md",
        ) from None
    try:
        tls = client_context(asks.ca) if asks.ca else None
    except OSError as error:  # an SSLError is one
        raise EnvironmentRefused(
            f"cannot use {asks.ca} ({error.strerror or 'no certificate'})",
            "set asks.ca to the authority of the webhook's certificate",
        ) from None
    return Place(url, tls, private=asks.private)
