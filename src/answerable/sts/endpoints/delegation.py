"""POST /delegate: an agent delegates a part of its rights to another, as a ticket.

  {"agent": "agent:...", "jkt": THUMBPRINT, "audiences": [AUDIENCE, ...],
  "scopes": {AUDIENCE: [SCOPE, ...]}, "ttl": SECONDS}

The agent proves the key of its own token and names the key of the other agent. The
ticket is valid once, for that agent with that key. Without `audiences` and `scopes` it
covers all of the parent's; `ttl` is optional.
"""

import hashlib
import secrets
from collections.abc import Callable

from msgspec.structs import replace

from answerable.federation.delegations import Portion, ticket_of
from answerable.federation.denials import Refused as NotGiven
from answerable.federation.errors import NonceRequired, TokenRefused
from answerable.federation.strict_json import Unread, strict_object
from answerable.federation.trust_state import check_standing
from answerable.model.delegation import Ticket
from answerable.model.exchange import TICKET, OAuthError, Refusal
from answerable.model.ids import AgentId
from answerable.model.spool_record import Exchanged
from answerable.server.recording.record_ticket import NotRecorded
from answerable.services.federation.exchange_records import chain_of
from answerable.services.federation.own_tokens import Held
from answerable.store.token_state.interface import Control, ControlUnavailable, Outcome
from answerable.sts.endpoints.proof_of_possession import Proving
from answerable.sts.endpoints.token_revocation import record_of
from answerable.sts.http.request import Asked
from answerable.sts.http.responses import Answer, error_answer, json_answer
from answerable.sts.http.server import Handler
from answerable.sts.recording.exchange_recorder import Recorder
from answerable.sts.runtime.executor import Blocking
from answerable.usecases.federation.token_exchange import Exchanges

PATH = "/delegate"
WHAT = "ticket"
USUAL_TTL = 3600  # seconds, where the request does not say; the parent's end is sooner
SECRET = 32  # bytes of a ticket
MOST = 64  # audiences, and scopes of one

_INVALID = Refusal(OAuthError.INVALID_REQUEST, "body")


class DelegateEndpoint:
    """Endpoint that issues tickets.

    Args:
        blocking: Runs calls to the record.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        exchanges: Exchanges,
        control: Control,
        proving: Proving,
        blocking: Blocking,
        recorder: Recorder,
        clock: Callable[[], float],
    ) -> None:
        self._exchanges, self._control, self._proving = exchanges, control, proving
        self._blocking, self._recorder, self._clock = blocking, recorder, clock

    def handlers(self) -> dict[tuple[str, str], Handler]:
        """Return the handlers by method and path."""
        return {("POST", PATH): self._delegate}

    async def _delegate(self, asked: Asked) -> Answer:
        now = self._clock()
        try:
            self._recorder.check()
        except NotRecorded:
            return error_answer(OAuthError.TEMPORARILY_UNAVAILABLE)
        try:
            held = await self._blocking.run(
                lambda: self._proving.holder(asked, PATH, now)
            )
        except NonceRequired:
            nonce = self._proving.nonce(now)
            return error_answer(OAuthError.USE_DPOP_NONCE, nonce)
        except TokenRefused as refused:
            error = OAuthError.INVALID_CLIENT
            return self._refuse(None, Refusal(error, refused.reason.value))
        except ControlUnavailable:
            return error_answer(OAuthError.TEMPORARILY_UNAVAILABLE)
        portion = read_portion(asked.body)
        if portion is None:
            return self._refuse(held, _INVALID)
        return await self._handed(held, portion, now)

    async def _handed(self, held: Held, portion: Portion, now: float) -> Answer:
        secret = secrets.token_urlsafe(SECRET)
        sha256 = hashlib.sha256(secret.encode("ascii")).hexdigest()
        try:
            ticket = await self._blocking.run(
                lambda: self._ticket(held, portion, sha256, now)
            )
        except NotGiven as refused:
            return self._refuse(held, refused.refusal)
        except ControlUnavailable:
            return error_answer(OAuthError.TEMPORARILY_UNAVAILABLE)
        if ticket is None:
            return self._refuse(held, Refusal(OAuthError.INVALID_GRANT, "dead"))
        parent = held.delegation
        record = record_of(WHAT, held.claims)(
            chain=(*chain_of(parent), str(ticket.agent)),
            parent=parent.id,
            issued=sha256,
            expires=ticket.expires,
            bound="dpop",
        )
        try:
            await self._recorder.given(handed_on(record, ticket))
        except NotRecorded:
            return error_answer(OAuthError.TEMPORARILY_UNAVAILABLE)
        life = ticket.expires - int(now)
        said = {"ticket": secret, "token_type": TICKET, "expires_in": life}
        return json_answer(said, 201)

    def _ticket(
        self, held: Held, portion: Portion, sha256: str, now: float
    ) -> Ticket | None:
        standing = self._exchanges.standing(now)
        parent = held.delegation
        check_standing(held.chain.links, standing)
        rule = standing.rules.get(parent.rule)
        if rule is None or rule.digest != parent.rule_digest:
            return None
        ticket = ticket_of(parent, portion, sha256, rule, int(now))
        done = self._control.put_ticket(ticket, now).outcome is Outcome.DONE
        return ticket if done else None

    def _refuse(self, held: Held | None, refusal: Refusal) -> Answer:
        detail = f": {refusal.detail}" if refusal.detail else ""
        begun = Exchanged(0, 0, "", WHAT)
        if held is not None:
            begun = record_of(WHAT, held.claims)()
        error, reason = refusal.error.value, refusal.reason + detail
        self._recorder.refused(replace(begun, error=error, reason=reason))
        return error_answer(refusal.error)


def handed_on(record: Exchanged, ticket: Ticket) -> Exchanged:
    """Return the record with the agent, audiences and scopes of the ticket."""
    audiences = " ".join(ticket.audiences)
    scopes = tuple(dict.fromkeys(scope for _, scope in ticket.scopes))
    return replace(
        record,
        agent=ticket.agent,
        owner="",
        delegation="",
        audience=audiences,
        scopes=scopes,
    )


def read_portion(body: bytes) -> Portion | None:
    """Parse what is delegated; None if it is malformed."""
    try:
        asked = strict_object(body)
    except Unread:
        return None
    agent, jkt, ttl = asked.get("agent"), asked.get("jkt"), asked.get("ttl", USUAL_TTL)
    if not (isinstance(agent, str) and isinstance(jkt, str) and type(ttl) is int):
        return None
    audiences = scopes = None
    if "audiences" in asked:
        audiences = _texts(asked["audiences"])
        if audiences is None:
            return None
    if "scopes" in asked:
        scopes = _pairs(asked["scopes"])
        if scopes is None:
            return None
    return Portion(AgentId(agent), jkt, audiences, scopes, ttl)


def _pairs(value: object) -> tuple[tuple[str, str], ...] | None:
    """Parse scopes by audience; None if malformed or too many."""
    if not isinstance(value, dict) or len(value) > MOST:
        return None
    listed = {at: _texts(scopes) for at, scopes in value.items()}
    if None in listed.values():
        return None
    return tuple((at, scope) for at, scopes in listed.items() for scope in scopes or ())


def _texts(value: object) -> tuple[str, ...] | None:
    """Parse a short list of texts; None if malformed."""
    if not isinstance(value, list) or len(value) > MOST:
        return None
    return tuple(value) if all(isinstance(each, str) for each in value) else None
