"""Requests in one small world, and what is expected of them."""

from dataclasses import replace
from typing import Any

from answerable.federation.delegation_source import Asked
from answerable.federation.delegations import Portion, ticket_of
from answerable.federation.denials import Why
from answerable.federation.token_exchange import Minting, decide
from answerable.federation.trust_state import Standing
from answerable.model.claims import TokenType
from answerable.model.delegation import Ticket
from answerable.model.exchange import Refusal
from answerable.model.trust_rule import IssuedSubject
from tests.federation.sample_rules import (
    IDS,
    KEY,
    NOW,
    B,
    C,
    D,
    E,
    F,
    rule,
    signed,
    standing,
)

BOT = rule(delegate_to=(B, C, D, E, F), on_behalf_of=("corp",))
WORLD = standing(BOT)
TOKEN = signed({"repository_id": "1"})
JAG = IssuedSubject("corp", ((("client_id",), "cli"),))


def given(wanted: Asked, world: Standing = WORLD, now: int = NOW) -> Minting:
    found = decide(wanted, world, IDS, now)
    assert isinstance(found, Minting), found
    return found


def refused(
    why: Why, wanted: Asked, world: Standing = WORLD, now: int = NOW
) -> Refusal:
    found = decide(wanted, world, IDS, now)
    assert isinstance(found, Refusal)
    assert found.reason == why, found
    return found


def person(**facts: Any) -> Any:
    payload = {"email": "Ana@example.com", "email_verified": True, "sub": "u-1"}
    facts = {"token_type": TokenType.ID_TOKEN, "exp": NOW + 300} | facts
    return signed(payload | facts.pop("payload", {}), "corp", **facts)


def ticket(chain: Any, agent: Any = B, **changes: Any) -> Ticket:
    portion = Portion(agent, KEY.jkt, None, None, 300)
    made = ticket_of(chain[0], portion, "f" * 64, BOT, NOW)
    return replace(made, **changes)
