"""Token exchange: verify, decide, commit, sign.

Use case of the token endpoint without its evidence: each request returns its record,
which the caller makes durable before it answers. An error in a step ends the request.

Requests that arrive together are served step by step together: that halves the time of
a step, and they share one transaction.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from answerable.authorization.revocations import Kills
from answerable.federation.person_claim import Binding, any_account
from answerable.federation.token_exchange import Asked, Ids, Minting, Standing, decide
from answerable.federation.token_verification import Issuers
from answerable.federation.trust_rules.rule_index import Rules
from answerable.model.config import PinnedIssuer
from answerable.model.errors import AnswerableError
from answerable.model.exchange import OAuthError, Refusal
from answerable.model.ids import AgentId, PersonId
from answerable.model.spool_record import Exchanged
from answerable.model.trust_rule import Reuse
from answerable.services.federation.exchange_records import (
    Shown,
    given_record,
    refused_record,
)
from answerable.services.federation.exchange_verification import (
    Found,
    NotGiven,
    Verifying,
    unavailable,
)
from answerable.services.federation.own_tokens import OwnTokens, killed_in
from answerable.store.token_state.interface import (
    Committed,
    Control,
    ControlUnavailable,
    Exchange,
    IssuedToken,
    Outcome,
    Use,
    new_id,
)

_GRANT = OAuthError.INVALID_GRANT


class Signs(Protocol):
    """Holder of the signing key."""

    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> str:
        """Sign claims as a compact JWS."""


class Outcomes(msgspec.Struct, frozen=True, gc=False):
    """Result of a token exchange request.

    Attributes:
        record: Evidence record; durable before the answer is sent.
        refusal: Reason of a refusal, None if a token is issued.
        needs_nonce: The proof may be a replay: the client repeats it with a nonce.
    """

    record: Exchanged
    refusal: Refusal | None = None
    token: str = ""
    minting: Minting | None = None
    needs_nonce: bool = False

    def __repr__(self) -> str:
        """Show no token."""
        return f"Outcomes({self.record!r}, {self.refusal!r})"


@dataclass(frozen=True, slots=True)
class InForce:
    """Trust rules and issuers in force.

    Attributes:
        issuers: Foreign issuers, by name.
        root: Whether a rule matches processes of the superuser.
        gateways: Audiences of our gateways.
    """

    rules: Rules
    issuers: Mapping[str, PinnedIssuer]
    root: bool = False
    gateways: frozenset[str] = frozenset()


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """Token that is issued once it is committed.

    Attributes:
        exchange: Exchange to commit first.
        found: Verified credentials.
        sha256: Digest of the token.
    """

    exchange: Exchange
    shown: Shown
    found: Found
    minting: Minting
    token: str
    sha256: bytes

    def __repr__(self) -> str:
        """Show none of it."""
        return f"Prepared({self.minting.delegation.id})"


@dataclass(slots=True, repr=False)
class _Story:
    """State of one request between the steps.

    Attributes:
        found: Credentials that are verified so far.
        minting: Token to issue, once decided.
        ended: Outcome, None while the request is in progress.
    """

    shown: Shown
    found: Found = field(default_factory=Found)
    minting: Minting | None = None
    ended: Prepared | Outcomes | Exception | None = None


class Exchanges:
    """Use case of the token endpoint.

    Args:
        url: Our `iss`.
        signs: Token signer.
        issuers: Returns the foreign issuers with their usable keys.
        owners: Returns the agents with an attested owner.
        kills: Returns the revocations in force.
        is_bound: Returns whether a person's token has the account they are bound to.
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
        is_bound: Binding = any_account,
    ) -> None:
        self._url, self._control, self._signs = url, control, signs
        self._owners, self._kills = owners, kills
        self._is_bound = is_bound
        self._in_force = InForce(Rules(), {})
        self._verifying = Verifying(
            own, control, issuers, lambda: self._in_force.issuers
        )

    @property
    def in_force(self) -> InForce:
        """Configuration in force."""
        return self._in_force

    def swap(self, in_force: InForce) -> None:
        """Replace the configuration for all later requests."""
        self._in_force = in_force

    def standing(self, now: float) -> Standing:
        """Return the state that a decision reads at this moment."""
        in_force = self._in_force
        return Standing(
            url=self._url,
            rules=in_force.rules,
            issuers=in_force.issuers,
            owners=self._owners(now),
            kills=self._kills(),
            gateways=in_force.gateways,
            is_bound=self._is_bound,
        )

    def exchange(self, shown: Shown, now: float) -> Outcomes:
        """Serve one request.

        Args:
            now: NumericDate.

        Raises:
            KeyUnknown: Reload the keys of that issuer, then retry.
            ReviewNeeded: Ask the API server of that issuer, then retry.
        """
        (outcome,) = self.exchange_all((shown,), now)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def exchange_all(
        self, shown: Sequence[Shown], now: float
    ) -> list[Outcomes | Exception]:
        """Serve several requests independently of each other.

        Args:
            now: NumericDate.

        Returns:
            The outcome of each request, or the exception that `exchange` would raise.
        """
        made = self.prepare_all(shown, now)
        ready = [each for each in made if isinstance(each, Prepared)]
        committed = iter(self._commit_all(ready, now))
        return [
            self._finished(each, next(committed))
            if isinstance(each, Prepared)
            else each
            for each in made
        ]

    def prepare_all(
        self, shown: Sequence[Shown], now: float
    ) -> list[Prepared | Outcomes | Exception]:
        """Serve requests up to the commit, or to their refusal."""
        stories = [_Story(each) for each in shown]
        for step in (self._find, self._decide, self._sign):
            for story in stories:
                if story.ended is None:
                    _take(step, story, now)
        return [story.ended for story in stories if story.ended is not None]

    def _commit_all(
        self, ready: Sequence[Prepared], now: float
    ) -> Sequence[Committed | Exception]:
        """Commit prepared exchanges in one transaction."""
        if not ready:
            return ()
        try:
            return self._control.commit_all([each.exchange for each in ready], now)
        except Exception as error:  # noqa: BLE001 - whoever waits is told, each of them
            return [error] * len(ready)

    def _finished(
        self, prepared: Prepared, committed: Committed | Exception
    ) -> Outcomes | Exception:
        if isinstance(committed, ControlUnavailable):
            return self.finish(prepared, None)
        if isinstance(committed, Exception):
            return committed
        return self.finish(prepared, committed)

    def finish(self, prepared: Prepared, committed: Committed | None) -> Outcomes:
        """Finish a request once its exchange is committed.

        Args:
            prepared: Prepared exchange.
            committed: Result of the commit, None if it is not known.
        """
        shown, found, minting = prepared.shown, prepared.found, prepared.minting
        if committed is None:
            return _refused(shown, found, unavailable().refusal)
        if committed.outcome is not Outcome.DONE:
            return _refused(shown, found, _refusal_of(committed, shown.proof))
        # A revocation since the decision ends the recorded delegation.
        if killed := killed_in(self._kills(), (minting.delegation,)):
            return _refused(shown, found, Refusal(_GRANT, "killed", killed))
        sha256 = prepared.sha256
        record = given_record(shown, found.subject, found.actor, minting, sha256)
        return Outcomes(record, token=prepared.token, minting=minting)

    # Steps.

    def _find(self, story: _Story, now: float) -> None:
        self._verifying.find(story.shown, story.found, now)

    def _decide(self, story: _Story, now: float) -> None:
        shown, found = story.shown, story.found
        assert found.subject is not None  # noqa: S101 - found, or refused before
        asked = Asked(
            shown.request, found.subject, found.actor, shown.cnf, shown.gateway
        )
        ids = Ids(new_id(now), new_id(now))
        decided = decide(asked, self.standing(now), ids, int(now))
        if isinstance(decided, Refusal):
            story.ended = _refused(shown, found, decided)
        else:
            story.minting = decided

    def _sign(self, story: _Story, now: float) -> None:
        shown, found, minting = story.shown, story.found, story.minting
        assert minting is not None  # noqa: S101 - decided, or refused before
        try:
            token = self._signs.sign(minting.claims, minting.typ, now)
        except AnswerableError:
            error = OAuthError.TEMPORARILY_UNAVAILABLE
            raise NotGiven(error, "no-signing-key") from None
        sha256 = hashlib.sha256(token.encode("ascii")).digest()
        exchange = _exchange_of(found, minting, sha256)
        story.ended = Prepared(exchange, shown, found, minting, token, sha256)


def _take(step: Callable[[_Story, float], None], story: _Story, now: float) -> None:
    """Run one step for one request; an error ends only that request."""
    try:
        step(story, now)
    except NotGiven as refused:
        story.ended = _refused(story.shown, story.found, refused.refusal)
    except Exception as error:  # noqa: BLE001 - it is raised for whoever waits for it
        story.ended = error


def _refused(shown: Shown, found: Found, refusal: Refusal) -> Outcomes:
    nonce = refusal.error is OAuthError.USE_DPOP_NONCE
    record = refused_record(shown, found.subject, found.actor, refusal)
    return Outcomes(record, refusal, needs_nonce=nonce)


def _exchange_of(found: Found, minting: Minting, sha256: bytes) -> Exchange:
    """Build the exchange that is committed as one transaction."""
    issued = IssuedToken(
        jti=str(minting.claims["jti"]),
        delegation=minting.delegation.id,
        sha256=sha256,
        expires=minting.expires,
    )
    is_single_use = minting.rule.reuse is Reuse.ONCE
    token = (found.token,) if found.token is not None and is_single_use else ()
    return Exchange(
        uses=(*found.uses, *token),
        ticket=minting.ticket,
        under=minting.under,
        opens=minting.delegation if minting.opens else None,
        token=issued,
    )


def _refusal_of(committed: Committed, proof: Use | None) -> Refusal:
    """Explain why a commit was rejected."""
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
