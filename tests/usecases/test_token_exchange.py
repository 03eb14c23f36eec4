"""The story of an exchange: what comes between the decision and the answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from answerable.federation.errors import KeyUnknown
from answerable.federation.jwk_set import KeySet
from answerable.federation.token_verification import Issuers, KnownIssuer
from answerable.federation.trust_rules.rule_index import Rules
from answerable.model.claims import TokenType
from answerable.model.exchange import GrantType, OAuthError, TokenRequest
from answerable.services.federation.exchange_records import Shown
from answerable.services.federation.own_tokens import OwnTokens
from answerable.store.token_state.interface import (
    DONE,
    Committed,
    ControlUnavailable,
    Exchange,
    IdTaken,
    Outcome,
)
from answerable.store.token_state.sqlite import SqliteControl
from answerable.usecases.federation.token_exchange import (
    Exchanges,
    InForce,
    Outcomes,
    Prepared,
)
from tests.federation import sample_rules, sample_tokens
from tests.federation.sample_rules import ANA, AUDIENCES, KEY, URL, A
from tests.federation.sample_tokens import NOW


class Signs:
    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> str:
        return f"signed.{claims['jti']}.{typ}"


class Stage:
    """A token service without its door."""

    def __init__(self, folder: Path) -> None:
        self.kills: frozenset[str] = frozenset()
        self.control = SqliteControl(folder, NOW)
        pinned = sample_rules.ISSUERS["gh"]
        known = KnownIssuer(pinned.pin, URL, sample_tokens.GOOD)
        self.exchanges = Exchanges(
            URL,
            OwnTokens(URL, lambda: KeySet({}, ()), self.control, lambda: self.kills),
            self.control,
            Signs(),
            lambda _: Issuers(known),
            lambda _: {A: ANA},
            lambda: self.kills,
        )
        rules = Rules((sample_rules.rule(),))
        self.exchanges.swap(InForce(rules, {"gh": pinned}))

    def shown(self, jti: str = "j1", kid: str = "k1") -> Shown:
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
        return Shown(request, KEY)

    def prepared(self) -> Prepared:
        (made,) = self.exchanges.prepare_all((self.shown(),), NOW)
        assert isinstance(made, Prepared), made
        return made


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_what_is_prepared_is_on_no_record_until_it_is_committed(stage: Stage) -> None:
    made = stage.prepared()
    assert stage.control.delegation(made.minting.delegation.id) is None
    outcome = stage.exchanges.finish(made, stage.control.commit(made.exchange, NOW))
    assert outcome.token == made.token
    assert stage.control.delegation(made.minting.delegation.id) is not None
    assert outcome.record.jti == made.exchange.token.jti  # type: ignore[union-attr]


def test_the_whole_story_is_its_parts(stage: Stage) -> None:
    first = stage.exchanges.exchange(stage.shown(), NOW)
    assert first.token
    again = stage.exchanges.exchange(stage.shown(), NOW)
    assert again.refusal is not None
    assert (again.token, again.refusal.reason) == ("", "seen")


def test_of_several_at_once_each_comes_to_what_it_would_have_come_to_alone(
    tmp_path: Path,
) -> None:
    def mixed(stage: Stage) -> list[Shown]:
        good = stage.shown()
        away = replace(good.request, audience="https://elsewhere.example")
        return [
            good,
            stage.shown("j2", kid="k9"),
            replace(stage.shown("j3"), request=away),
            good,
            stage.shown("j4"),
        ]

    alone = Stage(tmp_path / "alone")
    together = Stage(tmp_path / "together")
    one_by_one = [_told(alone, each) for each in mixed(alone)]
    at_once = together.exchanges.exchange_all(mixed(together), NOW)
    assert [_spelled(each) for each in at_once] == one_by_one
    assert one_by_one == ["given", "KeyUnknown", "audience", "seen", "given"]


def test_one_story_that_fails_is_the_only_one_that_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stage.exchanges._verifying.find

    def find(shown: Shown, *rest: Any) -> None:
        if shown is failing:
            raise ZeroDivisionError
        whole(shown, *rest)

    failing = stage.shown("j2")
    monkeypatch.setattr(stage.exchanges._verifying, "find", find)
    asked = [stage.shown("j1"), failing, stage.shown("j3")]
    told = stage.exchanges.exchange_all(asked, NOW)
    assert [_spelled(each) for each in told] == ["given", "ZeroDivisionError", "given"]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ((DONE, ControlUnavailable("away")), ["given", "control"]),
        ((IdTaken("taken"), DONE), ["IdTaken", "given"]),
        (ControlUnavailable("away"), ["control", "control"]),
        (ZeroDivisionError(), ["ZeroDivisionError", "ZeroDivisionError"]),
    ],
)
def test_each_is_told_what_became_of_its_commit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answers: Any, told: list[str]
) -> None:
    def commit_all(exchanges: Sequence[Exchange], now: float) -> Any:
        assert len(exchanges) == 2
        if isinstance(answers, Exception):
            raise answers
        return answers

    monkeypatch.setattr(stage.control, "commit_all", commit_all)
    asked = [stage.shown("j1"), stage.shown("j2")]
    found = stage.exchanges.exchange_all(asked, NOW)
    assert [_spelled(each) for each in found] == told


def test_one_thing_shown_many_times_at_once_is_good_once(stage: Stage) -> None:
    told = stage.exchanges.exchange_all([stage.shown()] * 99, NOW)
    spelled = [_spelled(each) for each in told]
    assert (spelled.count("given"), spelled.count("seen")) == (1, 98)


def _told(stage: Stage, shown: Shown) -> str:
    try:
        return _spelled(stage.exchanges.exchange(shown, NOW))
    except KeyUnknown as unknown:
        return _spelled(unknown)


def _spelled(told: Outcomes | Exception) -> str:
    if isinstance(told, Exception):
        return type(told).__name__
    return told.refusal.reason if told.refusal else "given"


@pytest.mark.parametrize(
    ("committed", "error", "reason"),
    [
        (None, OAuthError.TEMPORARILY_UNAVAILABLE, "control"),
        (Committed(Outcome.SEEN), OAuthError.INVALID_GRANT, "seen"),
        (Committed(Outcome.PERHAPS_SEEN), OAuthError.INVALID_GRANT, "perhaps-seen"),
        (Committed(Outcome.TICKET), OAuthError.INVALID_GRANT, "ticket"),
        (Committed(Outcome.DEAD), OAuthError.INVALID_GRANT, "dead"),
    ],
)
def test_what_was_not_committed_gives_nothing(
    stage: Stage, committed: Committed | None, error: OAuthError, reason: str
) -> None:
    outcome = stage.exchanges.finish(stage.prepared(), committed)
    refused(outcome, error, reason)


KILLED: list[Callable[[Prepared], str]] = [
    lambda made: made.minting.delegation.agent,
    lambda made: made.minting.delegation.owner,
    lambda made: f"rule:{made.minting.delegation.rule}",
    lambda made: f"run:{made.minting.delegation.id}",
]


@pytest.mark.parametrize("named", KILLED, ids=["agent", "owner", "rule", "run"])
def test_a_kill_between_decision_and_answer_lets_nothing_out(
    stage: Stage, named: Callable[[Prepared], str]
) -> None:
    made = stage.prepared()
    stage.kills = frozenset({named(made)})
    refused(stage.exchanges.finish(made, DONE), OAuthError.INVALID_GRANT, "killed")


def refused(outcome: Outcomes, error: OAuthError, reason: str) -> None:
    assert outcome.refusal is not None
    assert (outcome.token, outcome.minting) == ("", None)
    assert (outcome.refusal.error, outcome.refusal.reason) == (error, reason)
    assert outcome.record.error == error.value
