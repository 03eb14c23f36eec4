"""Push CAEP 1.0 session-revoked events to receivers (RFC 8417, RFC 8935).

Each ended delegation gives one security event token per receiver. After a few failed
tries an event is dropped and counted; a receiver that must miss none polls
`/introspect`.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from answerable.model.config import TokenServiceConfig
from answerable.model.delegation import Delegation
from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.server.issuers.allowed_addresses import FetchFailed
from answerable.server.issuers.http_fetch import FetchLocation, send_https_request
from answerable.server.operator_log import OperatorLog
from answerable.server.tls import build_client_context
from answerable.store.token_state.interface import generate_id
from answerable.sts.token_signing import TokenSigning

SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
EVENT_TYP = "secevent+jwt"
EVENT_LIFETIME = (
    600  # seconds until `exp`: as long as the key that signs is published for sure
)
MAX_QUEUED = 10_000  # events that wait, for one receiver
RETRY_DELAYS = (1.0, 2.0, 4.0, 8.0)  # seconds before each further try
_MAX_ANSWER = 16 * 1024  # bytes of an answer
_FIELDS = (("Content-Type", f"application/{EVENT_TYP}"), ("Accept", "application/json"))


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """An ended delegation.

    Attributes:
        by: `admin` for a revocation by an operator, `user` for a revoked token.
        at: NumericDate.
    """

    link: Delegation
    by: str
    at: int


class EventPusher:
    """Delivery of events to the configured receivers.

    Args:
        service: Configuration with the receivers.
        clock: Returns the time as a NumericDate.
        pauses: Seconds before each retry.

    Attributes:
        counted: Events by outcome: `sent`, `dropped`.

    Raises:
        EnvironmentFailure: The CA file cannot be used.
    """

    def __init__(
        self,
        service: TokenServiceConfig,
        signing: TokenSigning,
        log: OperatorLog,
        clock: Callable[[], float],
        pauses: tuple[float, ...] = RETRY_DELAYS,
    ) -> None:
        self.counted: Counter[str] = Counter()
        self._iss, self._signing, self._log = service.url, signing, log
        self._clock, self._pauses = clock, pauses
        tls = _build_tls_context(service.events_ca)
        self._queues = {
            url: asyncio.Queue[SessionRevoked](MAX_QUEUED) for url in service.events
        }
        self._tasks = [
            asyncio.create_task(
                self._deliver_queued_events(
                    FetchLocation(url, tls, private=True), queue
                )
            )
            for url, queue in self._queues.items()
        ]

    def notify(self, revoked_sessions: Iterable[SessionRevoked]) -> None:
        """Queue an event for every receiver and revoked session."""
        for each in revoked_sessions:
            for queue in self._queues.values():
                try:
                    queue.put_nowait(each)
                except asyncio.QueueFull:
                    self.counted["dropped"] += 1

    async def close(self) -> None:
        """Stop all deliveries of security event tokens."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver_queued_events(
        self, receiver: FetchLocation, queue: "asyncio.Queue[SessionRevoked]"
    ) -> None:
        """Deliver queued events to one receiver, until cancelled."""
        while True:
            ended = await queue.get()
            sent = await self._push_event(receiver, ended)
            self.counted["sent" if sent else "dropped"] += 1

    async def _push_event(
        self, receiver: FetchLocation, revoked_session: SessionRevoked
    ) -> bool:
        """Push one event with retries; return whether it was accepted."""
        why = ""
        for pause in (0.0, *self._pauses):
            await asyncio.sleep(pause)
            try:
                await send_https_request(
                    receiver,
                    _MAX_ANSWER,
                    "POST",
                    _FIELDS,
                    body=self._sign_event(receiver.url, revoked_session).encode(
                        "ascii"
                    ),
                    statuses=(202,),
                )
            except (FetchFailed, AnswerableError) as error:
                why = error.message
            else:
                return True
        self._log.warning("event.dropped", receiver=receiver.url, why=why)
        return False

    def _sign_event(self, audience: str, revoked_session: SessionRevoked) -> str:
        """Build and sign the security event token of a revoked session."""
        now = self._clock()
        link = revoked_session.link
        session = {"format": "opaque", "id": link.id}
        user = {"format": "iss_sub", "iss": self._iss, "sub": link.sub}
        claims: dict[str, object] = {
            "iss": self._iss,
            "aud": audience,
            "iat": int(now),
            "exp": int(now) + EVENT_LIFETIME,
            "jti": generate_id(now),
            "sub_id": {"format": "complex", "session": session, "user": user},
            "events": {
                SESSION_REVOKED: {
                    "event_timestamp": revoked_session.at,
                    "initiating_entity": revoked_session.by,
                }
            },
        }
        return self._signing.sign(claims, EVENT_TYP, now)


def _build_tls_context(ca_file: str) -> ssl.SSLContext | None:
    """Build the TLS context of a CA file; None for the system's authorities."""
    if not ca_file:
        return None
    try:
        return build_client_context(ca_file)
    except OSError as error:  # an SSLError is one
        raise EnvironmentFailure(
            f"cannot use {ca_file} ({error.strerror or 'no certificate'})",
            "set sts.events_ca to the CA of the receivers' certificates",
        ) from None
