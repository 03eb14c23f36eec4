"""JWT-SVIDs: found by the trust domain of their `sub`, and judged by their end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.federation.claim_parsing import CLOCK_SKEW
from answerable.federation.spiffe_id import is_trust_domain, parse_trust_domain
from answerable.federation.token_errors import TokenExpired, TokenFault, UnknownKey
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    validate_issuer,
)
from answerable.model.errors import UsageError
from answerable.model.token_claims import SignedClaims, TokenType
from tests.federation.sample_tokens import (
    AUD,
    EC,
    GOOD,
    ISS,
    NOW,
    OTHER_EC,
    issuer,
    key_set,
    public,
    refused,
    sign,
    verify_sample,
)

DOMAIN = "spiffe://example.org"
SVID = (TokenType.JWT_SVID,)
OTHERS = key_set(public(OTHER_EC, kid="k2"))


def pin(iss: str = DOMAIN, name: str = "domain", **changes: Any) -> Any:
    return issuer(iss=iss, name=name, token_types=SVID, max_ttl=600, **changes)


ISSUERS = IssuerIndex(
    IssuerWithKeys(pin(), AUD, GOOD),
    IssuerWithKeys(pin("spiffe://other.org", "other"), AUD, OTHERS),
    IssuerWithKeys(issuer(), AUD, GOOD),
)


def svid(head: Any = None, key: Any = EC, **changes: Any) -> str:
    facts = {"sub": DOMAIN + "/ns/a/sa/b", "aud": AUD, "exp": NOW + 300}
    payload = {k: v for k, v in (facts | changes).items() if v is not ...}
    return sign(head or {"alg": "ES256", "kid": "k1"}, payload, key)


def taken(token: str, now: int = NOW) -> SignedClaims:
    return verify_sample(token, ISSUERS, now=now, token_type=TokenType.JWT_SVID)


def refuse(reason: TokenFault, token: str, now: int = NOW) -> None:
    refused(reason, token, issuers=ISSUERS, now=now, token_type=TokenType.JWT_SVID)


def test_the_least_that_an_svid_may_say_is_enough() -> None:
    found = taken(svid())
    assert (found.issuer, found.iss) == ("domain", DOMAIN)
    assert (found.sub, found.aud) == (DOMAIN + "/ns/a/sa/b", AUD)
    assert (found.exp, found.jti, found.unchecked) == (NOW + 300, "", ())
    # Before that moment too much of its life was left, and nobody took it.
    assert found.iat == NOW + 300 - 600
    for typ in ("JWT", "jose", "JOSE"):
        assert taken(svid({"alg": "ES256", "kid": "k1", "typ": typ}))


def test_its_life_is_judged_by_its_end() -> None:
    assert taken(svid(exp=NOW + 600 + CLOCK_SKEW))
    refuse(TokenFault.LIFETIME, svid(exp=NOW + 600 + CLOCK_SKEW + 1))
    # A longer life of which little is left is as good as a short one.
    assert taken(svid(iat=NOW - 90_000)).iat == NOW - 300
    assert taken(svid(iat=NOW + CLOCK_SKEW))
    refuse(TokenFault.NOT_YET, svid(iat=NOW + CLOCK_SKEW + 1))
    refuse(TokenFault.NOT_YET, svid(nbf=NOW + CLOCK_SKEW + 1))
    refuse(TokenFault.LIFETIME, svid(iat=NOW + 300))
    assert taken(svid(), NOW + 300 + CLOCK_SKEW - 1)
    with pytest.raises(TokenExpired):
        taken(svid(), NOW + 300 + CLOCK_SKEW)


@pytest.mark.parametrize("time", [1.5, "1800000300", True, -1, None, 1e308])
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_a_time_is_whole_seconds(name: str, time: Any) -> None:
    refuse(TokenFault.CLAIM_TYPE, svid(**{name: time}))


def test_a_domains_keys_sign_for_that_domain_alone() -> None:
    other = svid({"alg": "ES256", "kid": "k2"}, OTHER_EC, sub="spiffe://other.org/x")
    assert taken(other).issuer == "other"
    # Whatever it says of itself as `iss`, its subject's domain decides.
    with pytest.raises(UnknownKey):
        taken(svid({"alg": "ES256", "kid": "k2"}, OTHER_EC))
    with pytest.raises(UnknownKey):
        taken(svid({"alg": "ES256", "kid": "k2"}, OTHER_EC, iss="spiffe://other.org"))
    refuse(TokenFault.SIGNATURE, svid(key=OTHER_EC))
    assert "iss" in taken(svid(iss="https://anything.example")).unchecked


@pytest.mark.parametrize(
    "sub",
    [
        ISS,
        "spiffe://",
        "spiffe://example.org",
        "spiffe://example.org/",
        "spiffe://example.org/a/",
        "spiffe://example.org//a",
        "spiffe://example.org/a/../b",
        "spiffe://example.org/./a",
        "spiffe://example.org/a%2fb",
        "spiffe://example.org/a?b",
        "spiffe://example.org/a#b",
        "spiffe://example.org/\u0430",
        "spiffe://Example.org/a",
        "SPIFFE://example.org/a",
        "spiffe://example.org:443/a",
        "spiffe://user@example.org/a",
        "spiffe://example.org.evil/a",
        "spiffe://example.org\\/a",
        " spiffe://example.org/a",
        "spiffe://example.org/a\n",
        "spiffe://example.org/" + "a" * 2048,
        7,
        None,
        ["spiffe://example.org/a"],
    ],
)
def test_what_is_no_workload_of_the_domain_is_refused(sub: Any) -> None:
    refuse(TokenFault.ISSUER, svid(sub=sub))


def test_no_type_is_taken_for_another() -> None:
    """Security test 13."""
    token = {"alg": "ES256", "kid": "k1"}
    for head in (token | {"typ": "at+jwt"}, token | {"typ": "oauth-id-jag+jwt"}):
        refuse(TokenFault.TYP, svid(head))
    for claim in ("scope", "client_id", "nonce", "htm", "events"):
        refuse(TokenFault.CLAIM_FORBIDDEN, svid(**{claim: "x"}))
    for each in TokenType:
        if each is not TokenType.JWT_SVID:
            said = svid(iss=DOMAIN, iat=NOW)
            refused(TokenFault.TOKEN_TYPE, said, issuers=ISSUERS, token_type=each)
    # A platform's token whose subject looks like an SVID is none of the domain's.
    refused(TokenFault.ISSUER, svid(iat=NOW), issuers=ISSUERS, token_type=TokenType.JWT)


@pytest.mark.parametrize("aud", [..., [], "x", [AUD, "x"], AUD + "/", AUD.upper(), 7])
def test_its_one_audience_is_ours(aud: Any) -> None:
    reason = TokenFault.CLAIM_MISSING if aud is ... else TokenFault.AUDIENCE
    refuse(reason, svid(aud=aud))


def test_a_pin_of_a_trust_domain_is_one() -> None:
    validate_issuer(pin())
    for iss in ("spiffe://", "spiffe://A", "spiffe://a/b", "spiffe://a:1", ISS):
        with pytest.raises(UsageError):
            validate_issuer(pin(iss))
    with pytest.raises(UsageError):
        validate_issuer(issuer(iss=DOMAIN))
    with pytest.raises(UsageError):
        validate_issuer(issuer(iss=DOMAIN, token_types=(*SVID, TokenType.JWT)))


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_trust_domain_is_the_first_part_or_nothing(domain: str, path: str) -> None:
    found = parse_trust_domain(f"spiffe://{domain}/{path}")
    assert found in ("", f"spiffe://{domain.partition('/')[0]}")
    assert not found or is_trust_domain(found)
