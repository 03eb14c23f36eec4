"""Security test 10: chains of agents, and what cannot be made of two of them."""

from dataclasses import replace

import pytest

from answerable.federation.actor_claim import parse_actors
from answerable.federation.delegation_source import OwnToken, TicketGrant
from answerable.federation.delegations import (
    TICKET_LIFETIME,
    DelegationRequest,
    issue_ticket,
)
from answerable.federation.denials import DenialReason, ExchangeDenied
from answerable.federation.token_exchange_decision import decide_exchange
from answerable.model.provenance import WrittenBy
from answerable.model.token_claims import ActChain, Actor, TokenType
from answerable.model.token_request import OAuthError, TokenRequestRefusal
from answerable.model.trust_rule import PeerSubject, RequiredBinding, TokenGrant
from tests.federation.sample_requests import (
    BOT,
    TOKEN,
    WORLD,
    given,
    person,
    refused,
    ticket,
)
from tests.federation.sample_rules import (
    ANA,
    AUDIENCES,
    IDS,
    KEY,
    MTLS,
    NOTHING,
    NOW,
    OTHER,
    URL,
    A,
    B,
    C,
    D,
    E,
    F,
    asked,
    chain_of,
    ours,
    peer,
    rule,
    standing,
)


def test_act_is_what_stands_on_record_and_nothing_that_was_shown(
    counted: list[str],
) -> None:
    """Security test 10: a forged `act`, a foreign one, in each place it could stand."""
    forged = ActChain((Actor(B), Actor(C)), WrittenBy.MEDIATOR)
    plain = given(asked(TOKEN)).claims
    for act in (forged, replace(forged, written_by=WrittenBy.SELF_REPORTED)):
        shown = replace(TOKEN, act=act, unchecked=("may_act",))
        assert given(asked(shown)).claims == plain
        counted.append("subject")
        held = ours(chain_of(BOT), act=act)
        assert "act" not in given(asked(held)).claims
        counted.append("own token")
        assert given(asked(person(act=act), held)).claims["act"] == {
            "sub": A,
            "iss": URL,
            "entity": A,
        }
        counted.append("person")
    nested = given(asked(ours(chain_of(BOT, B, C)))).claims["act"]
    assert nested == {
        "sub": C,
        "iss": URL,
        "entity": C,
        "act": {"sub": B, "iss": URL, "entity": B},
    }
    read = parse_actors({"act": nested}, is_own_token=True)
    assert [actor.sub for actor in read.actors] == [C, B]


def test_a_chain_has_four_links_and_no_circle(counted: list[str]) -> None:
    chain = chain_of(BOT, B, C)
    fourth = given(asked(TicketGrant(ticket(chain, D), chain)))
    assert (fourth.delegation.depth, fourth.claims["sub"]) == (4, A)
    whole = (fourth.delegation, *chain)
    with pytest.raises(ExchangeDenied) as caught:
        ticket(whole, E)
    assert caught.value.refusal.reason == DenialReason.DEPTH
    # A ticket that nobody could have had made.
    fifth = replace(ticket(chain, E), parent=fourth.delegation.id)
    refused(DenialReason.DEPTH, asked(TicketGrant(fifth, whole)))
    for agent in (A, B, C):
        with pytest.raises(ExchangeDenied) as caught:
            ticket(chain, agent)
        assert caught.value.refusal.reason == DenialReason.CYCLE
        again = replace(ticket(chain, D), agent=agent)
        refused(DenialReason.CYCLE, asked(TicketGrant(again, chain)))
        counted.append(agent)
    five = (replace(fourth.delegation, id="9" * 32, parent=whole[0].id), *whole)
    refused(DenialReason.DEPTH, asked(ours(five)))


def test_what_is_spliced_from_two_chains_is_refused(counted: list[str]) -> None:
    """Security test 10: subject A with ticket B, and every such mixture."""
    one, other = chain_of(BOT), chain_of(replace(BOT, agent=F), B)
    other = tuple(
        replace(link, id=link.id[::-1][:31] + "f", root="x", agent=F) for link in other
    )
    mine = ticket(one)
    for handed in (
        TicketGrant(mine, other),
        TicketGrant(replace(mine, parent=other[0].id), one),
        TicketGrant(mine, (one[0], other[0])),
        TicketGrant(mine, ()),
    ):
        found = decide_exchange(asked(handed), WORLD, IDS, NOW)
        assert isinstance(found, TokenRequestRefusal)
        counted.append("ticket")
    for held in (
        OwnToken(ours(one).claims, other),
        OwnToken(ours(other).claims, one),
        OwnToken(ours(one, sub=ANA).claims, one),
        OwnToken(ours(one, cnf=OTHER).claims, one),
        OwnToken(ours(one, issuer="gh").claims, one),
        OwnToken(ours(one, iss="https://issuer.example").claims, one),
        OwnToken(ours(one, token_type=TokenType.JWT).claims, one),
        OwnToken(ours(chain_of(BOT, B)).claims, one),
        OwnToken(ours(one).claims, (replace(one[0], parent="7" * 32),)),
        OwnToken(ours(one).claims, (replace(one[0], root="7" * 32),)),
        OwnToken(ours(one).claims, (replace(one[0], depth=2),)),
    ):
        found = refused(DenialReason.NOT_THE_RECORD, asked(held))
        assert found.error is OAuthError.INVALID_GRANT
        counted.append("own token")
        with_person = decide_exchange(asked(person(), held), WORLD, IDS, NOW)
        assert isinstance(with_person, TokenRequestRefusal)
        counted.append("actor")
    # A ticket is its own authentication: nobody else comes along.
    refused(DenialReason.ACTOR, asked(TicketGrant(mine, one), ours(other)))
    refused(DenialReason.ACTOR, asked(TicketGrant(mine, one), peer()))


def test_a_ticket_is_for_one_agent_one_key_and_a_moment() -> None:
    chain = chain_of(BOT)
    made = ticket(chain)
    assert made.expires == NOW + TICKET_LIFETIME
    found = given(asked(TicketGrant(made, chain)))
    assert (found.delegation.agent, found.ticket) == (B, made.sha256)
    assert found.delegation.cnf == KEY
    assert found.under == chain[0].id
    refused(DenialReason.OTHER_KEY, asked(TicketGrant(made, chain), shown=OTHER))
    refused(DenialReason.OTHER_KEY, asked(TicketGrant(made, chain), shown=MTLS))
    refused(
        DenialReason.OTHER_KEY,
        asked(TicketGrant(replace(made, jkt=""), chain), shown=NOTHING),
    )
    refused(DenialReason.EXPIRED, asked(TicketGrant(made, chain)), now=made.expires)
    refused(DenialReason.EXPIRED, asked(TicketGrant(made, chain)), now=chain[0].expires)
    closed = standing(rule())
    refused(DenialReason.RULE_CHANGED, asked(TicketGrant(made, chain)), closed)
    alone = rule()
    with pytest.raises(ExchangeDenied) as caught:
        issue_ticket(
            chain_of(alone)[0],
            DelegationRequest(B, "k", None, None, 9),
            "f",
            alone,
            NOW,
        )
    assert caught.value.refusal.reason == DenialReason.PAIR


@pytest.mark.parametrize(
    ("portion", "why"),
    [
        (DelegationRequest(B, "k", ("https://z",), None, 60), DenialReason.AUDIENCE),
        (DelegationRequest(B, "k", (), None, 60), DenialReason.AUDIENCE),
        (
            DelegationRequest(B, "k", None, ((AUDIENCES[0], "x"),), 60),
            DenialReason.SCOPE_BEYOND,
        ),
        (
            DelegationRequest(B, "k", None, ((AUDIENCES[1], "r"),), 60),
            DenialReason.SCOPE_BEYOND,
        ),
        (DelegationRequest(B, "", None, None, 60), DenialReason.BINDING),
        (DelegationRequest(B, "k", None, None, 0), DenialReason.TTL),
    ],
)
def test_nobody_hands_on_what_is_not_theirs(
    portion: DelegationRequest, why: DenialReason
) -> None:
    with pytest.raises(ExchangeDenied) as caught:
        issue_ticket(chain_of(BOT)[0], portion, "f" * 64, BOT, NOW)
    assert caught.value.refusal.reason == why


def test_a_bound_token_is_handed_on_by_ticket_alone() -> None:
    refused(DenialReason.TICKET_NEEDED, asked(ours(chain_of(BOT)), ours(chain_of(BOT))))
    free = rule(
        "r1",
        None,
        TokenGrant(AUDIENCES[0], ("r",), 300, RequiredBinding.BEARER),
        delegate_to=(B,),
    )
    second = rule("r2", PeerSubject(1000), agent=B)
    world = standing(free, second)
    held = ours(chain_of(free, cnf=NOTHING))
    found = given(asked(held, peer()), world)
    assert (found.delegation.agent, found.claims["sub"]) == (B, A)
    assert found.claims["cnf"] == {"jkt": KEY.jkt}
    refused(
        DenialReason.PAIR,
        asked(held, peer()),
        standing(replace(free, delegate_to=()), second),
    )
