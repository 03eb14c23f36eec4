"""A webhook hears of asks, off the path of calls: bounded, tried again, then dropped.

Nothing waits for it, and nothing is decided by its answer: it takes messages, and who
answers signs at a terminal of their own.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping

from answerable.model.ask import Asked, Asks
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.serving.asking.message import message
from answerable.serving.asking.rate import Rate
from answerable.serving.issuers.addresses import Unfetched, check_url
from answerable.serving.issuers.fetching import Place, ask
from answerable.serving.tls import client_context

Untold = Callable[[str, str, str], None]

MOST = 256  # messages that wait
PAUSES = (1.0, 4.0, 16.0)  # seconds before each further try
_LARGEST = 16 * 1024  # bytes of an answer
_FIELDS = (("Content-Type", "application/json"), ("Accept", "*/*"))
_TAKEN = (200, 201, 202, 204)


class Webhook:
    """Tells one webhook.

    Args:
        asks: Where it is.
        owner: Names who may sign for an agent; empty for nobody.
        untold: Hears of what was given up: its host alone, the decision, and why.
        environ: Where its URL may stand.
        pauses: Seconds before each further try.

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
        """Have it told, unless it heard of that act, or enough of that agent.

        Args:
            asked: What was held back.
            now: Seconds of a clock that does not go back.
        """
        if not self._rate.may(asked.wanted, now):
            return
        try:
            self._queue.put_nowait(asked)
        except asyncio.QueueFull:
            self.counted["dropped"] += 1

    async def serve(self) -> None:
        """Tell it of one after the other, until cancelled."""
        while True:
            asked = await self._queue.get()
            sent = await self._push(asked)
            self.counted["sent" if sent else "dropped"] += 1
            self._queue.task_done()

    async def told_all(self) -> None:
        """Wait until nothing waits to be told."""
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
        # Its host alone: the path of such a URL is what lets one write there.
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
            f"{named} holds no https URL that names a host and nobody",
            "see `asks` in docs/configuration.md",
        ) from None
    try:
        tls = client_context(asks.ca) if asks.ca else None
    except OSError as error:  # an SSLError is one
        raise EnvironmentRefused(
            f"cannot use {asks.ca} ({error.strerror or 'no certificate'})",
            "name who signs the webhook's certificate: asks.ca",
        ) from None
    return Place(url, tls, private=asks.private)
