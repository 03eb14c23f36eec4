"""Requests in one small world, and what is expected of them."""

from dataclasses import replace
from typing import Any

from answerable.federation.delegation_source import VerifiedRequest
from answerable.federation.delegations import DelegationRequest, issue_ticket
from answerable.federation.denials import DenialReason
from answerable.federation.exchange_inputs import TrustState
from answerable.federation.token_exchange_decision import (
    TokenGrantDecision,
    decide_exchange,
)
from answerable.model.delegation import DelegationTicket
from answerable.model.token_claims import TokenType
from answerable.model.token_request import TokenRequestRefusal
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


def given(
    wanted: VerifiedRequest, world: TrustState = WORLD, now: int = NOW
) -> TokenGrantDecision:
    found = decide_exchange(wanted, world, IDS, now)
    assert isinstance(found, TokenGrantDecision), found
    return found


def refused(
    why: DenialReason,
    wanted: VerifiedRequest,
    world: TrustState = WORLD,
    now: int = NOW,
) -> TokenRequestRefusal:
    found = decide_exchange(wanted, world, IDS, now)
    assert isinstance(found, TokenRequestRefusal)
    assert found.reason == why, found
    return found


def person(**facts: Any) -> Any:
    payload = {"email": "Ana@example.com", "email_verified": True, "sub": "u-1"}
    facts = {"token_type": TokenType.ID_TOKEN, "exp": NOW + 300} | facts
    return signed(payload | facts.pop("payload", {}), "corp", **facts)


def ticket(chain: Any, agent: Any = B, **changes: Any) -> DelegationTicket:
    portion = DelegationRequest(agent, KEY.jkt, None, None, 300)
    made = issue_ticket(chain[0], portion, "f" * 64, BOT, NOW)
    return replace(made, **changes)
