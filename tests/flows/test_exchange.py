"""The story of an exchange: what comes between the decision and the answer."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from answerable.federate.key_set import KeySet
from answerable.federate.rules.table import Rules
from answerable.federate.verify import Issuers, KnownIssuer
from answerable.flows.attempts import Shown
from answerable.flows.exchange import Exchanges, InForce, Outcomes, Prepared
from answerable.flows.own_tokens import OwnTokens
from answerable.model.claims import TokenType
from answerable.model.exchange import GrantType, OAuthError, TokenRequest
from answerable.store.control.contract import DONE, Committed, Outcome
from answerable.store.control.sqlite import SqliteControl
from tests.federate import tokens, worlds
from tests.federate.tokens import NOW
from tests.federate.worlds import ANA, AUDIENCES, KEY, URL, A


class Signs:
    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> str:
        return f"signed.{claims['jti']}.{typ}"


class Stage:
    """A token service without its door."""

    def __init__(self, folder: Path) -> None:
        self.kills: frozenset[str] = frozenset()
        self.control = SqliteControl(folder, NOW)
        pinned = worlds.ISSUERS["gh"]
        known = KnownIssuer(pinned.pin, URL, tokens.GOOD)
        self.exchanges = Exchanges(
            URL,
            OwnTokens(URL, lambda: KeySet({}, ()), self.control, lambda: self.kills),
            self.control,
            Signs(),
            lambda _: Issuers(known),
            lambda _: {A: ANA},
            lambda: self.kills,
        )
        rules = Rules((worlds.rule(),))
        self.exchanges.swap(InForce(rules, {"gh": pinned}))

    def shown(self, jti: str = "j1") -> Shown:
        payload = {
            "iss": tokens.ISS,
            "sub": "workload",
            "aud": URL,
            "iat": NOW - 5,
            "exp": NOW + 900,
            "jti": jti,
            "repository_id": "1",
        }
        request = TokenRequest(
            grant_type=GrantType.TOKEN_EXCHANGE,
            unverified_subject=tokens.sign({"alg": "ES256", "kid": "k1"}, payload),
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
        made = self.exchanges.prepare(self.shown(), NOW)
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
