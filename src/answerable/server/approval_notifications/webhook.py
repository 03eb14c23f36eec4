"""Send approval requests to a webhook in the background: bounded, with retries.

No call waits for it, and its answer decides nothing: it accepts messages, and an owner
signs at their own terminal.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping

from answerable.model.approval_request import ApprovalRequestConfig, BlockedCall
from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.server.approval_notifications.chat_message import build_approval_message
from answerable.server.approval_notifications.notification_rate import NotificationRate
from answerable.server.issuers.allowed_addresses import FetchFailed, parse_https_url
from answerable.server.issuers.http_fetch import FetchLocation, send_https_request
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
        self._place = _build_webhook_location(asks, environ)
        self._rate = NotificationRate(asks.per_agent)
        self._queue: asyncio.Queue[BlockedCall] = asyncio.Queue(MAX_QUEUED)

    def enqueue(self, blocked_call: BlockedCall, now: float) -> None:
        """Queue a message, unless the rate limit for that action or agent is reached.

        Args:
            blocked_call: Denied call.
            now: Monotonic seconds.
        """
        if not self._rate.allow_notification(blocked_call.wanted, now):
            return
        try:
            self._queue.put_nowait(blocked_call)
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

    async def _deliver_message(self, blocked_call: BlockedCall) -> bool:
        """Send one message with retries; return whether it was delivered."""
        why = ""
        for pause in (0.0, *self._pauses):
            await asyncio.sleep(pause)
            body = build_approval_message(
                blocked_call, self._owner(blocked_call.wanted.agent)
            )
            try:
                await send_https_request(
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
        self._untold(host, blocked_call.decision, why)
        return False


def _build_webhook_location(
    approval_config: ApprovalRequestConfig, environ: Mapping[str, str]
) -> FetchLocation:
    """Return the webhook's URL and TLS context, from config or a variable."""
    url = approval_config.webhook or environ.get(approval_config.webhook_env, "")
    named = (
        "asks.webhook"
        if approval_config.webhook
        else f"the variable {approval_config.webhook_env}"
    )
    try:
        parse_https_url(url)
    except FetchFailed:
        raise EnvironmentFailure(
            f"{named} is not an https URL with a host and without user information",
            "see `asks` in docs/configuration.md",
        ) from None
    try:
        tls = build_client_context(approval_config.ca) if approval_config.ca else None
    except OSError as error:  # an SSLError is one
        raise EnvironmentFailure(
            f"cannot use {approval_config.ca} ({error.strerror or 'no certificate'})",
            "set asks.ca to the authority of the webhook's certificate",
        ) from None
    return FetchLocation(url, tls, private=approval_config.private)
