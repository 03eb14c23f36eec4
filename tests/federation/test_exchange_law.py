"""The exchange against its slow twin, and what no kill and no loss may ever open."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from answerable.federation import (
    delegation_source,
    delegations,
    token_exchange_decision,
)
from answerable.federation.denials import DenialReason
from answerable.federation.token_exchange_decision import (
    TokenGrantDecision,
    decide_exchange,
)
from answerable.federation.trust_rules import matching, rule_index
from answerable.model.token_request import TokenRequestRefusal
from tests.federation.random_requests import ExchangeCase, cases, some_case
from tests.federation.sample_rules import AGENTS, IDS, NOW
from tests.reference.federation.token_exchange import expected_claims as meant

SHRUNK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
Plant = Callable[[pytest.MonkeyPatch], None]
MANY = 2_000
SEED = 20261125


def compare(case: ExchangeCase) -> str:
    """Hold both answers equal, and name the one."""
    found = decide_exchange(case.asked, case.standing, IDS, NOW)
    said = meant(case.asked, case.standing, IDS, NOW)
    claims = dict(found.claims) if isinstance(found, TokenGrantDecision) else None
    assert claims == said, (found, case)
    return found.reason if isinstance(found, TokenRequestRefusal) else "given"


@SHRUNK
@given(cases())
def test_the_exchange_gives_what_is_meant(case: ExchangeCase) -> None:
    assert compare(case) != DenialReason.EVALUATION


def test_the_exchange_gives_what_is_meant_many_times(counted: list[str]) -> None:
    generator = random.Random(SEED)  # noqa: S311 - cases, not keys
    counted += [compare(some_case(generator.choice)) for _ in range(MANY)]
    assert counted.count("given") > MANY // 40
    # Everything that can be refused here was, and nothing by accident.
    elsewhere = {
        DenialReason.SIZE,
        DenialReason.FORM,
        DenialReason.DUPLICATE_PARAMETER,
        DenialReason.GRANT_TYPE,
    }
    elsewhere |= {
        DenialReason.PARAMETER,
        DenialReason.TOKEN_TYPE,
        DenialReason.SCOPE,
        DenialReason.TTL,
        DenialReason.TOO_LARGE,
    }
    elsewhere |= {
        DenialReason.OTHER_ACCOUNT
    }  # told by what was seen before, not by the rules
    assert {*counted} == {"given", *DenialReason} - elsewhere - {
        DenialReason.EVALUATION
    }


def test_a_kill_or_a_lost_owner_only_ever_makes_stricter(counted: list[str]) -> None:
    generator = random.Random(SEED + 1)  # noqa: S311 - cases, not keys
    for _ in range(MANY // 4):
        case = some_case(generator.choice)
        world = case.standing
        before = decide_exchange(case.asked, world, IDS, NOW)
        agent = generator.choice(AGENTS)
        owners = {each: who for each, who in world.owners.items() if each != agent}
        for less in (
            replace(world, kills=world.kills | {agent}),
            replace(world, owners=owners),
            replace(world, rules=rule_index.RuleIndex()),
            replace(world, issuers={}, rules=world.rules),
        ):
            after = decide_exchange(case.asked, less, IDS, NOW)
            if isinstance(after, TokenGrantDecision):
                assert after == before
            counted.append(type(after).__name__)


def _no_owner(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(token_exchange_decision, "check_chain_in_force", lambda *_: None)


def _no_cycle(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delegation_source, "check_delegation_allowed", lambda *_: None)


def _no_chain(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delegation_source, "check_delegation_chain", lambda *_: None)


def _loose_equality(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(matching, "are_equal_with_type", lambda one, other: one == other)


def _greedy_star(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        matching,
        "matches_anchored_glob",
        lambda pattern, text: text.startswith(pattern[:4]),
    )


def _wider_scopes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        token_exchange_decision, "scopes_for_audience", lambda *_: ("r", "w", "x")
    )


def _any_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        token_exchange_decision,
        "_select_token_binding",
        lambda shown, holder, bind: holder,
    )


def _wider_part(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        delegations,
        "_intersect_with_parent",
        lambda parent, _: (parent.audiences, parent.scopes),
    )


def _longer_life(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(token_exchange_decision, "max_ttl_for_audience", lambda *_: 600)


# Of the cases in which each is found soon.
PLANTS = {
    _no_owner: SEED,
    _no_cycle: SEED,
    _no_chain: SEED,
    _loose_equality: SEED + 18,
    _greedy_star: SEED,
    _wider_scopes: SEED,
    _any_key: SEED,
    _wider_part: SEED,
    _longer_life: SEED,
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_mistake_is_found(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    generator = random.Random(PLANTS[plant])  # noqa: S311 - cases, not keys
    with pytest.raises(AssertionError):
        all(compare(some_case(generator.choice)) for _ in range(16_000))
