"""What a gateway gets for the server that a call goes to, and what nobody else gets."""

from dataclasses import replace

import pytest

from answerable.federation.denials import DenialReason
from answerable.federation.token_exchange_decision import (
    TokenGrantDecision,
    decide_exchange,
)
from answerable.model.token_claims import Confirmation
from answerable.model.token_request import TokenRequestRefusal
from answerable.model.trust_rule import RequiredBinding, TokenGrant
from tests.federation.sample_rules import (
    AUDIENCES,
    BOTH,
    GATEWAY,
    IDS,
    KEY,
    MTLS,
    NOTHING,
    NOW,
    asked,
    chain_of,
    fitting,
    ours,
    rule,
    standing,
)

SERVER = AUDIENCES[1]
AT_GATEWAY = TokenGrant(GATEWAY, ("r",))


def answer(
    bind: RequiredBinding = RequiredBinding.BEARER,
    *,
    gateway: bool = True,
    shown: Confirmation = NOTHING,
) -> TokenGrantDecision | TokenRequestRefusal:
    """Ask for the token of a server that stands behind the gateway."""
    grant = TokenGrant(SERVER, ("r",), bind=bind, gateway=True)
    rules = rule("r1", None, AT_GATEWAY, grant)
    world = standing(rules, gateways=frozenset({GATEWAY}))
    request = asked(ours(chain_of(rules)), shown=shown, audience=SERVER)
    return decide_exchange(replace(request, gateway=gateway), world, IDS, NOW)


def test_it_is_bound_to_nothing_of_the_callers_and_in_the_callers_name() -> None:
    given = answer()
    assert isinstance(given, TokenGrantDecision)
    assert given.cnf == NOTHING
    assert given.delegation.id == "1" * 32
    assert "cnf" not in given.claims


@pytest.mark.parametrize("shown", [KEY, BOTH])
def test_whoever_holds_the_delegation_does_not_get_it(shown: Confirmation) -> None:
    given = answer(gateway=False, shown=shown)
    assert isinstance(given, TokenRequestRefusal)
    assert given.reason == DenialReason.AUDIENCE


@pytest.mark.parametrize(
    ("bind", "shown"),
    [(RequiredBinding.DPOP, Confirmation("g" * 43)), (RequiredBinding.MTLS, MTLS)],
)
def test_where_it_is_bound_it_is_to_the_gateways_own_key(
    bind: RequiredBinding, shown: Confirmation
) -> None:
    given = answer(bind, shown=shown)
    assert isinstance(given, TokenGrantDecision)
    assert given.cnf == shown
    refused = answer(bind)
    assert isinstance(refused, TokenRequestRefusal)
    assert refused.reason == DenialReason.BINDING


def test_a_gateway_gets_nothing_for_what_was_not_shown_to_it() -> None:
    grant = TokenGrant(SERVER, ("r",), bind=RequiredBinding.BEARER, gateway=True)
    rules = rule("r1", None, AT_GATEWAY, grant)
    held = ours(chain_of(rules))
    elsewhere = replace(held, claims=replace(held.claims, aud=SERVER))
    for subject in (elsewhere, fitting(rules)):
        for gateways in (frozenset({GATEWAY}), frozenset[str]()):
            world = standing(rules, gateways=gateways)
            request = replace(asked(subject, audience=SERVER), gateway=True)
            refused = decide_exchange(request, world, IDS, NOW)
            assert isinstance(refused, TokenRequestRefusal)
            assert refused.reason == DenialReason.NOT_A_CALL
