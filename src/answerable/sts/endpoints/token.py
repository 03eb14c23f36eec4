"""Serve POST /token (RFC 8693, RFC 7523): the token endpoint."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from answerable.federation.token_errors import NonceRequired, ProofRejected, UnknownKey
from answerable.federation.token_request import parse_token_request
from answerable.model.spool_record import ExchangeRecord
from answerable.model.token_claims import TokenType
from answerable.model.token_request import (
    PEER_TYPE_URI,
    OAuthError,
    TokenRequest,
    TokenRequestRefusal,
)
from answerable.model.trust_rule import GrantedTokenKind
from answerable.model.workload_attestation import Attestation
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.processes.peer_attestation import attest_peer
from answerable.server.processes.pidfd_process import NotAttested
from answerable.server.processes.run_registry import RunRegistry
from answerable.services.federation.exchange_audit_records import PresentedRequest
from answerable.services.federation.exchange_verification import TokenReviewNeeded
from answerable.sts.endpoints.admin import is_operator_request
from answerable.sts.endpoints.form_bodies import check_content_type
from answerable.sts.endpoints.proof_of_possession import ProofVerifier
from answerable.sts.http.request import StsRequest
from answerable.sts.http.responses import (
    StsResponse,
    empty_response,
    error_response,
    json_response,
)
from answerable.sts.http.server import EndpointHandler
from answerable.sts.recording.exchange_recorder import ExchangeRecorder
from answerable.sts.runtime.database_executor import DatabaseExecutor
from answerable.sts.runtime.group_commit import GroupCommit
from answerable.usecases.federation.token_exchange import ExchangeOutcome, TokenExchange

PATH = "/token"
GATEWAY_PATH = "/gateway/token"  # for the server that a call goes to
RECORD_KIND = "exchange"
MAX_ATTEMPTS = 3  # a key refresh, a token review, and the answer

TokenReview = Callable[[TokenReviewNeeded], Awaitable[bool | None]]

_TOKEN_TYPES = {
    GrantedTokenKind.ACCESS_TOKEN: TokenType.ACCESS_TOKEN,
    GrantedTokenKind.ID_JAG: TokenType.ID_JAG,
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
        exchanges: TokenExchange,
        proving: ProofVerifier,
        keys: IssuerKeyCache,
        review: TokenReview,
        runs: RunRegistry,
        blocking: DatabaseExecutor,
        gathering: GroupCommit,
        recorder: ExchangeRecorder,
        gateways: Callable[[], Collection[int]],
        clock: Callable[[], float],
    ) -> None:
        self._exchanges, self._proving = exchanges, proving
        self._keys, self._review, self._runs = keys, review, runs
        self._blocking, self._gathering = blocking, gathering
        self._recorder, self._clock = recorder, clock
        self._gateways = gateways

    def handlers(self) -> dict[tuple[str, str], EndpointHandler]:
        """Return the handlers by method and path."""
        return {
            ("POST", PATH): self._handle_exchange,
            ("POST", GATEWAY_PATH): self._handle_gateway_exchange,
        }

    async def _handle_gateway_exchange(self, http_request: StsRequest) -> StsResponse:
        """Exchange the token of a call that our gateway forwards."""
        if not is_operator_request(http_request, self._gateways()):
            return empty_response(404)
        return await self._handle_exchange(http_request, is_gateway_call=True)

    async def _handle_exchange(
        self, http_request: StsRequest, *, is_gateway_call: bool = False
    ) -> StsResponse:
        """Parse a token request, and answer it if evidence can be recorded."""
        check_content_type(http_request)
        request = parse_token_request(http_request.body)
        if isinstance(request, TokenRequestRefusal):
            return self._record_refusal(request)
        self._recorder.check_recordable()
        return await self._serve_token_request(
            http_request, request, is_gateway_call=is_gateway_call
        )

    async def _serve_token_request(
        self, http_request: StsRequest, request: TokenRequest, *, is_gateway_call: bool
    ) -> StsResponse:
        """Verify the proofs of a token request, attest its peer, and exchange.

        Raises:
            NotRecorded: It cannot be recorded, so no token is issued.
        """
        now = self._clock()
        try:
            place = GATEWAY_PATH if is_gateway_call else PATH
            proved = self._proving.verify_proofs(http_request, place, now)
        except NonceRequired:
            return error_response(
                OAuthError.USE_DPOP_NONCE, self._proving.build_nonce_field(now)
            )
        except ProofRejected as refused:
            error = OAuthError.INVALID_DPOP_PROOF
            return self._record_refusal(
                TokenRequestRefusal(error, f"proof-{refused.reason.value}")
            )
        try:
            attested = await self._attest_peer(http_request, request)
        except NotAttested as refused:
            return self._record_refusal(
                TokenRequestRefusal(OAuthError.INVALID_GRANT, refused.reason)
            )
        shown = PresentedRequest(
            request, proved.cnf, proved.use, attested, gateway=is_gateway_call
        )
        outcome = await self._exchange_with_retries(shown)
        if isinstance(outcome, TokenRequestRefusal):
            return self._record_refusal(outcome)
        return self._build_token_response(outcome, now)

    async def _attest_peer(
        self, http_request: StsRequest, request: TokenRequest
    ) -> Attestation | None:
        """Attest the process at the unix socket, if the request relies on it.

        Raises:
            NotAttested: The peer cannot be identified.
        """
        connection = http_request.socket
        if connection is None or PEER_TYPE_URI not in (
            request.subject_type,
            request.actor_type,
        ):
            return None
        root = self._exchanges.config_in_force.allow_root
        return await asyncio.to_thread(
            attest_peer, connection, self._runs, allow_root=root
        )

    async def _exchange_with_retries(
        self, presented: PresentedRequest
    ) -> ExchangeOutcome | TokenRequestRefusal:
        """Run the exchange; fetch missing keys or a TokenReview, then retry.

        Raises:
            NotRecorded: It cannot be recorded.
        """
        for _ in range(MAX_ATTEMPTS):
            now = self._clock()
            try:
                return await self._exchange_once(presented, now)
            except UnknownKey as unknown:
                if not self._keys.can_fetch_keys(unknown.issuer, now):
                    if not self._keys.has_usable_key(unknown.issuer, now):
                        error = OAuthError.TEMPORARILY_UNAVAILABLE
                        return TokenRequestRefusal(error, "no-keys", unknown.issuer)
                    break
                await self._keys.fetch_issuer_keys(unknown.issuer, now)
            except TokenReviewNeeded as needed:
                good = await self._review(needed)
                if good is None:
                    error = OAuthError.TEMPORARILY_UNAVAILABLE
                    return TokenRequestRefusal(error, "review-away", needed.issuer)
                if not good:
                    return TokenRequestRefusal(
                        OAuthError.INVALID_GRANT, "review", needed.issuer
                    )
                presented = replace(
                    presented,
                    reviewed_tokens=(*presented.reviewed_tokens, needed.sha256),
                )
        return TokenRequestRefusal(OAuthError.INVALID_GRANT, "key-unknown")

    async def _exchange_once(
        self, presented: PresentedRequest, now: float
    ) -> ExchangeOutcome:
        """Run and record one exchange, in a group commit or in a thread.

        Raises:
            NotRecorded: It cannot be recorded.
        """
        if self._blocking.beside:
            outcome = await self._blocking.run(
                lambda: self._exchanges.exchange(presented, now)
            )
            if outcome.minting is not None:
                await self._recorder.record_issued(outcome.record)
            return outcome
        return await self._gathering.exchange(presented)

    def _record_refusal(self, refusal: TokenRequestRefusal) -> StsResponse:
        """Record a refused token request, and build the error response."""
        detail = f": {refusal.detail}" if refusal.detail else ""
        self._recorder.record_refused(
            ExchangeRecord(
                0,
                0,
                "",
                RECORD_KIND,
                error=refusal.error.value,
                reason=refusal.reason + detail,
            )
        )
        return error_response(refusal.error)

    def _build_token_response(
        self, outcome: ExchangeOutcome, now: float
    ) -> StsResponse:
        """Build the token response or the error response (RFC 8693 2.2)."""
        minting = outcome.minting
        if minting is None:
            self._recorder.record_refused(outcome.record)
            error = OAuthError(outcome.record.error)
            fields = (
                self._proving.build_nonce_field(now) if outcome.needs_nonce else None
            )
            return error_response(error, fields)
        kind = "DPoP" if minting.cnf.jkt else "Bearer"
        if minting.gives is GrantedTokenKind.ID_JAG:
            kind = "N_A"  # RFC 8693 2.2.1: it is shown to a token service alone
        said: dict[str, object] = {
            "access_token": outcome.token,
            "issued_token_type": _TOKEN_TYPES[minting.gives].value,
            "token_type": kind,
            "expires_in": minting.expires - minting.issued,
        }
        if minting.scopes:
            said["scope"] = " ".join(minting.scopes)
        return json_response(said)
