"""Cache verified tokens of the Authorization field; check their sender each time.

The sender's proof of a token (a DPoP proof, a client certificate) is checked with each
request, whether the token is cached or not. A token is cached under its own text, in
this process, and never written anywhere.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import partial

from answerable.federation.claim_parsing import CLOCK_SKEW
from answerable.federation.sender_constraint import check_sender_constraint
from answerable.federation.token_errors import TokenFault, TokenRejected
from answerable.federation.token_verification import verify_token
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.config import Config
from answerable.model.errors import IdError
from answerable.model.token_claims import SenderBinding, SignedClaims, TokenPresentation
from answerable.server.authentication.agent_mapping import (
    AgentMapping,
    current_actor,
    is_own_token,
    is_person_subject,
)
from answerable.server.connection_info import ConnectionInfo
from answerable.server.dpop_replay_cache import DpopNonces, DpopReplayCache
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.wire.request_head import HttpRequestHead

MAX_CACHED = 4096  # tokens; the least recently used one is evicted
MAX_CACHED_LENGTH = 4096  # characters; a longer one is verified each time
MAX_TOTAL_LENGTH = 4 << 20  # characters of all

ACTOR_SEPARATOR = " by "
_SHOWN_BY_BINDING = {
    SenderBinding.DPOP: AuthenticationMethod.DPOP_TOKEN,
    SenderBinding.BOTH: AuthenticationMethod.DPOP_TOKEN,
    SenderBinding.MTLS: AuthenticationMethod.MTLS_TOKEN,
    SenderBinding.BEARER: AuthenticationMethod.BEARER_TOKEN,
}


@dataclass(frozen=True, slots=True)
class _VerifiedToken:
    """Verified token, with the proof that each request needs.

    Attributes:
        bound: Claims, where it is bound to a key or a certificate; None otherwise.
        until: NumericDate at which it is verified again: it or its key expires.
        certificate: DER of the certificate that it is bound to; None otherwise.
        proven: Each request needs a DPoP proof.
    """

    bound: SignedClaims | None = field(repr=False)
    caller: VerifiedCaller
    until: float
    certificate: bytes | None = field(repr=False)
    proven: bool


class VerifiedTokenCache:
    """Verifies the token in Authorization.

    Args:
        keys: Keys of the pinned issuers.
        nonces: Nonces for DPoP proofs.
    """

    def __init__(self, keys: IssuerKeyCache, nonces: DpopNonces) -> None:
        self._keys = keys
        self._nonces = nonces
        self._proofs = DpopReplayCache()
        self._remembered: OrderedDict[str, _VerifiedToken] = OrderedDict()
        self._length = 0  # characters of these tokens
        self._signed_by: OrderedDict[bytes, str] = OrderedDict()  # kid by token digest
        self._killed: frozenset[str] = frozenset()

    def reconfigure(self, config: Config, agents: AgentMapping) -> None:
        """Apply another configuration; seen proofs stay seen."""
        self._bearer = {each.pin.name for each in config.issuers if each.bearer}
        self._agents = agents
        self.clear()

    def clear(self) -> None:
        """Clear the cache, since keys or agents may have changed."""
        self._remembered.clear()
        self._length = 0

    def revoke_keys(self, kids: frozenset[str]) -> None:
        """Refuse tokens that these keys of our token service signed."""
        if kids != self._killed:
            self._killed = kids
            self.clear()

    def may_have_revoked_key(self, caller: VerifiedCaller) -> bool:
        """Return whether a caller's token may be signed by a revoked key."""
        if not self._killed or not caller.token_sha256:
            return False
        kid = self._signed_by.get(caller.token_sha256)
        return kid is None or kid in self._killed

    def authenticate(
        self,
        authorization: str,
        head: HttpRequestHead,
        connection_info: ConnectionInfo,
        now: float,
    ) -> VerifiedCaller:
        """Authenticate the caller of a request by its token, cached or verified.

        Args:
            authorization: Value of the field.
            head: Head of the request.
            connection_info: Transport facts of the connection.
            now: NumericDate.

        Raises:
            TokenRejected: The token is invalid, or its sender is not proven.
        """
        found = self._remembered.get(authorization)
        if found is None or now >= found.until:
            return self._verify_and_cache(authorization, head, connection_info, now)
        self._remembered.move_to_end(authorization)
        bound = found.bound
        if bound and (found.proven or found.certificate != connection_info.certificate):
            self._check_sender(authorization, bound, head, connection_info, now)
        return found.caller

    def authenticate_without_request(self, token: str, now: float) -> VerifiedCaller:
        """Authenticate the caller of a token that another enforcement point got.

        That point checks the sender: a certificate or key that the token is bound to is
        not checked here.

        Args:
            token: The bare token.
            now: NumericDate.

        Raises:
            TokenRejected: The token is invalid.
        """
        claims = self._verify_token(token, now)
        return replace(
            self._build_caller(claims, SenderBinding.BEARER),
            shown=AuthenticationMethod.ENFORCEMENT_POINT,
        )

    def _verify_and_cache(
        self,
        authorization: str,
        head: HttpRequestHead,
        connection_info: ConnectionInfo,
        now: float,
    ) -> VerifiedCaller:
        """Verify a token and its proof of possession, and cache its caller."""
        token = authorization.partition(" ")[2]
        claims = self._verify_token(token, now)
        binding = self._check_sender(authorization, claims, head, connection_info, now)
        verified = _VerifiedToken(
            bound=claims if claims.cnf.jkt or claims.cnf.x5t_s256 else None,
            caller=self._build_caller(claims, binding),
            until=min(
                claims.exp + CLOCK_SKEW, self._keys.keys_usable_until(claims.issuer)
            ),
            certificate=connection_info.certificate if claims.cnf.x5t_s256 else None,
            proven=bool(claims.cnf.jkt),
        )
        if len(authorization) <= MAX_CACHED_LENGTH:
            self._cache_verified_token(authorization, verified)
        return verified.caller

    def _cache_verified_token(
        self, authorization: str, verified: _VerifiedToken
    ) -> None:
        """Cache a verified token; evict the least recently used ones of too many."""
        if authorization not in self._remembered:
            self._length += len(authorization)
        self._remembered[authorization] = verified
        while len(self._remembered) > MAX_CACHED or self._length > MAX_TOTAL_LENGTH:
            evicted, _ = self._remembered.popitem(last=False)
            self._length -= len(evicted)

    def _verify_token(self, token: str, now: float) -> SignedClaims:
        """Verify a token; reject one signed by a revoked key of ours."""
        claims = verify_token(token, self._keys.issuers(now), int(now))
        kid = claims.kid if is_own_token(claims) else ""
        if kid in self._killed:
            raise TokenRejected(TokenFault.KEY_KILLED, "expected a valid key")
        self._signed_by[claims.token_sha256] = kid
        if len(self._signed_by) > MAX_CACHED:
            self._signed_by.popitem(last=False)
        return claims

    def _check_sender(
        self,
        authorization: str,
        claims: SignedClaims,
        head: HttpRequestHead,
        connection_info: ConnectionInfo,
        now: float,
    ) -> SenderBinding:
        """Check the sender of a token; a DPoP proof is accepted once."""
        scheme, _, token = authorization.partition(" ")
        proof = head.fields.get("dpop")
        presented = TokenPresentation(
            scheme=scheme,
            method=head.method,
            url=(connection_info.url or f"http://{head.fields['host']}") + head.target,
            proofs=() if proof is None else (proof,),
            certificate=connection_info.certificate,
        )
        asked = self._nonces.are_required(now)
        shown = check_sender_constraint(
            token,
            claims,
            presented,
            int(now),
            is_nonce_valid=partial(self._nonces.is_valid, now=now) if asked else None,
            allow_bearer=claims.issuer in self._bearer,
        )
        if shown.proof is not None:
            self._proofs.add_proof(shown.proof, build_principal(claims), now)
        return shown.binding

    def _build_caller(
        self, claims: SignedClaims, binding: SenderBinding
    ) -> VerifiedCaller:
        """Build the caller of a verified token: agent, person and run."""
        principal = build_principal(claims)
        try:
            agent, known = self._agents.find_by_token(claims, principal)
        except IdError:
            message = "expected a subject that is valid in an id"
            raise TokenRejected(TokenFault.CLAIM_TYPE, message) from None
        headed = current_actor(claims) is not None and is_person_subject(claims.sub)
        delegation = (
            claims.find_claim_at_path("answerable", "dlg")
            if is_own_token(claims)
            else None
        )
        return VerifiedCaller(
            agent=agent,
            known=known,
            person=claims.sub if headed else "",
            run=delegation if isinstance(delegation, str) else claims.jti,
            shown=_SHOWN_BY_BINDING[binding],
            principal=principal,
            token_sha256=claims.token_sha256,
            expires=claims.exp + CLOCK_SKEW,
            chain=self._agents.find_parents(claims),
        )


def build_principal(claims: SignedClaims) -> str:
    """Return the principal that a token's sessions, tasks and states belong to.

    Two agents of one person are two principals.

    Raises:
        TokenRejected: The subject could be read as a person and their agent.
    """
    actor = current_actor(claims)
    subs = [claims.sub] if actor is None else [claims.sub, actor.sub]
    named = ACTOR_SEPARATOR.join(subs)
    if is_own_token(claims) and named.split(ACTOR_SEPARATOR) != subs:
        raise TokenRejected(TokenFault.CLAIM_TYPE, "expected a well-formed subject")
    return f"{claims.issuer}/{named}"
