"""Lookup of the key of a token by `kid` and issuer."""

import json

import pytest

from answerable.federation.token_errors import TokenFault, TokenRejected, UnknownKey
from answerable.federation.token_verification import IssuerIndex, IssuerWithKeys
from tests.federation.sample_tokens import (
    AUD,
    EC,
    ISSUERS,
    OTHER_EC,
    claims,
    header,
    issuer,
    key_set,
    public,
    sign,
    verify_sample,
)
from tests.federation.test_jwk_set import refused


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null",
        "/proc/self/environ",
        "k1' OR '1'='1",
        "k1; rm -rf /",
        "https://evil.example/jwks#k1",
        "K1",
        "k1 ",
        "k1\u0301",
        "0",
    ],
)
def test_a_kid_is_looked_up_and_never_followed(kid: str) -> None:
    with pytest.raises(UnknownKey):
        verify_sample(sign(header(kid=kid), claims()))


@pytest.mark.parametrize("kid", [..., "", None, 1, True, ["k1"], {}, "k1\n", "k1\0"])
def test_a_token_without_a_printable_kid_is_refused(kid: object) -> None:
    with pytest.raises(TokenRejected) as caught:
        verify_sample(sign(header(kid=kid), claims()))
    assert caught.value.reason is TokenFault.KID


def test_a_key_of_another_issuer_is_not_taken_even_under_the_same_kid() -> None:
    other = issuer(name="other", iss="https://other.example")
    both = IssuerIndex(
        *ISSUERS, IssuerWithKeys(other, AUD, key_set(public(OTHER_EC, kid="k1")))
    )
    assert verify_sample(sign(header(), claims()), both).issuer == "corp"
    theirs = claims(iss="https://other.example")
    assert verify_sample(sign(header(), theirs, OTHER_EC), both).issuer == "other"
    for payload, key in ((claims(), OTHER_EC), (theirs, EC)):
        with pytest.raises(TokenRejected) as caught:
            verify_sample(sign(header(), payload, key), both)
        assert caught.value.reason is TokenFault.SIGNATURE
    alone = IssuerIndex(
        *ISSUERS, IssuerWithKeys(other, AUD, key_set(public(OTHER_EC, kid="k2")))
    )
    with pytest.raises(UnknownKey):
        verify_sample(sign(header(kid="k2"), claims(), OTHER_EC), alone)


def test_a_key_set_holds_no_json_numbers_for_kids() -> None:
    text = json.dumps({"keys": [public(EC, kid="1")]}).replace('"1"', "1").encode()
    refused(text, TokenFault.KEY_COUNT)
