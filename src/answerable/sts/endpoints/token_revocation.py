"""POST /revoke (RFC 7009): end a token with its delegation and everything below it.

The holder of the token, the holder of a token above it in the chain, and an operator at
the unix socket may revoke it. The delegation ends with its tokens, tickets and parts.
"""

from collections.abc import Callable, Collection

from answerable.federation.errors import (
    NonceRequired,
    ProofRefused,
    Reason,
    TokenRefused,
)
from answerable.federation.sender_constraint import check_certificate
from answerable.model.claims import SignedClaims
from answerable.model.exchange import OAuthError
from answerable.model.spool_record import Exchanged
from answerable.server.recording.record_ticket import NotRecorded
from answerable.services.federation.own_tokens import OwnTokens
from answerable.store.token_state.interface import Control, ControlUnavailable, Died
from answerable.sts.endpoints.admin import is_admin
from answerable.sts.endpoints.forms import read_form
from answerable.sts.endpoints.proof_of_possession import Proving
from answerable.sts.http.request import Asked
from answerable.sts.http.responses import Answer, error_answer
from answerable.sts.http.server import Handler
from answerable.sts.recording.exchange_recorder import Recorder
from answerable.sts.runtime.executor import Blocking

PATH = "/revoke"
WHAT = "revoke"

_DONE = Answer(200, b"", {"cache-control": "no-store"})
Ended = Callable[[str, Died], None]


class Revocation:
    """Revocation endpoint.

    Args:
        blocking: Runs calls to the record.
        admins: Returns the user ids of operators.
        ended: Called with what ended.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        own: OwnTokens,
        control: Control,
        proving: Proving,
        blocking: Blocking,
        recorder: Recorder,
        admins: Callable[[], Collection[int]],
        ended: Ended,
        clock: Callable[[], float],
    ) -> None:
        self._own, self._control, self._proving = own, control, proving
        self._blocking, self._recorder, self._admins = blocking, recorder, admins
        self._ended, self._clock = ended, clock

    def handlers(self) -> dict[tuple[str, str], Handler]:
        """Return the handlers by method and path."""
        return {("POST", PATH): self._revoke}

    async def _revoke(self, asked: Asked) -> Answer:
        token = read_form(asked).get("token", "")
        now = self._clock()
        try:
            claims = self._own.read(token, now)
        except TokenRefused:
            return _DONE  # RFC 7009 2.2: what is no token is revoked already
        record = record_of(WHAT, claims)
        try:
            died = await self._blocking.run(lambda: self._end(asked, claims, now))
        except NonceRequired:
            nonce = self._proving.nonce(now)
            return error_answer(OAuthError.USE_DPOP_NONCE, nonce)
        except TokenRefused as refused:
            self._recorder.refused(
                record(error=OAuthError.INVALID_CLIENT.value, reason=refused.reason)
            )
            return error_answer(OAuthError.INVALID_CLIENT)
        except ControlUnavailable:
            return error_answer(OAuthError.TEMPORARILY_UNAVAILABLE)
        try:
            await self._recorder.given(record())
        except NotRecorded:
            return error_answer(OAuthError.TEMPORARILY_UNAVAILABLE)
        self._ended(f"run:{record().delegation}", died)
        return _DONE

    def _end(self, asked: Asked, claims: SignedClaims, now: float) -> Died:
        if not is_admin(asked, self._admins()):
            self._check_holder(asked, claims, now)
        delegation = claims.leaf("answerable", "dlg")
        if not isinstance(delegation, str):
            return Died()
        return self._control.revoke_delegation(delegation, now)

    def _check_holder(self, asked: Asked, claims: SignedClaims, now: float) -> None:
        """Check that the requester holds the token, or one above it.

        Raises:
            TokenRefused: It holds neither.
        """
        if "authorization" in asked.head.fields:
            above = self._proving.holder(asked, PATH, now).delegation.id
            chain = self._control.chain(str(claims.leaf("answerable", "dlg")), now)
            if above not in {link.id for link in chain.links}:
                raise ProofRefused(Reason.SCHEME, "expected a token from above it")
        elif claims.cnf.jkt:
            shown = self._proving.shown(asked, PATH, now)
            if shown.cnf.jkt != claims.cnf.jkt or shown.use is None:
                raise ProofRefused(Reason.THUMBPRINT, "expected the token's own key")
        elif claims.cnf.x5t_s256:
            check_certificate(claims.cnf.x5t_s256, asked.link.certificate)


def record_of(what: str, claims: SignedClaims) -> Callable[..., Exchanged]:
    """Return a constructor of the evidence record for a request about our token."""
    said = {
        name: value
        for name in ("agent", "owner", "rule", "rule_hash", "dlg")
        if isinstance(value := claims.leaf("answerable", name), str)
    }

    def record(**more: object) -> Exchanged:
        return Exchanged(
            *(0, 0, "", what),
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
