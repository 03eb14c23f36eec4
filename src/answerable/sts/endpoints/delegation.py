"""Serve POST /delegate: an agent delegates a part of its rights by a ticket.

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

from answerable.federation.delegations import DelegationRequest, issue_ticket
from answerable.federation.denials import ExchangeDenied as NotGiven
from answerable.federation.exchange_inputs import check_chain_in_force
from answerable.federation.strict_json import AmbiguousInput, decode_json_object
from answerable.federation.token_errors import NonceRequired, TokenRejected
from answerable.model.delegation import DelegationTicket
from answerable.model.ids import AgentId
from answerable.model.spool_record import ExchangeRecord
from answerable.model.token_request import (
    TICKET_TYPE_URI,
    OAuthError,
    TokenRequestRefusal,
)
from answerable.services.federation.exchange_audit_records import list_delegation_agents
from answerable.services.federation.issued_token_verification import LiveOwnToken
from answerable.store.token_state.interface import (
    CommitOutcome,
    TokenState,
)
from answerable.sts.endpoints.proof_of_possession import ProofVerifier
from answerable.sts.endpoints.token_revocation import evidence_record_factory
from answerable.sts.http.request import StsRequest
from answerable.sts.http.responses import StsResponse, error_response, json_response
from answerable.sts.http.server import EndpointHandler
from answerable.sts.recording.exchange_recorder import ExchangeRecorder
from answerable.sts.runtime.database_executor import DatabaseExecutor
from answerable.usecases.federation.token_exchange import TokenExchange

PATH = "/delegate"
RECORD_KIND = "ticket"
DEFAULT_TTL = (
    3600  # seconds, where the request does not say; the parent's end is sooner
)
SECRET_SIZE = 32  # bytes of a ticket
MAX_ITEMS = 64  # audiences, and scopes of one

_INVALID = TokenRequestRefusal(OAuthError.INVALID_REQUEST, "body")


class DelegateEndpoint:
    """Endpoint that issues tickets.

    Args:
        blocking: Runs calls to the record.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        exchanges: TokenExchange,
        control: TokenState,
        proving: ProofVerifier,
        blocking: DatabaseExecutor,
        recorder: ExchangeRecorder,
        clock: Callable[[], float],
    ) -> None:
        self._exchanges, self._control, self._proving = exchanges, control, proving
        self._blocking, self._recorder, self._clock = blocking, recorder, clock

    def handlers(self) -> dict[tuple[str, str], EndpointHandler]:
        """Return the handlers by method and path."""
        return {("POST", PATH): self._handle_delegate}

    async def _handle_delegate(self, request: StsRequest) -> StsResponse:
        """Authenticate the agent, and answer its delegation request by a ticket."""
        now = self._clock()
        self._recorder.check_recordable()
        try:
            held = await self._blocking.run(
                lambda: self._proving.authenticate(request, PATH, now)
            )
        except NonceRequired:
            nonce = self._proving.build_nonce_field(now)
            return error_response(OAuthError.USE_DPOP_NONCE, nonce)
        except TokenRejected as refused:
            error = OAuthError.INVALID_CLIENT
            return self._record_and_refuse(
                None, TokenRequestRefusal(error, refused.reason.value)
            )
        portion = parse_delegation_request(request.body)
        if portion is None:
            return self._record_and_refuse(held, _INVALID)
        return await self._issue_and_record_ticket(held, portion, now)

    async def _issue_and_record_ticket(
        self, own_token: LiveOwnToken, delegation_request: DelegationRequest, now: float
    ) -> StsResponse:
        """Issue a ticket and record it; return its secret once it is on disk."""
        secret = secrets.token_urlsafe(SECRET_SIZE)
        sha256 = hashlib.sha256(secret.encode("ascii")).hexdigest()
        try:
            ticket = await self._blocking.run(
                lambda: self._issue_ticket(own_token, delegation_request, sha256, now)
            )
        except NotGiven as refused:
            return self._record_and_refuse(own_token, refused.refusal)
        if ticket is None:
            return self._record_and_refuse(
                own_token, TokenRequestRefusal(OAuthError.INVALID_GRANT, "dead")
            )
        parent = own_token.delegation
        record = evidence_record_factory(RECORD_KIND, own_token.claims)(
            chain=(*list_delegation_agents(parent), str(ticket.agent)),
            parent=parent.id,
            issued=sha256,
            expires=ticket.expires,
            bound="dpop",
        )
        await self._recorder.record_issued(add_delegate_to_record(record, ticket))
        life = ticket.expires - int(now)
        said = {"ticket": secret, "token_type": TICKET_TYPE_URI, "expires_in": life}
        return json_response(said, 201)

    def _issue_ticket(
        self,
        own_token: LiveOwnToken,
        delegation_request: DelegationRequest,
        sha256: str,
        now: float,
    ) -> DelegationTicket | None:
        """Store a ticket; None if the delegation was revoked or its rule changed."""
        standing = self._exchanges.current_trust_state(now)
        parent = own_token.delegation
        check_chain_in_force(own_token.chain.links, standing)
        rule = standing.rules.get_rule(parent.rule)
        if rule is None or rule.digest != parent.rule_digest:
            return None
        ticket = issue_ticket(parent, delegation_request, sha256, rule, int(now))
        done = self._control.store_ticket(ticket, now).outcome is CommitOutcome.DONE
        return ticket if done else None

    def _record_and_refuse(
        self, own_token: LiveOwnToken | None, refusal: TokenRequestRefusal
    ) -> StsResponse:
        """Record a refused delegation, and build the error response."""
        detail = f": {refusal.detail}" if refusal.detail else ""
        begun = ExchangeRecord(0, 0, "", RECORD_KIND)
        if own_token is not None:
            begun = evidence_record_factory(RECORD_KIND, own_token.claims)()
        error, reason = refusal.error.value, refusal.reason + detail
        self._recorder.record_refused(replace(begun, error=error, reason=reason))
        return error_response(refusal.error)


def add_delegate_to_record(
    record: ExchangeRecord, ticket: DelegationTicket
) -> ExchangeRecord:
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


def parse_delegation_request(body: bytes) -> DelegationRequest | None:
    """Parse the JSON body of a delegation request; None if it is malformed."""
    try:
        asked = decode_json_object(body)
    except AmbiguousInput:
        return None
    agent, jkt, ttl = (
        asked.get("agent"),
        asked.get("jkt"),
        asked.get("ttl", DEFAULT_TTL),
    )
    if not (isinstance(agent, str) and isinstance(jkt, str) and type(ttl) is int):
        return None
    audiences = scopes = None
    if "audiences" in asked:
        audiences = _parse_text_list(asked["audiences"])
        if audiences is None:
            return None
    if "scopes" in asked:
        scopes = _parse_scopes(asked["scopes"])
        if scopes is None:
            return None
    return DelegationRequest(AgentId(agent), jkt, audiences, scopes, ttl)


def _parse_scopes(value: object) -> tuple[tuple[str, str], ...] | None:
    """Parse the requested scopes by audience; None if malformed or too many."""
    if not isinstance(value, dict) or len(value) > MAX_ITEMS:
        return None
    listed = {at: _parse_text_list(scopes) for at, scopes in value.items()}
    if None in listed.values():
        return None
    return tuple((at, scope) for at, scopes in listed.items() for scope in scopes or ())


def _parse_text_list(value: object) -> tuple[str, ...] | None:
    """Parse a JSON list of a few texts; None if it is malformed."""
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        return None
    return tuple(value) if all(isinstance(each, str) for each in value) else None
