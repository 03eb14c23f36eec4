"""Cache of verified tokens of the Authorization field.

The sender's proof of a token (a DPoP proof, a client certificate) is checked with each
request, whether the token is cached or not. A token is cached under its own text, in
this process, and never written anywhere.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import partial

from answerable.federation.claim_parsing import SKEW
from answerable.federation.errors import Reason, TokenRefused
from answerable.federation.sender_constraint import check_sender
from answerable.federation.token_verification import verify
from answerable.model.caller import Caller, Shown
from answerable.model.claims import Binding, Presented, SignedClaims
from answerable.model.config import Config
from answerable.model.errors import IdError
from answerable.server.authentication.agent_mapping import (
    Agents,
    acting,
    is_ours,
    is_person,
)
from answerable.server.connection_info import Link
from answerable.server.dpop_replay_cache import Nonces, SeenProofs
from answerable.server.issuers.key_cache import IssuerKeys
from answerable.server.wire.request_head import Head

MAX_REMEMBERED = 4096  # tokens; the least recently used one is evicted
MAX_LENGTH = 4096  # characters; a longer one is verified each time

BY = " by "
_SHOWN = {
    Binding.DPOP: Shown.DPOP_TOKEN,
    Binding.BOTH: Shown.DPOP_TOKEN,
    Binding.MTLS: Shown.MTLS_TOKEN,
    Binding.BEARER: Shown.BEARER_TOKEN,
}


@dataclass(frozen=True, slots=True)
class _Verified:
    """Verified token, with the proof that each request needs.

    Attributes:
        bound: Claims, where it is bound to a key or a certificate; None otherwise.
        until: NumericDate at which it is verified again: it or its key expires.
        certificate: DER of the certificate that it is bound to; None otherwise.
        proven: Each request needs a DPoP proof.
    """

    bound: SignedClaims | None = field(repr=False)
    caller: Caller
    until: float
    certificate: bytes | None = field(repr=False)
    proven: bool


class Tokens:
    """Verifies the token in Authorization.

    Args:
        keys: Keys of the pinned issuers.
        nonces: Nonces for DPoP proofs.
    """

    def __init__(self, keys: IssuerKeys, nonces: Nonces) -> None:
        self._keys = keys
        self._nonces = nonces
        self._proofs = SeenProofs()
        self._remembered: OrderedDict[str, _Verified] = OrderedDict()
        self._signed_by: OrderedDict[bytes, str] = OrderedDict()  # kid by token digest
        self._killed: frozenset[str] = frozenset()

    def swap(self, config: Config, agents: Agents) -> None:
        """Apply another configuration; seen proofs stay seen."""
        self._bearer = {each.pin.name for each in config.issuers if each.bearer}
        self._agents = agents
        self.forget()

    def forget(self) -> None:
        """Clear the cache, since keys or agents may have changed."""
        self._remembered.clear()

    def refuse_keys(self, kids: frozenset[str]) -> None:
        """Refuse tokens that these keys of our token service signed."""
        if kids != self._killed:
            self._killed = kids
            self.forget()

    def may_be_of_killed_key(self, caller: Caller) -> bool:
        """Tell whether a caller's token may be signed by a revoked key."""
        if not self._killed or not caller.token_sha256:
            return False
        kid = self._signed_by.get(caller.token_sha256)
        return kid is None or kid in self._killed

    def check(self, authorization: str, head: Head, link: Link, now: float) -> Caller:
        """Authenticate the caller of a request with a token.

        Args:
            authorization: Value of the field.
            head: Head of the request.
            link: Transport facts of the connection.
            now: NumericDate.

        Raises:
            TokenRefused: The token is invalid, or its sender is not proven.
        """
        found = self._remembered.get(authorization)
        if found is None or now >= found.until:
            return self._verify(authorization, head, link, now)
        self._remembered.move_to_end(authorization)
        bound = found.bound
        if bound and (found.proven or found.certificate != link.certificate):
            self._check_sender(authorization, bound, head, link, now)
        return found.caller

    def vouched(self, token: str, now: float) -> Caller:
        """Authenticate the caller of a token that an enforcement point received.

        That point checks the sender: a certificate or key that the token is bound to is
        not checked here.

        Args:
            token: The bare token.
            now: NumericDate.

        Raises:
            TokenRefused: The token is invalid.
        """
        claims = self._verified(token, now)
        return replace(
            self._caller(claims, Binding.BEARER), shown=Shown.ENFORCEMENT_POINT
        )

    def _verify(self, authorization: str, head: Head, link: Link, now: float) -> Caller:
        token = authorization.partition(" ")[2]
        claims = self._verified(token, now)
        binding = self._check_sender(authorization, claims, head, link, now)
        verified = _Verified(
            bound=claims if claims.cnf.jkt or claims.cnf.x5t_s256 else None,
            caller=self._caller(claims, binding),
            until=min(claims.exp + SKEW, self._keys.usable_until(claims.issuer)),
            certificate=link.certificate if claims.cnf.x5t_s256 else None,
            proven=bool(claims.cnf.jkt),
        )
        if len(authorization) <= MAX_LENGTH:
            self._remembered[authorization] = verified
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        return verified.caller

    def _verified(self, token: str, now: float) -> SignedClaims:
        claims = verify(token, self._keys.issuers(now), int(now))
        kid = claims.kid if is_ours(claims) else ""
        if kid in self._killed:
            raise TokenRefused(Reason.KEY_KILLED, "expected a key that is in force")
        self._signed_by[claims.token_sha256] = kid
        if len(self._signed_by) > MAX_REMEMBERED:
            self._signed_by.popitem(last=False)
        return claims

    def _check_sender(
        self,
        authorization: str,
        claims: SignedClaims,
        head: Head,
        link: Link,
        now: float,
    ) -> Binding:
        """Check the sender of a token; a DPoP proof is accepted once."""
        scheme, _, token = authorization.partition(" ")
        proof = head.fields.get("dpop")
        presented = Presented(
            scheme=scheme,
            method=head.method,
            url=(link.url or f"http://{head.fields['host']}") + head.target,
            proofs=() if proof is None else (proof,),
            certificate=link.certificate,
        )
        asked = self._nonces.are_asked_for(now)
        shown = check_sender(
            token,
            claims,
            presented,
            int(now),
            nonce_holds=partial(self._nonces.holds, now=now) if asked else None,
            bearer=claims.issuer in self._bearer,
        )
        if shown.proof is not None:
            self._proofs.see(shown.proof, principal_of(claims), now)
        return shown.binding

    def _caller(self, claims: SignedClaims, binding: Binding) -> Caller:
        principal = principal_of(claims)
        try:
            agent, known = self._agents.of_token(claims, principal)
        except IdError:
            message = "expected a subject that can be part of an id"
            raise TokenRefused(Reason.CLAIM_TYPE, message) from None
        headed = acting(claims) is not None and is_person(claims.sub)
        delegation = claims.leaf("answerable", "dlg") if is_ours(claims) else None
        return Caller(
            agent=agent,
            known=known,
            person=claims.sub if headed else "",
            run=delegation if isinstance(delegation, str) else claims.jti,
            shown=_SHOWN[binding],
            principal=principal,
            token_sha256=claims.token_sha256,
            expires=claims.exp + SKEW,
            chain=self._agents.above(claims),
        )


def principal_of(claims: SignedClaims) -> str:
    """Return the principal that a token's sessions, tasks and states belong to.

    Two agents of one person are two principals.

    Raises:
        TokenRefused: The subject could be read as a person and their agent.
    """
    actor = acting(claims)
    subs = [claims.sub] if actor is None else [claims.sub, actor.sub]
    named = BY.join(subs)
    if is_ours(claims) and named.split(BY) != subs:
        raise TokenRefused(Reason.CLAIM_TYPE, "expected a subject that reads as one")
    return f"{claims.issuer}/{named}"
