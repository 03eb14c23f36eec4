"""The story of an exchange: what comes between the decision and the answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from answerable.federation.jwk_set import IssuerKeySet
from answerable.federation.token_errors import UnknownKey
from answerable.federation.token_verification import IssuerIndex, IssuerWithKeys
from answerable.federation.trust_rules.rule_index import RuleIndex
from answerable.model.token_claims import TokenType
from answerable.model.token_request import GrantType, OAuthError, TokenRequest
from answerable.services.federation.exchange_audit_records import PresentedRequest
from answerable.services.federation.issued_token_verification import OwnTokenVerifier
from answerable.store.token_state.interface import (
    COMMITTED,
    CommitOutcome,
    CommitResult,
    ExchangeCommit,
    IdConflict,
    TokenStateUnavailable,
)
from answerable.store.token_state.sqlite import SqliteTokenState
from answerable.usecases.federation.token_exchange import (
    ExchangeConfig,
    ExchangeOutcome,
    PreparedExchange,
    TokenExchange,
)
from tests.federation import sample_rules, sample_tokens
from tests.federation.sample_rules import ANA, AUDIENCES, KEY, URL, A
from tests.federation.sample_tokens import NOW


class StubSigner:
    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> str:
        return f"signed.{claims['jti']}.{typ}"


class ExchangeStub:
    """A token service without its door."""

    def __init__(self, folder: Path) -> None:
        self.kills: frozenset[str] = frozenset()
        self.control = SqliteTokenState(folder, NOW)
        pinned = sample_rules.ISSUERS["gh"]
        known = IssuerWithKeys(pinned.pin, URL, sample_tokens.GOOD)
        self.exchanges = TokenExchange(
            URL,
            OwnTokenVerifier(
                URL, lambda: IssuerKeySet({}, ()), self.control, lambda: self.kills
            ),
            self.control,
            StubSigner(),
            lambda _: IssuerIndex(known),
            lambda _: {A: ANA},
            lambda: self.kills,
        )
        rules = RuleIndex((sample_rules.rule(),))
        self.exchanges.replace_config(ExchangeConfig(rules, {"gh": pinned}))

    def shown(self, jti: str = "j1", kid: str = "k1") -> PresentedRequest:
        payload = {
            "iss": sample_tokens.ISS,
            "sub": "workload",
            "aud": URL,
            "iat": NOW - 5,
            "exp": NOW + 900,
            "jti": jti,
            "repository_id": "1",
        }
        request = TokenRequest(
            grant_type=GrantType.TOKEN_EXCHANGE,
            unverified_subject=sample_tokens.sign(
                {"alg": "ES256", "kid": kid}, payload
            ),
            subject_type=TokenType.JWT.value,
            unverified_actor="",
            actor_type="",
            requested_type=TokenType.ACCESS_TOKEN,
            audience=AUDIENCES[0],
            scopes=(),
            client_id="",
        )
        return PresentedRequest(request, KEY)

    def prepared(self) -> PreparedExchange:
        (made,) = self.exchanges.prepare_all((self.shown(),), NOW)
        assert isinstance(made, PreparedExchange), made
        return made


@pytest.fixture
def stage(tmp_path: Path) -> ExchangeStub:
    return ExchangeStub(tmp_path)


def test_what_is_prepared_is_on_no_record_until_it_is_committed(
    stage: ExchangeStub,
) -> None:
    made = stage.prepared()
    assert stage.control.find_delegation(made.minting.delegation.id) is None
    outcome = stage.exchanges.finish_exchange(
        made, stage.control.commit(made.exchange, NOW)
    )
    assert outcome.token == made.token
    assert stage.control.find_delegation(made.minting.delegation.id) is not None
    assert outcome.record.jti == made.exchange.token.jti  # type: ignore[union-attr]


def test_the_whole_story_is_its_parts(stage: ExchangeStub) -> None:
    first = stage.exchanges.exchange(stage.shown(), NOW)
    assert first.token
    again = stage.exchanges.exchange(stage.shown(), NOW)
    assert again.refusal is not None
    assert (again.token, again.refusal.reason) == ("", "seen")


def test_of_several_at_once_each_comes_to_what_it_would_have_come_to_alone(
    tmp_path: Path,
) -> None:
    def mixed(stage: ExchangeStub) -> list[PresentedRequest]:
        good = stage.shown()
        away = replace(good.request, audience="https://elsewhere.example")
        return [
            good,
            stage.shown("j2", kid="k9"),
            replace(stage.shown("j3"), request=away),
            good,
            stage.shown("j4"),
        ]

    alone = ExchangeStub(tmp_path / "alone")
    together = ExchangeStub(tmp_path / "together")
    one_by_one = [_told(alone, each) for each in mixed(alone)]
    at_once = together.exchanges.exchange_all(mixed(together), NOW)
    assert [_spelled(each) for each in at_once] == one_by_one
    assert one_by_one == ["given", "UnknownKey", "audience", "seen", "given"]


def test_one_story_that_fails_is_the_only_one_that_does(
    stage: ExchangeStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stage.exchanges._verifying.verify

    def find(shown: PresentedRequest, *rest: Any) -> None:
        if shown is failing:
            raise ZeroDivisionError
        whole(shown, *rest)

    failing = stage.shown("j2")
    monkeypatch.setattr(stage.exchanges._verifying, "verify", find)
    asked = [stage.shown("j1"), failing, stage.shown("j3")]
    told = stage.exchanges.exchange_all(asked, NOW)
    assert [_spelled(each) for each in told] == ["given", "ZeroDivisionError", "given"]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ((COMMITTED, TokenStateUnavailable("away")), ["given", "control"]),
        ((IdConflict("taken"), COMMITTED), ["IdConflict", "given"]),
        (TokenStateUnavailable("away"), ["control", "control"]),
        (ZeroDivisionError(), ["ZeroDivisionError", "ZeroDivisionError"]),
    ],
)
def test_each_is_told_what_became_of_its_commit(
    stage: ExchangeStub, monkeypatch: pytest.MonkeyPatch, answers: Any, told: list[str]
) -> None:
    def commit_all(exchanges: Sequence[ExchangeCommit], now: float) -> Any:
        assert len(exchanges) == 2
        if isinstance(answers, Exception):
            raise answers
        return answers

    monkeypatch.setattr(stage.control, "commit_batch", commit_all)
    asked = [stage.shown("j1"), stage.shown("j2")]
    found = stage.exchanges.exchange_all(asked, NOW)
    assert [_spelled(each) for each in found] == told


def test_one_thing_shown_many_times_at_once_is_good_once(stage: ExchangeStub) -> None:
    told = stage.exchanges.exchange_all([stage.shown()] * 99, NOW)
    spelled = [_spelled(each) for each in told]
    assert (spelled.count("given"), spelled.count("seen")) == (1, 98)


def _told(stage: ExchangeStub, shown: PresentedRequest) -> str:
    try:
        return _spelled(stage.exchanges.exchange(shown, NOW))
    except UnknownKey as unknown:
        return _spelled(unknown)


def _spelled(told: ExchangeOutcome | Exception) -> str:
    if isinstance(told, Exception):
        return type(told).__name__
    return told.refusal.reason if told.refusal else "given"


@pytest.mark.parametrize(
    ("committed", "error", "reason"),
    [
        (None, OAuthError.TEMPORARILY_UNAVAILABLE, "control"),
        (CommitResult(CommitOutcome.SEEN), OAuthError.INVALID_GRANT, "seen"),
        (
            CommitResult(CommitOutcome.PERHAPS_SEEN),
            OAuthError.INVALID_GRANT,
            "perhaps-seen",
        ),
        (CommitResult(CommitOutcome.TICKET), OAuthError.INVALID_GRANT, "ticket"),
        (CommitResult(CommitOutcome.DEAD), OAuthError.INVALID_GRANT, "dead"),
    ],
)
def test_what_was_not_committed_gives_nothing(
    stage: ExchangeStub, committed: CommitResult | None, error: OAuthError, reason: str
) -> None:
    outcome = stage.exchanges.finish_exchange(stage.prepared(), committed)
    refused(outcome, error, reason)


KILLED: list[Callable[[PreparedExchange], str]] = [
    lambda made: made.minting.delegation.agent,
    lambda made: made.minting.delegation.owner,
    lambda made: f"rule:{made.minting.delegation.rule}",
    lambda made: f"run:{made.minting.delegation.id}",
]


@pytest.mark.parametrize("named", KILLED, ids=["agent", "owner", "rule", "run"])
def test_a_kill_between_decision_and_answer_lets_nothing_out(
    stage: ExchangeStub, named: Callable[[PreparedExchange], str]
) -> None:
    made = stage.prepared()
    stage.kills = frozenset({named(made)})
    refused(
        stage.exchanges.finish_exchange(made, COMMITTED),
        OAuthError.INVALID_GRANT,
        "killed",
    )


def refused(outcome: ExchangeOutcome, error: OAuthError, reason: str) -> None:
    assert outcome.refusal is not None
    assert (outcome.token, outcome.minting) == ("", None)
    assert (outcome.refusal.error, outcome.refusal.reason) == (error, reason)
    assert outcome.record.error == error.value
