"""Security tests 1, 2 and 9: what a token has to be before any key is looked for."""

import base64
import hmac
import json
import socket
from typing import NoReturn

import pytest

from answerable.federation import token_errors
from answerable.federation.algorithms import KEY_TYPES
from answerable.federation.jws_parsing import MAX_TOKEN
from answerable.federation.strict_json import (
    MAX_DEPTH,
    decode_base64url,
    encode_base64url,
)
from answerable.federation.token_errors import TokenFault, TokenMalformed, TokenRejected
from answerable.federation.token_verification import IssuerIndex, IssuerWithKeys
from tests.federation.sample_tokens import (
    AUD,
    EC,
    ED,
    KEYS,
    RSA,
    claims,
    header,
    issuer,
    key_set,
    public,
    refused,
    sign,
    verify_sample,
)

GOOD = sign(header(), claims())


def test_a_good_token_is_taken() -> None:
    assert verify_sample(GOOD).sub == "agent:declared/deploy-bot"


# 1: algorithms

NAMES = ("none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "es256", "Es256")
NAMES += ("ES256 ", " ES256", "ES256K", "Ed448", "RS1", "A128KW", "dir", "", "null")


@pytest.mark.parametrize("alg", NAMES)
def test_an_algorithm_we_do_not_know_by_that_name_is_refused(alg: str) -> None:
    refused(TokenFault.ALG, sign(header(alg=alg), claims()))


@pytest.mark.parametrize("alg", [None, 0, True, ["ES256"], {"alg": "ES256"}, ...])
def test_an_algorithm_that_is_no_text_is_refused(alg: object) -> None:
    refused(TokenFault.ALG, sign(header(alg=alg), claims()))


@pytest.mark.parametrize("signature", ["", "AA", encode_base64url(bytes(64))])
def test_a_token_without_a_signature_of_the_key_is_refused(signature: str) -> None:
    for alg in ("none", "ES256"):
        head = encode_base64url(json.dumps(header(alg=alg)).encode())
        body = encode_base64url(json.dumps(claims()).encode())
        with pytest.raises(TokenRejected):
            verify_sample(f"{head}.{body}.{signature}")


def test_a_public_key_is_no_shared_secret() -> None:
    secrets = (
        EC.as_pem(private=False),
        EC.as_der(private=False),
        json.dumps(public(EC)).encode(),
        decode_base64url(str(EC.as_dict(private=False)["x"])),
    )
    for secret in secrets:
        for alg in ("HS256", "ES256"):
            parts = (json.dumps(p).encode() for p in (header(alg=alg), claims()))
            signed = ".".join(encode_base64url(part) for part in parts)
            mac = hmac.digest(secret, signed.encode(), "sha256")
            reason = TokenFault.ALG if alg == "HS256" else TokenFault.SIGNATURE
            refused(reason, f"{signed}.{encode_base64url(mac)}")


@pytest.mark.parametrize("said", sorted(KEY_TYPES))
@pytest.mark.parametrize("used", sorted(KEY_TYPES))
def test_the_key_chooses_the_algorithm_and_the_header_does_not(
    said: str, used: str
) -> None:
    key = KEYS[KEY_TYPES[used]]
    pinned = IssuerIndex(
        IssuerWithKeys(
            issuer(algs=tuple(KEY_TYPES)),
            AUD,
            key_set(public(key, kid="k1", alg=used), algs=tuple(KEY_TYPES)),
        )
    )
    token = sign(header(alg=said), claims(), key, used)
    if said == used:
        assert verify_sample(token, pinned).alg == used
    else:
        refused(TokenFault.ALG, token, issuers=pinned)


CRITICAL: list[object] = [[], ["alg"], ["exp"], ["b64"], ["http://example.com/X"]]
CRITICAL += [None, "", "b64", {}, 0]


@pytest.mark.parametrize("crit", CRITICAL)
def test_any_critical_parameter_is_refused(crit: object) -> None:
    refused(TokenFault.CRIT, sign(header(crit=crit), claims()))


@pytest.mark.parametrize("b64", [False, True, None, "false"])
def test_an_unencoded_payload_is_refused(b64: object) -> None:
    refused(TokenFault.B64, sign(header(b64=b64), claims()))
    refused(TokenFault.CRIT, sign(header(b64=b64, crit=["b64"]), claims()))


# 2: keys in the header

ATTACKER = public(RSA, kid="k1")
OFFERS: list[dict[str, object]] = [
    {"jwk": ATTACKER},
    {"jku": "https://evil.example/jwks"},
    {"x5u": "https://evil.example/cert.pem"},
    {"x5c": [base64.b64encode(EC.as_der(private=False)).decode()]},
    {"jwk": "x", "jku": 1, "x5u": None, "x5c": {}, "x5t": "AA", "x5t#S256": "AA"},
]


@pytest.mark.parametrize("offer", OFFERS)
def test_a_key_offered_by_the_header_is_ignored(
    offer: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, _no_socket)
    assert verify_sample(sign(header(**offer), claims())).kid == "k1"
    refused(TokenFault.SIGNATURE, sign(header(**offer), claims(), ED, "Ed25519"))
    refused(TokenFault.ALG, sign(header(alg="RS256", **offer), claims(), RSA, "RS256"))
    refused(
        TokenFault.KEY_UNKNOWN,
        sign(header(kid="evil", **offer), claims(), RSA, "RS256"),
    )


def _no_socket(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a socket was asked for")


# 9: the text

HEAD, BODY, SIGNATURE = GOOD.split(".")
# ES256 signatures are 64 octets: their last letter has four spare bits.
SPARE = SIGNATURE[:-1] + chr(ord(SIGNATURE[-1]) + 1)

MALFORMED: list[tuple[str, TokenFault]] = [
    ("", TokenFault.SIZE),
    (".", TokenFault.SEGMENTS),
    ("..", TokenFault.ENCODING),
    (f"{HEAD}.{BODY}", TokenFault.SEGMENTS),
    (f"{GOOD}.", TokenFault.SEGMENTS),
    (f"{HEAD}.{BODY}.{SIGNATURE}.{SIGNATURE}.{SIGNATURE}", TokenFault.SEGMENTS),
    (f"{HEAD}..{SIGNATURE}", TokenFault.ENCODING),
    (f"{HEAD}.{BODY}.", TokenFault.ENCODING),
    (f"{HEAD}.{BODY}.{SIGNATURE}==", TokenFault.ENCODING),
    (f"{HEAD}.{BODY}.{SIGNATURE}\n", TokenFault.ENCODING),
    (f" {GOOD}", TokenFault.ENCODING),
    (f"{HEAD}.{BODY}.{SPARE}", TokenFault.ENCODING),
    (f"{HEAD}.{BODY}.+{SIGNATURE[1:]}", TokenFault.ENCODING),
    (f"{HEAD}.{BODY}./{SIGNATURE[1:]}", TokenFault.ENCODING),
    (f"{HEAD}.{BODY}.\u0100{SIGNATURE[1:]}", TokenFault.ENCODING),
    (f"{HEAD}.{BODY}.{SIGNATURE[:5]} {SIGNATURE[5:]}", TokenFault.ENCODING),
    (f"{HEAD}.{BODY}.{SIGNATURE}AAA", TokenFault.ENCODING),
    (json.dumps({"payload": BODY, "protected": HEAD}), TokenFault.SEGMENTS),
]


@pytest.mark.parametrize(("token", "reason"), MALFORMED)
def test_what_is_no_compact_token_is_malformed(token: str, reason: TokenFault) -> None:
    error = refused(reason, token)
    assert isinstance(error, TokenMalformed)


def test_a_token_is_at_most_16_kib() -> None:
    fits = [token for token in sized() if len(token) <= MAX_TOKEN]
    larger = [token for token in sized() if len(token) > MAX_TOKEN]
    assert fits
    assert larger
    assert {len(fits[-1]), len(larger[0])} <= set(range(MAX_TOKEN - 2, MAX_TOKEN + 3))
    assert verify_sample(fits[-1]).unchecked == ("x",)
    refused(TokenFault.SIZE, larger[0])


def sized() -> list[str]:
    """Sign tokens around the limit, each a character or two longer."""
    fill = (MAX_TOKEN - len(GOOD)) * 3 // 4 - 12
    return [sign(header(), claims(x="a" * (fill + more))) for more in range(12)]


DEEP = 10_000
JSON: list[tuple[bytes, TokenFault]] = [
    (b"", TokenFault.ENCODING),
    (b"null", TokenFault.JSON),
    (b"[]", TokenFault.JSON),
    (b'"x"', TokenFault.JSON),
    (b"1", TokenFault.JSON),
    (b"{", TokenFault.JSON),
    (b"{}{}", TokenFault.JSON),
    (b"{} x", TokenFault.JSON),
    (b"{'a':1}", TokenFault.JSON),
    (b'{"a":1,}', TokenFault.JSON),
    (b'{"a":01}', TokenFault.JSON),
    (b'{"a":"\x01"}', TokenFault.JSON),
    (b'\xef\xbb\xbf{"a":1}', TokenFault.JSON),
    (b'{"a":"\xff"}', TokenFault.JSON),
    (b'{"a":"\xed\xa0\x80"}', TokenFault.JSON),
    ('{"a":1}'.encode("utf-16"), TokenFault.JSON),
    (b'{"a":"\\ud800"}', TokenFault.JSON),
    (b'{"\\udfff":1}', TokenFault.JSON),
    (b'{"a":1,"a":1}', TokenFault.DUPLICATE_MEMBER),
    (b'{"a":1,"\\u0061":2}', TokenFault.DUPLICATE_MEMBER),
    (b'{"x":{"a":1,"a":1}}', TokenFault.DUPLICATE_MEMBER),
    (b'{"x":[{"a":1,"a":1}]}', TokenFault.DUPLICATE_MEMBER),
    (b'{"a":NaN}', TokenFault.NUMBER),
    (b'{"a":-Infinity}', TokenFault.NUMBER),
    (b'{"a":' + b"9" * 20 + b"}", TokenFault.NUMBER),
    (b'{"a":' + b"9" * 5000 + b"}", TokenFault.NUMBER),
    (b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}", TokenFault.SIZE),
    (b'{"a":' + b"[" * DEEP, TokenFault.DEPTH),
    (b"[" * DEEP, TokenFault.DEPTH),
    (b'{"a":' * 2000, TokenFault.DEPTH),
    (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), TokenFault.DEPTH),
]


@pytest.mark.parametrize(("octets", "reason"), JSON)
def test_json_that_could_be_read_in_two_ways_is_refused_in_either_place(
    octets: bytes, reason: TokenFault
) -> None:
    body = json.dumps(claims()).encode()
    head = json.dumps(header()).encode()
    for token in (sign(head, octets), sign(octets, body)):
        error = refused(reason, token)
        assert isinstance(error, TokenMalformed)


def test_depth_is_counted_outside_of_texts() -> None:
    deep: object = "[{" * 40 + '\\"[' * 9
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert verify_sample(sign(header(), claims(x=deep))).unchecked == ("x",)
    refused(TokenFault.DEPTH, sign(header(), claims(x=[deep])))


def test_whole_characters_in_escapes_are_fine() -> None:
    body = json.dumps(claims(x="\U0001f600"), ensure_ascii=True).encode()
    assert (
        verify_sample(sign(json.dumps(header()).encode(), body)).find_claim_at_path("x")
        == "\U0001f600"
    )


# Words

ERRORS = [
    value
    for value in vars(token_errors).values()
    if isinstance(value, type) and issubclass(value, TokenRejected)
]


def test_the_wire_says_the_same_whatever_the_reason() -> None:
    words = {error.__name__: error.wire for error in ERRORS}
    assert words.pop("NonceRequired") == "use_dpop_nonce"
    assert len(words) == 5
    assert set(words.values()) == {"invalid_token"}


@pytest.mark.parametrize(("token", "reason"), MALFORMED[5:])
def test_no_message_holds_a_part_of_the_token(token: str, reason: TokenFault) -> None:
    message = refused(reason, token).message
    assert not any(token[at : at + 8] in message for at in range(len(token) - 8))
