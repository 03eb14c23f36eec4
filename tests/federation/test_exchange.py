"""Security tests 12, 13 and 14 at the exchange: whose token, for whom, bound to what."""

import json
from dataclasses import replace
from typing import Any

import pytest

from answerable.federation.delegation_source import OwnToken
from answerable.federation.delegations import ATTESTED_LIFETIME
from answerable.federation.denials import DenialReason
from answerable.federation.token_claims import MAX_TOKEN
from answerable.federation.token_exchange_decision import FreshIds, decide_exchange
from answerable.model.token_claims import Confirmation, TokenType
from answerable.model.token_request import GrantType, OAuthError, TokenRequestRefusal
from answerable.model.trust_rule import (
    GrantedTokenKind,
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RequiredBinding,
    TokenGrant,
)
from tests.federation.sample_requests import (
    BOT,
    JAG,
    TOKEN,
    WORLD,
    given,
    person,
    refused,
)
from tests.federation.sample_rules import (
    ANA,
    AUDIENCES,
    BEN,
    BOTH,
    IDS,
    KEY,
    MTLS,
    NOTHING,
    NOW,
    OTHER,
    OWNERS,
    URL,
    A,
    B,
    C,
    asked,
    chain_of,
    launched,
    ours,
    peer,
    rule,
    signed,
    standing,
)
from tests.sts.login.fake_provider import UNVERIFIED


def test_a_workload_gets_a_token_in_the_agents_name() -> None:
    found = given(asked(TOKEN))
    assert found.claims == {
        "iss": URL,
        "sub": A,
        "aud": AUDIENCES[0],
        "client_id": A,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 600,
        "jti": IDS.token,
        "scope": "r w",
        "cnf": {"jkt": KEY.jkt},
        "answerable": {
            "agent": A,
            "instance": "token:" + TOKEN.token_sha256.hex(),
            "owner": ANA,
            "rule": "r1",
            "rule_hash": BOT.digest,
            "dlg": IDS.delegation,
            "depth": 1,
            "attest": "issuer",
        },
    }
    assert (found.typ, found.opens, found.under) == ("at+jwt", True, "")
    assert found.used == (("issuer", "gh"), ("repository_id", "1"))
    link = found.delegation
    assert (link.depth, link.root, link.actors) == (1, link.id, ())
    # Nothing outlives what it rests on.
    assert link.expires == TOKEN.exp


def test_a_token_is_good_for_as_long_as_what_it_rests_on() -> None:
    short = signed({"repository_id": "1"}, exp=NOW + 20)
    assert given(asked(short)).expires == NOW + 20
    # Within the skew of the clocks it was verified, and there is nothing left of it.
    refused(DenialReason.EXPIRED, asked(signed({"repository_id": "1"}, exp=NOW)))


@pytest.mark.parametrize(
    ("changes", "why", "error"),
    [
        (
            {"audience": "https://u.example/"},
            DenialReason.AUDIENCE,
            OAuthError.INVALID_TARGET,
        ),
        (
            {"audience": "HTTPS://U.example"},
            DenialReason.AUDIENCE,
            OAuthError.INVALID_TARGET,
        ),
        ({"audience": URL}, DenialReason.AUDIENCE, OAuthError.INVALID_TARGET),
        ({"scopes": ("admin",)}, DenialReason.SCOPE_BEYOND, OAuthError.INVALID_SCOPE),
        ({"scopes": ("r", "R")}, DenialReason.SCOPE_BEYOND, OAuthError.INVALID_SCOPE),
        (
            {"requested_type": TokenType.ID_JAG},
            DenialReason.AUDIENCE,
            OAuthError.INVALID_TARGET,
        ),
    ],
)
def test_what_no_grant_gives_is_refused_and_not_cut(
    changes: Any, why: DenialReason, error: OAuthError
) -> None:
    assert refused(why, asked(TOKEN, **changes)).error is error
    assert given(asked(TOKEN, audience="", scopes=("w",))).claims["scope"] == "w"


def test_a_disabled_issuer_rule_agent_or_owner_gives_nothing(
    counted: list[str],
) -> None:
    """Security test 14."""
    for name in ("issuer:gh", "rule:r1", A, ANA):
        refused_by = standing(BOT, kills=frozenset({name}))
        why = (
            DenialReason.ISSUER_DISABLED if name == "issuer:gh" else DenialReason.KILLED
        )
        refused(why, asked(TOKEN), refused_by)
        counted.append(name)
    chain = chain_of(BOT, B, C)
    names = (A, B, C, ANA, "rule:r1", "process:b/100/5", "ticket:2")
    for name in (*names, *(f"run:{link.id}" for link in chain)):
        killed = standing(BOT, kills=frozenset({name}))
        refused(DenialReason.KILLED, asked(ours(chain)), killed)
        counted.append(name)
    for agent in (A, B, C):
        left = {each: who for each, who in OWNERS.items() if each != agent}
        refused(DenialReason.NO_OWNER, asked(ours(chain)), standing(BOT, owners=left))
        other = {**OWNERS, agent: BEN}
        refused(
            DenialReason.OWNER_CHANGED, asked(ours(chain)), standing(BOT, owners=other)
        )
        counted += ["no owner", "another owner"]
    refused(DenialReason.NO_RULE, asked(TOKEN), standing())
    refused(DenialReason.ISSUER_DISABLED, asked(TOKEN), standing(BOT, issuers={}))
    changed = standing(replace(BOT, digest="0" * 64))
    refused(DenialReason.RULE_CHANGED, asked(ours(chain)), changed)
    counted += ["no rule", "no issuer", "another rule"]


def test_two_rules_that_fit_are_none() -> None:
    refused(DenialReason.AMBIGUOUS, asked(TOKEN), standing(BOT, rule("r2")))


def test_a_persons_token_alone_gives_nothing() -> None:
    fits = rule("r1", IssuedSubject("corp", ((("sub",), "u-1"),)))
    refused(DenialReason.PERSON_ALONE, asked(person()), standing(fits))


def test_an_agent_acts_for_a_person_who_signed_in() -> None:
    held = ours(chain_of(BOT))
    found = given(asked(person(), held))
    assert found.claims["sub"] == ANA
    assert found.claims["act"] == {"sub": A, "iss": URL, "entity": A}
    link = found.delegation
    assert (link.parent, link.depth) == (held.chain[0].id, 2)
    assert (found.under, found.expires) == (held.chain[0].id, NOW + 300)
    # Its own delegation is not another agent's to act for a person with.
    refused(DenialReason.ACTOR, asked(person(), ours(chain_of(BOT, B))))
    refused(DenialReason.OTHER_KEY, asked(person(), held, OTHER))
    refused(DenialReason.PERSON_ALONE, asked(person()))
    refused(DenialReason.ACTOR, asked(TOKEN, held))
    refused(DenialReason.ACTOR, asked(peer(), held))


@pytest.mark.parametrize(
    "payload",
    [
        *({"email_verified": value} for value in UNVERIFIED),
        {"email": "\u212aim@example.com"},
        {"email": ["ana@example.com"]},
        {"email": "\u0430na@example.com"},
        {"email": "ana\n@example.com"},
        {"email": ""},
    ],
)
def test_who_is_no_certain_person_is_nobody(payload: Any) -> None:
    refused(DenialReason.NO_PERSON, asked(person(payload=payload), ours(chain_of(BOT))))


def test_people_count_where_the_rule_says_so() -> None:
    alone = rule()
    world = standing(alone)
    refused(DenialReason.NOT_ON_BEHALF, asked(person(), ours(chain_of(alone))), world)


def test_a_launched_agent_acts_for_the_person_at_the_terminal() -> None:
    home = rule("home", LaunchedSubject(1000, ANA))
    world = standing(home)
    found = given(asked(launched()), world)
    assert (found.claims["sub"], found.delegation.actors) == (ANA, (A,))
    assert found.delegation.run == "run:0a"
    assert found.delegation.expires == NOW + ATTESTED_LIFETIME
    ours_now = found.claims["answerable"]
    assert isinstance(ours_now, dict)
    assert ours_now["attest"] == "launcher"
    for other in ({"uid": 0}, {"started_by": 1001}, {"agent": B}):
        refused(DenialReason.NO_RULE, asked(launched(**other)), world)
    refused(DenialReason.NO_RULE, asked(peer(uid=1500)), world)


def test_a_peer_acts_for_a_person_who_signed_in() -> None:
    local = rule("local", PeerSubject(1000), on_behalf_of=("corp",))
    found = given(asked(person(), peer()), standing(local))
    assert (found.claims["sub"], found.delegation.parent) == (ANA, "")
    assert found.delegation.expires == NOW + 300


def test_a_client_that_names_itself_is_the_one_its_assertion_is_of() -> None:
    grant = {"grant_type": GrantType.CLIENT_CREDENTIALS}
    for named in ("", TOKEN.sub, A):
        found = given(asked(TOKEN, client_id=named, **grant))
        assert found.claims["client_id"] == A
    for named in ("other", B, f"{A} ", A.upper()):
        refused(DenialReason.CLIENT, asked(TOKEN, client_id=named, **grant))
        # Elsewhere it is what a client calls itself.
        assert given(asked(TOKEN, client_id=named))


def test_a_token_of_ours_is_no_client_assertion() -> None:
    held = ours(chain_of(BOT))
    assert given(asked(held))
    refused(DenialReason.CLIENT, asked(held, grant_type=GrantType.CLIENT_CREDENTIALS))


def test_an_id_jag_is_taken_in_the_name_of_its_client() -> None:
    cross = rule("cross", JAG, on_behalf_of=("corp",))
    person = {"email": "ana@example.com", "email_verified": True}
    payload = {"client_id": "cli", **person}
    jag = signed(payload, "corp", token_type=TokenType.ID_JAG)
    found = given(asked(jag, client_id="cli"), standing(cross))
    assert (found.claims["sub"], found.claims["client_id"]) == (ANA, A)
    assert given(asked(jag), standing(cross)).delegation.actors == (A,)
    refused(DenialReason.CLIENT, asked(jag, client_id="other"), standing(cross))
    refused(DenialReason.NOT_ON_BEHALF, asked(jag), standing(rule("cross", JAG)))
    bound = replace(jag, cnf=OTHER)
    refused(DenialReason.OTHER_KEY, asked(bound), standing(cross))


def test_an_id_jag_is_given_for_the_service_of_its_audience() -> None:
    grant = TokenGrant(
        "https://as.example", ("files",), 300, gives=GrantedTokenKind.ID_JAG
    )
    both = rule("r1", None, grant, TokenGrant(AUDIENCES[0], ("r",)))
    wanted = {"requested_type": TokenType.ID_JAG, "audience": "https://as.example"}
    found = given(asked(TOKEN, **wanted), standing(both))
    assert found.typ == "oauth-id-jag+jwt"
    assert found.claims["aud"] == "https://as.example"
    assert "answerable" not in found.claims
    assert found.expires == NOW + 300
    refused(
        DenialReason.AUDIENCE,
        asked(TOKEN, audience="https://as.example"),
        standing(both),
    )


@pytest.mark.parametrize(
    ("bind", "shown", "cnf"),
    [
        (RequiredBinding.DPOP, KEY, {"jkt": KEY.jkt}),
        (RequiredBinding.DPOP, BOTH, {"jkt": KEY.jkt}),
        (RequiredBinding.DPOP, MTLS, None),
        (RequiredBinding.DPOP, NOTHING, None),
        (RequiredBinding.MTLS, MTLS, {"x5t#S256": MTLS.x5t_s256}),
        (RequiredBinding.MTLS, BOTH, {"jkt": KEY.jkt, "x5t#S256": MTLS.x5t_s256}),
        (RequiredBinding.MTLS, KEY, None),
        (RequiredBinding.BEARER, NOTHING, {}),
        (RequiredBinding.BEARER, KEY, {"jkt": KEY.jkt}),
        (RequiredBinding.BEARER, MTLS, {"x5t#S256": MTLS.x5t_s256}),
    ],
)
def test_a_token_is_bound_as_the_grant_asks_and_never_less(
    bind: RequiredBinding, shown: Confirmation, cnf: dict[str, str] | None
) -> None:
    """Security test 12, as far as the exchange goes: no way down from a bound token."""
    world = standing(rule("r1", None, TokenGrant(AUDIENCES[0], (), 300, bind)))
    if cnf is None:
        refused(DenialReason.BINDING, asked(TOKEN, shown=shown), world)
    else:
        assert given(asked(TOKEN, shown=shown), world).claims.get("cnf", {}) == cnf


def test_a_delegation_that_is_bound_to_nothing_gives_nothing_bound() -> None:
    grants = (
        TokenGrant(AUDIENCES[0], (), 300, RequiredBinding.BEARER),
        TokenGrant(AUDIENCES[1], (), 300, RequiredBinding.DPOP),
    )
    made = rule("r1", None, *grants)
    held = ours(chain_of(made, cnf=NOTHING))
    world = standing(made)
    assert "cnf" not in given(asked(held, shown=KEY), world).claims
    # Whoever has the token could have shown a key of theirs.
    refused(DenialReason.BINDING, asked(held, shown=KEY, audience=AUDIENCES[1]), world)


def test_our_own_token_is_renewed_under_its_delegation_alone() -> None:
    chain = chain_of(BOT)
    found = given(asked(ours(chain)))
    assert (found.opens, found.under) == (False, chain[0].id)
    assert found.delegation == chain[0]
    refused(DenialReason.OTHER_KEY, asked(ours(chain), shown=OTHER))
    refused(DenialReason.EXPIRED, asked(ours(chain)), now=chain[0].expires)
    late = given(asked(ours(chain)), now=chain[0].expires - 5)
    assert late.expires == chain[0].expires


def test_a_foreign_token_that_is_bound_asks_for_its_key() -> None:
    bound = signed({"repository_id": "1"}, cnf=KEY)
    assert given(asked(bound))
    refused(DenialReason.OTHER_KEY, asked(bound, shown=OTHER))
    refused(DenialReason.OTHER_KEY, asked(replace(bound, cnf=BOTH), shown=KEY))


def test_our_own_token_is_no_workload_and_a_workload_no_token_of_ours() -> None:
    """Security test 13, as far as the exchange goes."""
    own = ours(chain_of(BOT)).claims
    refused(DenialReason.ISSUER_DISABLED, asked(own))
    refused(DenialReason.NOT_THE_RECORD, asked(OwnToken(TOKEN, chain_of(BOT))))


def test_a_token_has_at_most_4096_characters() -> None:
    scopes = tuple(f"scope-{number:04}" for number in range(400))
    many = standing(rule("r1", None, TokenGrant(AUDIENCES[0], scopes)))
    refused(DenialReason.TOO_LARGE, asked(TOKEN), many)
    some = given(asked(TOKEN, scopes=scopes[:150]), many)
    payload = len(json.dumps(some.claims, separators=(",", ":")))
    assert payload * 4 // 3 + 256 < MAX_TOKEN


def test_an_error_is_a_refusal() -> None:
    found = decide_exchange(asked(TOKEN), None, FreshIds("", ""), NOW)  # type: ignore[arg-type]
    assert isinstance(found, TokenRequestRefusal)
    assert (found.error, found.reason) == (
        OAuthError.SERVER_ERROR,
        DenialReason.EVALUATION,
    )


def test_no_refusal_says_a_value_that_was_shown(counted: list[str]) -> None:
    secret = "s3cret-value"
    for wanted in (
        asked(signed({"repository_id": secret})),
        asked(TOKEN, audience=secret),
        asked(TOKEN, scopes=(secret,)),
        asked(person(payload={"email": secret + "\n"}), ours(chain_of(BOT))),
        asked(ours(chain_of(BOT), sub=secret)),
    ):
        found = decide_exchange(wanted, WORLD, IDS, NOW)
        assert isinstance(found, TokenRequestRefusal)
        assert secret not in repr(found)
        counted.append(found.reason)
