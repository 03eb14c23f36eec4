"""POST /token (RFC 8693, RFC 7523): the token endpoint."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from answerable.federation.errors import KeyUnknown, NonceRequired, ProofRefused
from answerable.federation.token_request import read_request
from answerable.model.attestation import Attestation
from answerable.model.claims import TokenType
from answerable.model.exchange import PEER, OAuthError, Refusal, TokenRequest
from answerable.model.spool_record import Exchanged
from answerable.model.trust_rule import Granted
from answerable.server.issuers.key_cache import IssuerKeys
from answerable.server.processes.held_process import NotAttested
from answerable.server.processes.peer_attestation import attest_peer
from answerable.server.processes.run_registry import Runs
from answerable.server.recording.record_ticket import NotRecorded
from answerable.services.federation.exchange_records import Shown
from answerable.services.federation.exchange_verification import ReviewNeeded
from answerable.sts.endpoints.admin import is_admin
from answerable.sts.endpoints.forms import check_form
from answerable.sts.endpoints.proof_of_possession import Proving
from answerable.sts.http.request import Asked
from answerable.sts.http.responses import (
    Answer,
    error_answer,
    json_answer,
    plain_answer,
)
from answerable.sts.http.server import Handler
from answerable.sts.recording.exchange_recorder import Recorder
from answerable.sts.runtime.executor import Blocking
from answerable.sts.runtime.group_commit import Gathering
from answerable.usecases.federation.token_exchange import Exchanges, Outcomes

PATH = "/token"
CALLS = "/gateway/token"  # for the server that a call goes to
WHAT = "exchange"
STEPS = 3  # a key refresh, a token review, and the answer

Review = Callable[[ReviewNeeded], Awaitable[bool | None]]

_KINDS = {
    Granted.ACCESS_TOKEN: TokenType.ACCESS_TOKEN,
    Granted.ID_JAG: TokenType.ID_JAG,
}


class TokenEndpoint:
    """The token endpoint.

    Args:
        proving: Verifies proofs and certificates.
        keys: Keys of foreign issuers.
        review: Asks a Kubernetes API server whether a token is valid.
        runs: Runs registered by launchers.
        blocking: Runs calls to the record.
        gathering: Group commit of exchanges, used if the record is local.
        gateways: Returns additional user ids of gateways.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        exchanges: Exchanges,
        proving: Proving,
        keys: IssuerKeys,
        review: Review,
        runs: Runs,
        blocking: Blocking,
        gathering: Gathering,
        recorder: Recorder,
        gateways: Callable[[], Collection[int]],
        clock: Callable[[], float],
    ) -> None:
        self._exchanges, self._proving = exchanges, proving
        self._keys, self._review, self._runs = keys, review, runs
        self._blocking, self._gathering = blocking, gathering
        self._recorder, self._clock = recorder, clock
        self._gateways = gateways

    def handlers(self) -> dict[tuple[str, str], Handler]:
        """Return the handlers by method and path."""
        return {("POST", PATH): self._exchange, ("POST", CALLS): self._of_call}

    async def _of_call(self, asked: Asked) -> Answer:
        """Exchange the token of a call that our gateway forwards."""
        if not is_admin(asked, self._gateways()):
            return plain_answer(404)
        return await self._exchange(asked, gateway=True)

    async def _exchange(self, asked: Asked, *, gateway: bool = False) -> Answer:
        check_form(asked)
        request = read_request(asked.body)
        if isinstance(request, Refusal):
            return self._refuse(request)
        try:
            self._recorder.check()
            return await self._served(asked, request, gateway=gateway)
        except NotRecorded:
            return error_answer(OAuthError.TEMPORARILY_UNAVAILABLE)

    async def _served(
        self, asked: Asked, request: TokenRequest, *, gateway: bool
    ) -> Answer:
        """Answer a parsed request.

        Raises:
            NotRecorded: It cannot be recorded, so no token is issued.
        """
        now = self._clock()
        try:
            place = CALLS if gateway else PATH
            proved = self._proving.shown(asked, place, now)
        except NonceRequired:
            return error_answer(OAuthError.USE_DPOP_NONCE, self._proving.nonce(now))
        except ProofRefused as refused:
            error = OAuthError.INVALID_DPOP_PROOF
            return self._refuse(Refusal(error, f"proof-{refused.reason.value}"))
        try:
            attested = await self._attested(asked, request)
        except NotAttested as refused:
            return self._refuse(Refusal(OAuthError.INVALID_GRANT, refused.reason))
        shown = Shown(request, proved.cnf, proved.use, attested, gateway=gateway)
        outcome = await self._outcome(shown)
        if isinstance(outcome, Refusal):
            return self._refuse(outcome)
        return self._answered(outcome, now)

    async def _attested(
        self, asked: Asked, request: TokenRequest
    ) -> Attestation | None:
        """Attest the peer, if the request needs it.

        Raises:
            NotAttested: The peer cannot be identified.
        """
        connection = asked.socket
        if connection is None or PEER not in (request.subject_type, request.actor_type):
            return None
        root = self._exchanges.in_force.root
        return await asyncio.to_thread(attest_peer, connection, self._runs, root=root)

    async def _outcome(self, shown: Shown) -> Outcomes | Refusal:
        """Run the exchange, fetching keys or a review in between.

        Raises:
            NotRecorded: It cannot be recorded.
        """
        for _ in range(STEPS):
            now = self._clock()
            try:
                return await self._told(shown, now)
            except KeyUnknown as unknown:
                if not self._keys.can_fetch(unknown.issuer, now):
                    if not self._keys.has_any(unknown.issuer, now):
                        error = OAuthError.TEMPORARILY_UNAVAILABLE
                        return Refusal(error, "no-keys", unknown.issuer)
                    break
                await self._keys.fetch(unknown.issuer, now)
            except ReviewNeeded as needed:
                good = await self._review(needed)
                if good is None:
                    error = OAuthError.TEMPORARILY_UNAVAILABLE
                    return Refusal(error, "review-away", needed.issuer)
                if not good:
                    return Refusal(OAuthError.INVALID_GRANT, "review", needed.issuer)
                shown = replace(shown, reviewed=(*shown.reviewed, needed.sha256))
        return Refusal(OAuthError.INVALID_GRANT, "key-unknown")

    async def _told(self, shown: Shown, now: float) -> Outcomes:
        """Run and record the exchange, in a group commit or in a thread.

        Raises:
            NotRecorded: It cannot be recorded.
        """
        if self._blocking.beside:
            outcome = await self._blocking.run(
                lambda: self._exchanges.exchange(shown, now)
            )
            if outcome.minting is not None:
                await self._recorder.given(outcome.record)
            return outcome
        return await self._gathering.exchange(shown)

    def _refuse(self, refusal: Refusal) -> Answer:
        detail = f": {refusal.detail}" if refusal.detail else ""
        self._recorder.refused(
            Exchanged(
                *(0, 0, "", WHAT),
                error=refusal.error.value,
                reason=refusal.reason + detail,
            )
        )
        return error_answer(refusal.error)

    def _answered(self, outcome: Outcomes, now: float) -> Answer:
        minting = outcome.minting
        if minting is None:
            self._recorder.refused(outcome.record)
            error = OAuthError(outcome.record.error)
            fields = self._proving.nonce(now) if outcome.needs_nonce else None
            return error_answer(error, fields)
        kind = "DPoP" if minting.cnf.jkt else "Bearer"
        if minting.gives is Granted.ID_JAG:
            kind = "N_A"  # RFC 8693 2.2.1: it is shown to a token service alone
        said: dict[str, object] = {
            "access_token": outcome.token,
            "issued_token_type": _KINDS[minting.gives].value,
            "token_type": kind,
            "expires_in": minting.expires - minting.issued,
        }
        if minting.scopes:
            said["scope"] = " ".join(minting.scopes)
        return json_answer(said)
