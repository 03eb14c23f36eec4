"""Exchange: what was shown is verified, decided on, committed, and signed.

The story of one request of the token endpoint, but for its evidence: the record of it
comes back with the answer, and nothing leaves before that is on disk. Each step can end
it, and none goes on from an error.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from answerable.enforce.kill import Kills
from answerable.federate.admission import Admitted, admit
from answerable.federate.errors import KeyUnknown, Reason, TokenRefused
from answerable.federate.exchange import Asked, Handed, Ids, Minting, Standing, decide
from answerable.federate.exchange import Held as HeldNow
from answerable.federate.rules.table import Rules
from answerable.federate.spiffe import trust_domain
from answerable.federate.verify import Issuers, verify_admitted
from answerable.flows.attempts import Shown, given_record, refused_record
from answerable.flows.own_tokens import OwnTokens, killed_in
from answerable.model.attestation import Attestation
from answerable.model.claims import SignedClaims, TokenType
from answerable.model.config import PinnedIssuer
from answerable.model.errors import AnswerableError
from answerable.model.exchange import (
    PEER,
    TICKET,
    OAuthError,
    Refusal,
)
from answerable.model.ids import AgentId, PersonId
from answerable.model.record import Exchanged
from answerable.store.control.contract import (
    Committed,
    Control,
    ControlUnavailable,
    Exchange,
    IssuedToken,
    Outcome,
    Use,
    new_id,
    token_use,
)

# What a token of ours may be shown as.
OWN_TYPES = frozenset({TokenType.ACCESS_TOKEN.value, TokenType.JWT.value})
_GRANT = OAuthError.INVALID_GRANT


class ReviewNeeded(Exception):  # noqa: N818 - a step that somebody else has to take
    """An API server has to say first whether a token is still good.

    Attributes:
        issuer: Name of its issuer.
        unverified_token: The token; its signature holds.
        sub: Of it.
        sha256: Digest of it.
    """

    def __init__(self, claims: SignedClaims, unverified_token: str) -> None:
        super().__init__(f"a token of {claims.issuer} has to be reviewed")
        self.issuer, self.sub = claims.issuer, claims.sub
        self.unverified_token, self.sha256 = unverified_token, claims.token_sha256


class Signs(Protocol):
    """Whoever holds the signing key."""

    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> str:
        """Sign claims: a compact JWS."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of a request.

    Attributes:
        record: For the evidence; durable before anything is answered.
        refusal: Why nothing is given, None where something is.
        token: What is given.
        minting: What that is.
        needs_nonce: The proof may have been seen: one with a new nonce will do.
    """

    record: Exchanged
    refusal: Refusal | None = None
    token: str = field(default="", repr=False)
    minting: Minting | None = None
    needs_nonce: bool = False


@dataclass(frozen=True, slots=True)
class InForce:
    """What a configuration puts in force.

    Attributes:
        rules: The rules.
        issuers: Foreign issuers, by name.
        root: A rule speaks of a process of the superuser's.
        gateways: Audiences of our gateways.
    """

    rules: Rules
    issuers: Mapping[str, PinnedIssuer]
    root: bool = False
    gateways: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Found:
    """What a request turned out to show, as far as it was looked at."""

    subject: SignedClaims | Attestation | HeldNow | Handed | None = None
    actor: HeldNow | Attestation | None = None
    uses: list[Use] = field(default_factory=list)


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """What is given, once it is on record.

    Attributes:
        exchange: What has to be committed first.
        shown: The request.
        found: What it turned out to show.
        minting: What is given.
        token: The same, signed.
        sha256: Digest of that.
    """

    exchange: Exchange
    shown: Shown
    found: _Found
    minting: Minting
    token: str
    sha256: bytes


class _Refused(Exception):  # noqa: N818 - ends the story
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


class Exchanges:
    """The token endpoint's story.

    Args:
        url: Our `iss`.
        own: Tokens of ours.
        control: The record.
        signs: Holds the signing key.
        issuers: Gives the foreign issuers with the keys that are usable now.
        owners: Gives the agents that have an attested owner now.
        kills: Gives the kills in force.
    """

    def __init__(
        self,
        url: str,
        own: OwnTokens,
        control: Control,
        signs: Signs,
        issuers: Callable[[float], Issuers],
        owners: Callable[[float], Mapping[AgentId, PersonId]],
        kills: Callable[[], Kills],
    ) -> None:
        self._url, self._own, self._control, self._signs = url, own, control, signs
        self._issuers, self._owners, self._kills = issuers, owners, kills
        self._in_force = InForce(Rules(), {})

    @property
    def in_force(self) -> InForce:
        """What is decided by now."""
        return self._in_force

    def swap(self, in_force: InForce) -> None:
        """Decide by something else from the next request on."""
        self._in_force = in_force

    def standing(self, now: float) -> Standing:
        """Give what is in force now."""
        in_force = self._in_force
        return Standing(
            url=self._url,
            rules=in_force.rules,
            issuers=in_force.issuers,
            owners=self._owners(now),
            kills=self._kills(),
            gateways=in_force.gateways,
        )

    def exchange(self, shown: Shown, now: float) -> Outcomes:
        """Serve one request.

        Args:
            shown: What came.
            now: NumericDate.

        Raises:
            KeyUnknown: Read that issuer's keys again, then ask once more.
            ReviewNeeded: Ask that issuer's API server, then ask once more.
        """
        prepared = self.prepare(shown, now)
        if isinstance(prepared, Outcomes):
            return prepared
        try:
            committed = self._control.commit(prepared.exchange, now)
        except ControlUnavailable:
            committed = None
        return self.finish(prepared, committed)

    def prepare(self, shown: Shown, now: float) -> "Prepared | Outcomes":
        """Serve one request up to where it is committed, or to its refusal.

        Raises:
            KeyUnknown: As above.
            ReviewNeeded: As above.
        """
        found = _Found()
        try:
            self._find(shown, found, now)
            minting = self._decide(shown, found, now)
            token = self._sign(minting, now)
        except _Refused as refused:
            return _refused(shown, found, refused.refusal)
        sha256 = hashlib.sha256(token.encode("ascii")).digest()
        exchange = _exchange_of(found, minting, sha256)
        return Prepared(exchange, shown, found, minting, token, sha256)

    def finish(self, prepared: "Prepared", committed: Committed | None) -> Outcomes:
        """Serve the rest, once the exchange is on record.

        Args:
            prepared: What was to be committed.
            committed: What became of that, None where nobody can tell.
        """
        shown, found, minting = prepared.shown, prepared.found, prepared.minting
        if committed is None:
            return _refused(shown, found, _unavailable().refusal)
        if committed.outcome is not Outcome.DONE:
            return _refused(shown, found, _refusal_of(committed, shown.proof))
        # A kill that came since the decision ends what was on record by then.
        if killed := killed_in(self._kills(), (minting.delegation,)):
            return _refused(shown, found, Refusal(_GRANT, "killed", killed))
        sha256 = prepared.sha256
        record = given_record(shown, found.subject, found.actor, minting, sha256)
        return Outcomes(record, token=prepared.token, minting=minting)

    # What was shown.

    def _find(self, shown: Shown, found: _Found, now: float) -> None:
        request = shown.request
        if shown.proof is not None:
            found.uses.append(shown.proof)
        try:
            found.subject = self._subject(shown, found, now)
            if request.actor_type == PEER:
                found.actor = _peer(shown)
            elif request.actor_type:
                found.actor = self._held(admit(request.unverified_actor), now)
        except KeyUnknown:
            raise
        except TokenRefused as refused:
            raise _refuse(_GRANT, refused.reason.value) from None
        except ControlUnavailable:
            raise _unavailable() from None

    def _subject(
        self, shown: Shown, found: _Found, now: float
    ) -> SignedClaims | Attestation | HeldNow | Handed:
        request = shown.request
        if request.subject_type == PEER:
            return _peer(shown)
        if request.subject_type == TICKET:
            return self._handed(request.unverified_subject, now)
        admitted = admit(request.unverified_subject)
        if self._own.is_ours(admitted):
            if request.subject_type not in OWN_TYPES:
                raise _refuse(_GRANT, Reason.TOKEN_TYPE.value)
            return self._held(admitted, now)
        return self._foreign(shown, admitted, found, now)

    def _foreign(
        self, shown: Shown, admitted: Admitted, found: _Found, now: float
    ) -> SignedClaims:
        request, issuers = shown.request, self._issuers(now)
        kind = TokenType(request.subject_type)
        if kind is TokenType.JWT and _is_svid(admitted, issuers):
            kind = TokenType.JWT_SVID
        claims = verify_admitted(admitted, issuers, int(now), kind)
        issuer = self._in_force.issuers.get(claims.issuer)
        if issuer is not None and issuer.review is not None:
            # Its workload shows one token again and again; whether that one's pod still
            # runs says the API server.
            if claims.token_sha256 not in shown.reviewed:
                raise ReviewNeeded(claims, request.unverified_subject)
        elif claims.jti:
            found.uses.append(token_use(claims))
        return claims

    def _held(self, admitted: Admitted, now: float) -> HeldNow:
        held = self._own.held(admitted, now)
        return HeldNow(held.claims, held.chain.links)

    def _handed(self, secret: str, now: float) -> Handed:
        sha256 = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        ticket = self._control.ticket(sha256, now)
        if ticket is None:
            raise _refuse(_GRANT, "ticket")
        chain = self._control.chain(ticket.parent, now)
        if not chain.live:
            raise _refuse(_GRANT, "dead", chain.why or "")
        return Handed(ticket, chain.links)

    # What is given for it.

    def _decide(self, shown: Shown, found: _Found, now: float) -> Minting:
        assert found.subject is not None  # noqa: S101 - found, or refused before
        asked = Asked(
            shown.request, found.subject, found.actor, shown.cnf, shown.gateway
        )
        ids = Ids(new_id(now), new_id(now))
        decided = decide(asked, self.standing(now), ids, int(now))
        if isinstance(decided, Refusal):
            raise _Refused(decided)
        return decided

    def _sign(self, minting: Minting, now: float) -> str:
        try:
            return self._signs.sign(minting.claims, minting.typ, now)
        except AnswerableError:
            raise _refuse(
                OAuthError.TEMPORARILY_UNAVAILABLE, "no-signing-key"
            ) from None


def _refused(shown: Shown, found: _Found, refusal: Refusal) -> Outcomes:
    nonce = refusal.error is OAuthError.USE_DPOP_NONCE
    record = refused_record(shown, found.subject, found.actor, refusal)
    return Outcomes(record, refusal, needs_nonce=nonce)


def _exchange_of(found: _Found, minting: Minting, sha256: bytes) -> Exchange:
    """Say what has to be on record, all of it or nothing."""
    issued = IssuedToken(
        jti=str(minting.claims["jti"]),
        delegation=minting.delegation.id,
        sha256=sha256,
        expires=minting.expires,
    )
    return Exchange(
        uses=tuple(found.uses),
        ticket=minting.ticket,
        under=minting.under,
        opens=minting.delegation if minting.opens else None,
        token=issued,
    )


def _refusal_of(committed: Committed, proof: Use | None) -> Refusal:
    """Say why a commit was not done."""
    of_proof = proof is not None and committed.use == proof
    match committed.outcome:
        case Outcome.SEEN if of_proof:
            return Refusal(OAuthError.INVALID_DPOP_PROOF, "proof-seen")
        case Outcome.PERHAPS_SEEN if of_proof:
            return Refusal(OAuthError.USE_DPOP_NONCE, "proof-perhaps-seen")
        case Outcome.DEAD:
            return Refusal(_GRANT, "dead", committed.why or "")
        case outcome:
            return Refusal(_GRANT, outcome.value)


def _is_svid(admitted: Admitted, issuers: Issuers) -> bool:
    """Tell whether a JWT is that of a pinned trust domain; its keys say so later.

    SPIFFE has no token type of its own in an exchange, so clients call it a JWT.
    """
    said = admitted.payload
    domain = trust_domain(said.get("sub"))
    return issuers.find(said.get("iss")) is None and issuers.find(domain) is not None


def _peer(shown: Shown) -> Attestation:
    if shown.attested is None:
        raise _refuse(_GRANT, "no-peer")
    return shown.attested


def _refuse(error: OAuthError, reason: str, detail: str = "") -> _Refused:
    return _Refused(Refusal(error, reason, detail))


def _unavailable() -> _Refused:
    return _refuse(OAuthError.TEMPORARILY_UNAVAILABLE, "control")
