"""Serve POST /revoke (RFC 7009): end a token's delegation and all below it.

The holder of the token, the holder of a token above it in the chain, and an operator at
the unix socket may revoke it. The delegation ends with its tokens, tickets and parts.
"""

from collections.abc import Callable, Collection

from answerable.federation.sender_constraint import check_certificate_binding
from answerable.federation.token_errors import (
    NonceRequired,
    ProofRejected,
    TokenFault,
    TokenRejected,
)
from answerable.model.spool_record import ExchangeRecord
from answerable.model.token_claims import SignedClaims
from answerable.model.token_request import OAuthError
from answerable.services.federation.issued_token_verification import OwnTokenVerifier
from answerable.store.token_state.interface import (
    RevokedDelegations,
    TokenState,
)
from answerable.sts.endpoints.admin import is_operator_request
from answerable.sts.endpoints.form_bodies import parse_form
from answerable.sts.endpoints.proof_of_possession import ProofVerifier
from answerable.sts.http.request import StsRequest
from answerable.sts.http.responses import StsResponse, error_response
from answerable.sts.http.server import EndpointHandler
from answerable.sts.recording.exchange_recorder import ExchangeRecorder
from answerable.sts.runtime.database_executor import DatabaseExecutor

PATH = "/revoke"
RECORD_KIND = "revoke"

_EMPTY_ANSWER = StsResponse(200, b"", {"cache-control": "no-store"})
EndedCallback = Callable[[str, RevokedDelegations], None]


class RevocationEndpoint:
    """Revocation endpoint.

    Args:
        blocking: Runs calls to the record.
        admins: Returns the user ids of operators.
        ended: Called with what ended.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        own: OwnTokenVerifier,
        control: TokenState,
        proving: ProofVerifier,
        blocking: DatabaseExecutor,
        recorder: ExchangeRecorder,
        admins: Callable[[], Collection[int]],
        ended: EndedCallback,
        clock: Callable[[], float],
    ) -> None:
        self._own, self._control, self._proving = own, control, proving
        self._blocking, self._recorder, self._admins = blocking, recorder, admins
        self._ended, self._clock = ended, clock

    def handlers(self) -> dict[tuple[str, str], EndpointHandler]:
        """Return the handlers by method and path."""
        return {("POST", PATH): self._handle_revoke}

    async def _handle_revoke(self, request: StsRequest) -> StsResponse:
        """Verify a token, end its delegation, and record that."""
        token = parse_form(request).get("token", "")
        now = self._clock()
        try:
            claims = self._own.verify(token, now)
        except TokenRejected:
            return _EMPTY_ANSWER  # RFC 7009 2.2: what is no token is revoked already
        record = evidence_record_factory(RECORD_KIND, claims)
        try:
            died = await self._blocking.run(
                lambda: self._end_delegation(request, claims, now)
            )
        except NonceRequired:
            nonce = self._proving.build_nonce_field(now)
            return error_response(OAuthError.USE_DPOP_NONCE, nonce)
        except TokenRejected as refused:
            self._recorder.record_refused(
                record(error=OAuthError.INVALID_CLIENT.value, reason=refused.reason)
            )
            return error_response(OAuthError.INVALID_CLIENT)
        await self._recorder.record_issued(record())
        self._ended(f"run:{record().delegation}", died)
        return _EMPTY_ANSWER

    def _end_delegation(
        self, request: StsRequest, claims: SignedClaims, now: float
    ) -> RevokedDelegations:
        """End the delegation of a token, after a check of the requester."""
        if not is_operator_request(request, self._admins()):
            self._check_requester_holds_token(request, claims, now)
        delegation = claims.find_claim_at_path("answerable", "dlg")
        if not isinstance(delegation, str):
            return RevokedDelegations()
        return self._control.revoke_delegation(delegation, now)

    def _check_requester_holds_token(
        self, request: StsRequest, claims: SignedClaims, now: float
    ) -> None:
        """Check that the requester holds the token or one of its parents.

        Raises:
            TokenRejected: It holds neither.
        """
        if "authorization" in request.head.fields:
            above = self._proving.authenticate(request, PATH, now).delegation.id
            chain = self._control.find_delegation_chain(
                str(claims.find_claim_at_path("answerable", "dlg")), now
            )
            if above not in {link.id for link in chain.links}:
                raise ProofRejected(
                    TokenFault.SCHEME, "expected a token of its delegation chain"
                )
        elif claims.cnf.jkt:
            shown = self._proving.verify_proofs(request, PATH, now)
            if shown.cnf.jkt != claims.cnf.jkt or shown.use is None:
                raise ProofRejected(
                    TokenFault.THUMBPRINT, "expected the token's own key"
                )
        elif claims.cnf.x5t_s256:
            check_certificate_binding(claims.cnf.x5t_s256, request.link.certificate)


def evidence_record_factory(
    kind: str, claims: SignedClaims
) -> Callable[..., ExchangeRecord]:
    """Return a function that builds the evidence record of a request with our token."""
    said = {
        name: value
        for name in ("agent", "owner", "rule", "rule_hash", "dlg")
        if isinstance(value := claims.find_claim_at_path("answerable", name), str)
    }

    def record(**more: object) -> ExchangeRecord:
        return ExchangeRecord(
            0,
            0,
            "",
            kind,
            issuer=claims.issuer,
            kid=claims.kid,
            subject=claims.token_sha256.hex(),
            agent=said.get("agent", ""),
            owner=said.get("owner", ""),
            person=claims.sub if claims.sub.startswith("person:") else "",
            rule=said.get("rule", ""),
            rule_digest=said.get("rule_hash", ""),
            delegation=said.get("dlg", ""),
            audience=claims.aud,
            **more,  # type: ignore[arg-type]  # names of fields of the record
        )

    return record
