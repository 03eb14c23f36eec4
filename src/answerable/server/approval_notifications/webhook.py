"""Webhook for approval requests, off the path of calls: bounded, retried, then dropped.

No call waits for it, and its answer decides nothing: it accepts messages, and an owner
signs at their own terminal.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping

from answerable.model.approval_request import ApprovalRequestConfig, BlockedCall
from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.server.approval_notifications.chat_message import build_message
from answerable.server.approval_notifications.notification_rate import NotificationRate
from answerable.server.issuers.allowed_addresses import FetchFailed, parse_https_url
from answerable.server.issuers.http_fetch import FetchLocation, send_request
from answerable.server.tls import build_client_context

UndeliveredListener = Callable[[str, str, str], None]

MAX_QUEUED = 256  # queued messages
RETRY_DELAYS = (1.0, 4.0, 16.0)  # seconds before each further try
_MAX_ANSWER = 16 * 1024  # bytes of an answer
_FIELDS = (("Content-Type", "application/json"), ("Accept", "*/*"))
_ACCEPTED_STATUSES = (200, 201, 202, 204)


class ApprovalWebhook:
    """One webhook.

    Args:
        owner: Returns the owner of an agent; empty for none.
        untold: Called for a dropped message with host, decision, and reason.
        environ: Environment that may hold its URL.
        pauses: Seconds before each retry.

    Attributes:
        counted: Messages by outcome: `sent`, `dropped`.

    Raises:
        EnvironmentFailure: There is no URL, or the file of authorities cannot be used.
    """

    def __init__(
        self,
        asks: ApprovalRequestConfig,
        owner: Callable[[str], str],
        untold: UndeliveredListener,
        environ: Mapping[str, str] = os.environ,
        pauses: tuple[float, ...] = RETRY_DELAYS,
    ) -> None:
        self.counted: Counter[str] = Counter()
        self._owner, self._untold, self._pauses = owner, untold, pauses
        self._place = _webhook_location(asks, environ)
        self._rate = NotificationRate(asks.per_agent)
        self._queue: asyncio.Queue[BlockedCall] = asyncio.Queue(MAX_QUEUED)

    def enqueue(self, asked: BlockedCall, now: float) -> None:
        """Queue a message, unless the rate limit for that action or agent is reached.

        Args:
            asked: Denied call.
            now: Monotonic seconds.
        """
        if not self._rate.allow(asked.wanted, now):
            return
        try:
            self._queue.put_nowait(asked)
        except asyncio.QueueFull:
            self.counted["dropped"] += 1

    async def deliver_forever(self) -> None:
        """Deliver messages in order, until cancelled."""
        while True:
            asked = await self._queue.get()
            sent = await self._deliver_message(asked)
            self.counted["sent" if sent else "dropped"] += 1
            self._queue.task_done()

    async def wait_delivered(self) -> None:
        """Wait until the queue is empty."""
        await self._queue.join()

    async def _deliver_message(self, asked: BlockedCall) -> bool:
        why = ""
        for pause in (0.0, *self._pauses):
            await asyncio.sleep(pause)
            body = build_message(asked, self._owner(asked.wanted.agent))
            try:
                await send_request(
                    self._place,
                    _MAX_ANSWER,
                    "POST",
                    _FIELDS,
                    body=body,
                    statuses=_ACCEPTED_STATUSES,
                )
            except (FetchFailed, AnswerableError) as error:
                why = error.message
            else:
                return True
        # Only its host: the path of a webhook URL is a secret.
        host, _ = parse_https_url(self._place.url)
        self._untold(host, asked.decision, why)
        return False


def _webhook_location(
    asks: ApprovalRequestConfig, environ: Mapping[str, str]
) -> FetchLocation:
    url = asks.webhook or environ.get(asks.webhook_env, "")
    named = "asks.webhook" if asks.webhook else f"the variable {asks.webhook_env}"
    try:
        parse_https_url(url)
    except FetchFailed:
        raise EnvironmentFailure(
            f"{named} holds no https URL with a host and without a user",
            "see `asks` in docs/configuration.md",
        ) from None
    try:
        tls = build_client_context(asks.ca) if asks.ca else None
    except OSError as error:  # an SSLError is one
        raise EnvironmentFailure(
            f"cannot use {asks.ca} ({error.strerror or 'no certificate'})",
            "set asks.ca to the authority of the webhook's certificate",
        ) from None
    return FetchLocation(url, tls, private=asks.private)
