"""Serve token exchange requests: verify, decide, commit, sign (RFC 8693).

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

from answerable.authorization.revocations import Revocations
from answerable.federation.person_claim import (
    AccountBinding,
    accept_without_account_binding,
)
from answerable.federation.token_exchange_decision import (
    FreshIds,
    TokenGrantDecision,
    TrustState,
    VerifiedRequest,
    decide_exchange,
)
from answerable.federation.token_verification import IssuerIndex
from answerable.federation.trust_rules.rule_index import RuleIndex
from answerable.model.config import IssuerConfig
from answerable.model.errors import AnswerableError
from answerable.model.ids import AgentId, PersonId
from answerable.model.spool_record import ExchangeRecord
from answerable.model.token_request import OAuthError, TokenRequestRefusal
from answerable.model.trust_rule import TokenReuse
from answerable.services.federation.exchange_audit_records import (
    PresentedRequest,
    build_issued_token_record,
    build_refused_exchange_record,
)
from answerable.services.federation.exchange_verification import (
    ExchangeRefused,
    ExchangeVerifier,
    VerifiedCredentials,
    build_database_unavailable_refusal,
)
from answerable.services.federation.issued_token_verification import (
    OwnTokenVerifier,
    find_chain_revocation,
)
from answerable.store.token_state.interface import (
    CommitOutcome,
    CommitResult,
    ExchangeCommit,
    IssuedTokenRecord,
    TokenState,
    TokenStateUnavailable,
    generate_id,
)
from answerable.store.token_state.replay_keys import ReplayKey

_GRANT = OAuthError.INVALID_GRANT


class TokenSigner(Protocol):
    """Holder of the signing key."""

    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> str:
        """Sign claims as a compact JWS."""


class ExchangeOutcome(msgspec.Struct, frozen=True, gc=False):
    """Result of a token exchange request.

    Attributes:
        record: Evidence record; durable before the answer is sent.
        refusal: Reason of a refusal, None if a token is issued.
        needs_nonce: The proof may be a replay: the client repeats it with a nonce.
    """

    record: ExchangeRecord
    refusal: TokenRequestRefusal | None = None
    token: str = ""
    minting: TokenGrantDecision | None = None
    needs_nonce: bool = False

    def __repr__(self) -> str:
        """Show no token."""
        return f"Outcomes({self.record!r}, {self.refusal!r})"


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """Trust rules and issuers in force.

    Attributes:
        issuers: Foreign issuers, by name.
        allow_root: Whether a rule matches processes of the superuser.
        gateways: Audiences of our gateways.
    """

    rules: RuleIndex
    issuers: Mapping[str, IssuerConfig]
    allow_root: bool = False
    gateways: frozenset[str] = frozenset()


class PreparedExchange(msgspec.Struct, frozen=True, gc=False):
    """Token that is issued once it is committed.

    Attributes:
        exchange: Exchange to commit first.
        found: Verified credentials.
        sha256: Digest of the token.
    """

    exchange: ExchangeCommit
    shown: PresentedRequest
    found: VerifiedCredentials
    minting: TokenGrantDecision
    token: str
    sha256: bytes

    def __repr__(self) -> str:
        """Show none of it."""
        return f"Prepared({self.minting.delegation.id})"


@dataclass(slots=True, repr=False)
class _ExchangeState:
    """State of one request between the steps.

    Attributes:
        credentials: Credentials that are verified so far.
        grant: Token to issue, once decided.
        outcome: Outcome, None while the request is in progress.
    """

    request: PresentedRequest
    credentials: VerifiedCredentials = field(default_factory=VerifiedCredentials)
    grant: TokenGrantDecision | None = None
    outcome: PreparedExchange | ExchangeOutcome | Exception | None = None


class TokenExchange:
    """Use case of the token endpoint.

    Args:
        url: Our `iss`.
        signer: Token signer.
        issuers: Returns the foreign issuers with their usable keys.
        owners: Returns the agents with an attested owner.
        revocations: Returns the revocations in force.
        is_bound: Returns whether a person's token has the account they are bound to.
    """

    def __init__(
        self,
        url: str,
        own_tokens: OwnTokenVerifier,
        token_state: TokenState,
        signer: TokenSigner,
        issuers: Callable[[float], IssuerIndex],
        owners: Callable[[float], Mapping[AgentId, PersonId]],
        revocations: Callable[[], Revocations],
        is_bound: AccountBinding = accept_without_account_binding,
    ) -> None:
        self._url, self._control, self._signs = url, token_state, signer
        self._owners, self._kills = owners, revocations
        self._is_bound = is_bound
        self._in_force = ExchangeConfig(RuleIndex(), {})
        self._verifying = ExchangeVerifier(
            own_tokens, token_state, issuers, lambda: self._in_force.issuers
        )

    @property
    def config_in_force(self) -> ExchangeConfig:
        """Configuration in force."""
        return self._in_force

    def replace_config(self, config: ExchangeConfig) -> None:
        """Replace the configuration for all later requests."""
        self._in_force = config

    def current_trust_state(self, now: float) -> TrustState:
        """Return the rules, issuers, owners and revocations that apply now."""
        in_force = self._in_force
        return TrustState(
            url=self._url,
            rules=in_force.rules,
            issuers=in_force.issuers,
            owners=self._owners(now),
            kills=self._kills(),
            gateways=in_force.gateways,
            is_bound=self._is_bound,
        )

    def exchange(self, request: PresentedRequest, now: float) -> ExchangeOutcome:
        """Verify the presented tokens and issue a delegated one (RFC 8693).

        Args:
            now: NumericDate.

        Raises:
            UnknownKey: Reload the keys of that issuer, then retry.
            TokenReviewNeeded: Ask the API server of that issuer, then retry.
        """
        (outcome,) = self.exchange_all((request,), now)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def exchange_all(
        self, requests: Sequence[PresentedRequest], now: float
    ) -> list[ExchangeOutcome | Exception]:
        """Serve several requests in one transaction, independently of each other.

        Args:
            now: NumericDate.

        Returns:
            The outcome of each request, or the exception that `exchange` would raise.
        """
        made = self.prepare_all(requests, now)
        ready = [each for each in made if isinstance(each, PreparedExchange)]
        committed = iter(self._commit_all(ready, now))
        return [
            self._finish_or_return_error(each, next(committed))
            if isinstance(each, PreparedExchange)
            else each
            for each in made
        ]

    def prepare_all(
        self, requests: Sequence[PresentedRequest], now: float
    ) -> list[PreparedExchange | ExchangeOutcome | Exception]:
        """Verify, decide and sign requests, up to the commit or to their refusal."""
        stories = [_ExchangeState(each) for each in requests]
        for step in (
            self._verify_presented_tokens,
            self._decide_issued_token,
            self._sign_issued_token,
        ):
            for story in stories:
                if story.outcome is None:
                    _run_request_step(step, story, now)
        return [story.outcome for story in stories if story.outcome is not None]

    def _commit_all(
        self, prepared: Sequence[PreparedExchange], now: float
    ) -> Sequence[CommitResult | Exception]:
        """Write prepared token exchanges to the database in one transaction."""
        if not prepared:
            return ()
        try:
            return self._control.commit_batch([each.exchange for each in prepared], now)
        except Exception as error:  # noqa: BLE001 - whoever waits is told, each of them
            return [error] * len(prepared)

    def _finish_or_return_error(
        self, prepared: PreparedExchange, commit_result: CommitResult | Exception
    ) -> ExchangeOutcome | Exception:
        """Finish a request by its commit result; return an unexpected error."""
        if isinstance(commit_result, TokenStateUnavailable):
            return self.finish_exchange(prepared, None)
        if isinstance(commit_result, Exception):
            return commit_result
        return self.finish_exchange(prepared, commit_result)

    def finish_exchange(
        self, prepared: PreparedExchange, commit_result: CommitResult | None
    ) -> ExchangeOutcome:
        """Build the final outcome of a request after the commit of its exchange.

        Args:
            prepared: Prepared exchange.
            commit_result: Result of the commit, None if it is not known.
        """
        shown, found, minting = prepared.shown, prepared.found, prepared.minting
        if commit_result is None:
            return _build_refused_outcome(
                shown, found, build_database_unavailable_refusal().refusal
            )
        if commit_result.outcome is not CommitOutcome.DONE:
            return _build_refused_outcome(
                shown, found, _explain_commit_failure(commit_result, shown.proof)
            )
        # A revocation since the decision ends the recorded delegation.
        if killed := find_chain_revocation(self._kills(), (minting.delegation,)):
            return _build_refused_outcome(
                shown, found, TokenRequestRefusal(_GRANT, "killed", killed)
            )
        sha256 = prepared.sha256
        record = build_issued_token_record(
            shown, found.subject, found.actor, minting, sha256
        )
        return ExchangeOutcome(record, token=prepared.token, minting=minting)

    # Steps.

    def _verify_presented_tokens(self, state: _ExchangeState, now: float) -> None:
        """Verify the presented tokens, and collect the credentials."""
        self._verifying.verify(state.request, state.credentials, now)

    def _decide_issued_token(self, state: _ExchangeState, now: float) -> None:
        """Decide by the trust rules which token to issue, or refuse."""
        shown, found = state.request, state.credentials
        assert found.subject is not None  # noqa: S101 - found, or refused before
        asked = VerifiedRequest(
            shown.request, found.subject, found.actor, shown.cnf, shown.gateway
        )
        ids = FreshIds(generate_id(now), generate_id(now))
        decided = decide_exchange(asked, self.current_trust_state(now), ids, int(now))
        if isinstance(decided, TokenRequestRefusal):
            state.outcome = _build_refused_outcome(shown, found, decided)
        else:
            state.grant = decided

    def _sign_issued_token(self, state: _ExchangeState, now: float) -> None:
        """Sign the token and prepare the exchange for its commit."""
        shown, found, minting = state.request, state.credentials, state.grant
        assert minting is not None  # noqa: S101 - decided, or refused before
        try:
            token = self._signs.sign(minting.claims, minting.typ, now)
        except AnswerableError:
            error = OAuthError.TEMPORARILY_UNAVAILABLE
            raise ExchangeRefused(error, "no-signing-key") from None
        sha256 = hashlib.sha256(token.encode("ascii")).digest()
        exchange = _build_committed_exchange(found, minting, sha256)
        state.outcome = PreparedExchange(exchange, shown, found, minting, token, sha256)


def _run_request_step(
    step: Callable[[_ExchangeState, float], None], state: _ExchangeState, now: float
) -> None:
    """Run one step for one request; an error ends only that request."""
    try:
        step(state, now)
    except ExchangeRefused as refused:
        state.outcome = _build_refused_outcome(
            state.request, state.credentials, refused.refusal
        )
    except Exception as error:  # noqa: BLE001 - it is raised for whoever waits for it
        state.outcome = error


def _build_refused_outcome(
    request: PresentedRequest,
    credentials: VerifiedCredentials,
    refusal: TokenRequestRefusal,
) -> ExchangeOutcome:
    """Build the outcome of a refused request, with its evidence record."""
    nonce = refusal.error is OAuthError.USE_DPOP_NONCE
    record = build_refused_exchange_record(
        request, credentials.subject, credentials.actor, refusal
    )
    return ExchangeOutcome(record, refusal, needs_nonce=nonce)


def _build_committed_exchange(
    credentials: VerifiedCredentials, grant: TokenGrantDecision, sha256: bytes
) -> ExchangeCommit:
    """Build the database rows of an exchange: token, delegation, replay keys."""
    issued = IssuedTokenRecord(
        jti=str(grant.claims["jti"]),
        delegation=grant.delegation.id,
        sha256=sha256,
        expires=grant.expires,
    )
    is_single_use = grant.rule.reuse is TokenReuse.ONCE
    token = (
        (credentials.token,) if credentials.token is not None and is_single_use else ()
    )
    return ExchangeCommit(
        uses=(*credentials.replay_keys, *token),
        ticket=grant.ticket,
        under=grant.under,
        opens=grant.delegation if grant.opens else None,
        token=issued,
    )


def _explain_commit_failure(
    commit_result: CommitResult, proof: ReplayKey | None
) -> TokenRequestRefusal:
    """Explain why a commit was rejected."""
    of_proof = proof is not None and commit_result.use == proof
    match commit_result.outcome:
        case CommitOutcome.SEEN if of_proof:
            return TokenRequestRefusal(OAuthError.INVALID_DPOP_PROOF, "proof-seen")
        case CommitOutcome.PERHAPS_SEEN if of_proof:
            return TokenRequestRefusal(OAuthError.USE_DPOP_NONCE, "proof-perhaps-seen")
        case CommitOutcome.DEAD:
            return TokenRequestRefusal(_GRANT, "dead", commit_result.why or "")
        case outcome:
            return TokenRequestRefusal(_GRANT, outcome.value)
