"""Any text gives signed claims or a refusal: never another error, never by luck."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from answerable.federation.dpop import verify_proof
from answerable.federation.jwk_set import IssuerKeySet, parse_key_set
from answerable.federation.strict_json import (
    FRACTION,
    AmbiguousInput,
    decode_base64url,
    decode_json_object,
    encode_base64url,
)
from answerable.federation.token_errors import (
    FederationError,
    KeySetRejected,
    TokenRejected,
)
from answerable.model.token_claims import TokenType
from tests.federation.sample_tokens import (
    AUD,
    EC,
    ISS,
    NOW,
    RSA,
    claims,
    document,
    header,
    public,
    sign,
    verify_sample,
)

GOOD = sign(header(), claims())
LETTERS = "ABCxyz019-_."

NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([NOW, NOW - 1, NOW + 1, 2**53, -1, 0]),
)
TEXTS = st.one_of(
    st.text(max_size=12), st.sampled_from([ISS, AUD, "ES256", "k1", "at+jwt"])
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
CLAIM_NAMES = st.sampled_from(
    [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "nbf",
        "jti",
        "client_id",
        "scope",
        "cnf",
        "act",
        "azp",
        "nonce",
        "events",
        "htm",
        "x",
    ]
)
HEADER_NAMES = st.sampled_from(
    ["alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5c", "cty", "x"]
)


def outcome(token: str, kind: TokenType = TokenType.ACCESS_TOKEN) -> str:
    try:
        return verify_sample(token, token_type=kind).sub
    except TokenRejected as refused:
        return refused.reason


@settings(max_examples=100)
@given(st.one_of(st.text(max_size=80), st.text(LETTERS, max_size=200)))
@example("\ud800")
@example("." * 20_000)
@example("A" * 16_384)
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(TokenRejected):
        verify_sample(text)


@settings(max_examples=100)
@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=70))
def test_any_octets_in_three_segments_are_refused(a: bytes, b: bytes, c: bytes) -> None:
    with pytest.raises(TokenRejected):
        verify_sample(".".join(encode_base64url(part) for part in (a, b, c)))


@settings(max_examples=100)
@given(st.integers(0, len(GOOD) - 1), st.sampled_from(sorted(set(LETTERS + "=+/ \n"))))
def test_no_letter_of_a_token_can_be_changed(place: int, letter: str) -> None:
    changed = GOOD[:place] + letter + GOOD[place + 1 :]
    if changed != GOOD:
        with pytest.raises(TokenRejected):
            verify_sample(changed)


def test_no_bit_of_a_token_can_be_changed() -> None:
    count = 0
    for place in range(len(GOOD)):
        for bit in range(7):
            changed = (
                GOOD[:place] + chr(ord(GOOD[place]) ^ 1 << bit) + GOOD[place + 1 :]
            )
            with pytest.raises(TokenRejected):
                verify_sample(changed)
            count += 1
    assert count == len(GOOD) * 7


@settings(max_examples=150)
@given(
    st.dictionaries(HEADER_NAMES, VALUES, max_size=2),
    st.dictionaries(CLAIM_NAMES, VALUES, max_size=3),
    st.sampled_from(TokenType),
)
def test_any_signed_claims_are_taken_or_refused(
    heads: dict[str, Any], facts: dict[str, Any], kind: TokenType
) -> None:
    said = header(**heads) if heads else header()
    token = sign(json.dumps(said).encode(), json.dumps(claims(**facts)).encode())
    found = outcome(token, kind)
    if heads.get("alg", "ES256") != "ES256" or {"crit", "b64"} & heads.keys():
        assert found != claims()["sub"]
    for name, value in (("iss", ISS), ("aud", AUD)):
        if name in facts and facts[name] not in (value, [value]):
            assert found != claims(**facts)["sub"]


@settings(max_examples=100)
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_any_object_in_a_proof_is_taken_or_refused(facts: dict[str, Any]) -> None:
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public(EC)}
    whole = {"htm": "GET", "htu": AUD, "iat": NOW, "jti": "p"} | facts
    for said in (head, head | facts, head | {"jwk": facts}):
        try:
            proof = verify_proof(
                sign(json.dumps(said).encode(), json.dumps(whole).encode()),
                "GET",
                AUD,
                NOW,
            )
        except FederationError:
            continue
        assert proof.jti == whole["jti"]


@settings(max_examples=100)
@given(
    st.one_of(
        st.binary(max_size=60),
        VALUES.map(lambda value: json.dumps(value).encode()),
        st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=3).map(
            lambda keys: document(*keys)
        ),
        st.builds(
            lambda key, name, value: document(public(key, kid="k") | {name: value}),
            st.sampled_from([EC, RSA]),
            st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"]),
            VALUES,
        ),
    )
)
def test_any_key_set_is_read_or_refused(octets: bytes) -> None:
    try:
        found = parse_key_set(octets, ("ES256", "RS256"))
    except KeySetRejected:
        return
    assert isinstance(found, IssuerKeySet)
    assert found.keys


@settings(max_examples=100)
@given(
    st.one_of(
        st.text(LETTERS + "=", max_size=12),
        st.binary(max_size=12).map(encode_base64url),
    )
)
def test_base64url_has_one_spelling(text: str) -> None:
    try:
        data = decode_base64url(text)
    except AmbiguousInput:
        return
    assert encode_base64url(data) == text


@settings(max_examples=100)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_an_object_is_read_as_the_standard_library_reads_it(
    value: dict[str, Any],
) -> None:
    octets = json.dumps(value).encode()
    try:
        found = decode_json_object(octets)
    except AmbiguousInput:
        return
    assert found == json.loads(octets, parse_float=lambda _: FRACTION)
