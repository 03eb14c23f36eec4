"""Security test 3 and the keys themselves: what may verify, and for whom."""

from collections.abc import Callable

import pytest
from joserfc.jwk import OKPKey, RSAKey

from answerable.federation.algorithms import KEY_TYPES
from answerable.federation.jwk import VerificationKey, parse_public_jwk
from answerable.federation.jwk_set import MAX_BYTES, MAX_KEYS, parse_key_set
from answerable.federation.strict_json import (
    AmbiguousInput,
    decode_base64url,
    encode_base64url,
)
from answerable.federation.token_errors import KeySetRejected, TokenFault
from answerable.federation.weak_keys import is_roca
from answerable.model.ed25519_points import SMALL_ORDER, is_small_order
from tests.federation.sample_tokens import (
    EC,
    ED,
    KEYS,
    OTHER_EC,
    RSA,
    document,
    key_set,
    public,
)

GOOD = public(EC, kid="good")


def number(value: int) -> str:
    return encode_base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


MODULUS = RSA.public_key.public_numbers().n


def rsa(n: int = MODULUS, e: int = 65537) -> dict[str, object]:
    return {"kty": "RSA", "kid": "rsa", "n": number(n), "e": number(e)}


def refused(document: bytes, reason: TokenFault) -> None:
    with pytest.raises(KeySetRejected) as caught:
        parse_key_set(document, tuple(KEY_TYPES))
    assert caught.value.reason is reason


def set_aside(key: dict[str, object], reason: TokenFault, *algs: str) -> None:
    """Say that a key is not used, while its neighbour in the set is."""
    found = parse_key_set(document(key, GOOD), algs or ("ES256", "RS256", "Ed25519"))
    assert list(found.keys) == ["good"]
    assert found.set_aside == ((0, reason),)


# The set


def test_a_set_of_every_kind_of_key_is_read() -> None:
    algs = ("ES256", "ES384", "ES512", "RS256", "Ed25519")
    keys = [public(key, kid=str(at)) for at, key in enumerate(KEYS.values())]
    found = key_set(*keys, algs=algs)
    assert sorted(key.alg for key in found.keys.values()) == sorted(algs)
    assert found.set_aside == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", TokenFault.JSON),
        (b"[]", TokenFault.JSON),
        (b"{}", TokenFault.KEY_SHAPE),
        (b'{"keys":{}}', TokenFault.KEY_SHAPE),
        (b'{"keys":[1]}', TokenFault.KEY_SHAPE),
        (b'{"keys":[]}', TokenFault.KEY_COUNT),
        (b'{"keys":[],"keys":[]}', TokenFault.DUPLICATE_MEMBER),
        (b'{"keys":[{"kty":"EC","kty":"EC"}]}', TokenFault.DUPLICATE_MEMBER),
        (b'{"keys":' + b"[" * 40, TokenFault.DEPTH),
        (b"\xff", TokenFault.JSON),
    ],
)
def test_what_is_no_key_set_is_refused(text: bytes, reason: TokenFault) -> None:
    refused(text, reason)


def test_a_set_has_at_most_100_keys() -> None:
    keys = [public(EC, kid=str(at)) for at in range(MAX_KEYS + 1)]
    assert len(key_set(*keys[:-1]).keys) == MAX_KEYS
    refused(document(*keys), TokenFault.KEY_COUNT)


def test_a_set_has_at_most_256_kib() -> None:
    whole = document(GOOD)
    fits = whole + b" " * (MAX_BYTES - len(whole))
    assert list(parse_key_set(fits, ("ES256",)).keys) == ["good"]
    refused(fits + b" ", TokenFault.SIZE)


@pytest.mark.parametrize("kid", ["good", "k2"])
def test_a_symmetric_key_refuses_the_set(kid: str) -> None:
    secret = {"kty": "oct", "kid": kid, "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}
    refused(document(GOOD, secret), TokenFault.KEY_SYMMETRIC)
    refused(document(GOOD, {"kty": "oct"}), TokenFault.KEY_SYMMETRIC)


@pytest.mark.parametrize("key", [OTHER_EC, RSA, ED])
def test_a_private_key_refuses_the_set(key: RSAKey) -> None:
    refused(document(GOOD, key.as_dict(private=True, kid="k2")), TokenFault.KEY_PRIVATE)


@pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"])
def test_any_private_member_refuses_the_set(name: str) -> None:
    refused(
        document(GOOD, public(OTHER_EC, kid="k2") | {name: ""}), TokenFault.KEY_PRIVATE
    )


def test_one_kid_twice_refuses_the_set() -> None:
    refused(document(GOOD, public(OTHER_EC, kid="good")), TokenFault.KEY_DUPLICATE)
    refused(document(GOOD, GOOD), TokenFault.KEY_DUPLICATE)


def test_a_set_that_leaves_no_key_is_refused() -> None:
    refused(document(public(EC, kid="k", use="enc")), TokenFault.KEY_COUNT)


# One key

USES: list[dict[str, object]] = [
    {"use": "enc"},
    {"use": "SIG"},
    {"use": None},
    {"use": ["sig"]},
    {"key_ops": []},
    {"key_ops": ["sign"]},
    {"key_ops": ["encrypt"]},
    {"key_ops": ["verify", "verify"]},
    {"key_ops": ["verify", "encrypt"]},
    {"key_ops": "verify"},
    {"key_ops": None},
    {"use": "enc", "key_ops": ["verify"]},
    {"use": "sig", "key_ops": ["encrypt"]},
]


@pytest.mark.parametrize("members", USES)
def test_a_key_for_something_else_is_set_aside(members: dict[str, object]) -> None:
    set_aside(public(OTHER_EC, kid="k2", **members), TokenFault.KEY_USE)


@pytest.mark.parametrize("members", [{"use": "sig"}, {"key_ops": ["verify"]}])
def test_a_key_for_signatures_is_used(members: dict[str, object]) -> None:
    assert key_set(public(EC, kid="k", **members)).set_aside == ()


@pytest.mark.parametrize(
    "kid", [..., "", 1, None, ["k"], "a\nb", "a\u200bb", "k" * 1025]
)
def test_a_key_without_a_printable_kid_is_set_aside(kid: object) -> None:
    members = public(OTHER_EC) | {"kid": kid}
    set_aside({n: v for n, v in members.items() if v is not ...}, TokenFault.KID)


ALGS: list[tuple[str, tuple[str, ...], object]] = [
    ("RSA", ("RS256", "PS256", "ES256"), ...),
    ("RSA", ("RS256", "ES256"), "PS256"),
    ("RSA", ("RS256", "ES256"), "RS512"),
    ("RSA", ("RS256", "ES256"), "rs256"),
    ("RSA", ("RS256", "ES256"), "ES256"),
    ("RSA", ("RS256", "ES256"), "HS256"),
    ("RSA", ("RS256", "ES256"), "none"),
    ("RSA", ("RS256", "ES256"), "RSA-OAEP"),
    ("RSA", ("RS256", "ES256"), None),
    ("RSA", ("RS256", "ES256"), ["RS256"]),
    ("RSA", ("ES256",), ...),
    ("OKP", ("EdDSA", "Ed25519", "ES256"), ...),
    ("OKP", ("Ed25519", "ES256"), "EdDSA"),
]


@pytest.mark.parametrize(("kty", "algs", "alg"), ALGS)
def test_a_key_without_one_pinned_algorithm_is_set_aside(
    kty: str, algs: tuple[str, ...], alg: object
) -> None:
    key = public({"RSA": RSA, "OKP": ED}[kty], kid="k2")
    if alg is not ...:
        key["alg"] = alg
    set_aside(key, TokenFault.KEY_ALG, *algs)


def test_a_key_that_says_which_of_the_pinned_algorithms_is_used_with_that() -> None:
    found = key_set(public(RSA, kid="k", alg="PS256"), algs=("RS256", "PS256"))
    assert found.keys["k"].alg == "PS256"


def test_moduli_from_2048_bits_are_taken() -> None:
    assert 1 << 2047 <= MODULUS < 1 << 2048
    parse_public_jwk(rsa())
    parse_public_jwk(rsa((1 << 2047) + 1))
    parse_public_jwk(rsa((1 << 8192) - 1))


def of_the_roca_generator() -> int:
    """Multiply two numbers of the form that the broken generator gave its primes.

    Nemec et al., CCS 2017, section 2: k * M + (65537^a mod M), M the product of the
    first primes; 126 of them for keys of 2048 bits.
    """
    sieve = [n for n in range(2, 702) if all(n % d for d in range(2, n))]
    product = 1
    for prime in sieve[:126]:
        product *= prime
    scale = 1 << 1023 - product.bit_length()
    return (3 * scale * product + pow(65537, 12_345, product)) * (
        3 * scale * product + 2 * product + pow(65537, 98_765, product)
    )


WEAK = {
    "1024 bits": rsa((1 << 1023) + 1),
    "2047 bits": rsa((1 << 2046) + 1),
    "8193 bits": rsa((1 << 8192) + 1),
    "even": rsa(MODULUS + 1),
    "one": rsa(1),
    "exponent 1": rsa(e=1),
    "exponent 3": rsa(e=3),
    "even exponent": rsa(e=65538),
    "exponent of 33 bits": rsa(e=(1 << 32) + 1),
    "ROCA": rsa(of_the_roca_generator()),
}


@pytest.mark.parametrize("name", WEAK)
def test_a_weak_rsa_key_is_set_aside(name: str) -> None:
    set_aside(WEAK[name], TokenFault.KEY_WEAK)


def test_the_fingerprint_of_the_broken_generator_is_known() -> None:
    modulus = of_the_roca_generator()
    assert modulus.bit_length() >= 2048
    assert is_roca(modulus)
    assert not is_roca(MODULUS)
    assert not any(is_roca(modulus + 2 * step) for step in range(1, 2000))


FIELD = 2**255 - 19


def order(y: int) -> int:
    """Count how often a point of edwards25519 is added to itself up to neutral, or 9.

    RFC 8032 5.1.4, in affine coordinates.
    """
    d = -121665 * pow(121666, -1, FIELD) % FIELD
    square = (y * y - 1) * pow(d * y * y + 1, -1, FIELD) % FIELD
    x = pow(square, (FIELD + 3) // 8, FIELD)
    if x * x % FIELD != square:
        x = x * pow(2, (FIELD - 1) // 4, FIELD) % FIELD
    at = (x, y)
    for count in range(1, 9):
        if at == (0, 1):
            return count
        k = d * at[0] * x * at[1] * y % FIELD
        at = (
            (at[0] * y + x * at[1]) * pow(1 + k, -1, FIELD) % FIELD,
            (at[1] * y + at[0] * x) * pow(1 - k, -1, FIELD) % FIELD,
        )
    return 9


def test_points_of_small_order_are_no_keys() -> None:
    assert sorted(order(y) for y in SMALL_ORDER) == [1, 2, 4, 8, 8]
    for y in SMALL_ORDER | {FIELD, FIELD + 1}:
        for sign_bit in (0, 1 << 255):
            raw = (y | sign_bit).to_bytes(32, "little")
            assert is_small_order(raw)
            key = {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": encode_base64url(raw),
                "kid": "k",
            }
            set_aside(key, TokenFault.KEY_WEAK)
    for _ in range(20):
        key = OKPKey.generate_key("Ed25519")
        assert not is_small_order(key.raw_value.public_key().public_bytes_raw())


Change = Callable[[dict[str, object]], dict[str, object]]


def flipped(text: object) -> str:
    """Change one bit of a coordinate."""
    raw = bytearray(int_of(str(text)).to_bytes(32, "big"))
    raw[7] ^= 1
    return encode_base64url(bytes(raw))


def int_of(text: str) -> int:
    return int.from_bytes(decode_base64url(text), "big")


SHAPES: list[tuple[str, Change, TokenFault]] = [
    ("off the curve", lambda k: k | {"y": flipped(k["y"])}, TokenFault.KEY_POINT),
    ("another curve", lambda k: k | {"crv": "P-384"}, TokenFault.KEY_SHAPE),
    ("unknown curve", lambda k: k | {"crv": "secp256k1"}, TokenFault.KEY_TYPE),
    ("no curve", lambda k: k | {"crv": 1}, TokenFault.KEY_SHAPE),
    ("short", lambda k: k | {"x": encode_base64url(bytes(31))}, TokenFault.KEY_SHAPE),
    ("long", lambda k: k | {"x": encode_base64url(bytes(33))}, TokenFault.KEY_SHAPE),
    ("the origin", lambda k: k | {"x": "A" * 43, "y": "A" * 43}, TokenFault.KEY_POINT),
    (
        "the field",
        lambda k: k | {"x": encode_base64url(b"\xff" * 32)},
        TokenFault.KEY_POINT,
    ),
    ("padded", lambda k: k | {"x": f"{k['x']}="}, TokenFault.ENCODING),
    ("plain base64", lambda k: k | {"x": "+" * 43}, TokenFault.ENCODING),
    ("empty", lambda k: k | {"y": ""}, TokenFault.ENCODING),
    ("number", lambda k: k | {"y": 1}, TokenFault.KEY_SHAPE),
    (
        "missing",
        lambda k: {n: v for n, v in k.items() if n != "y"},
        TokenFault.KEY_SHAPE,
    ),
    (
        "no type",
        lambda k: {n: v for n, v in k.items() if n != "kty"},
        TokenFault.KEY_TYPE,
    ),
    ("type of later", lambda k: k | {"kty": "AKP"}, TokenFault.KEY_TYPE),
    ("type in lower case", lambda k: k | {"kty": "ec"}, TokenFault.KEY_TYPE),
    ("listed type", lambda k: k | {"kty": ["EC"]}, TokenFault.KEY_TYPE),
    ("Ed448", lambda k: k | {"kty": "OKP", "crv": "Ed448"}, TokenFault.KEY_TYPE),
    ("X25519", lambda k: k | {"kty": "OKP", "crv": "X25519"}, TokenFault.KEY_TYPE),
    (
        "31 octets",
        lambda k: (
            k | {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(bytes(31))}
        ),
        TokenFault.KEY_SHAPE,
    ),
    ("leading zero", lambda _: rsa() | {"e": "AAEAAQ"}, TokenFault.KEY_SHAPE),
    ("no modulus", lambda _: {"kty": "RSA", "e": "AQAB"}, TokenFault.KEY_SHAPE),
]


@pytest.mark.parametrize(
    ("change", "reason"), [pytest.param(c, r, id=n) for n, c, r in SHAPES]
)
def test_a_key_in_a_wrong_shape_is_set_aside(
    change: Change, reason: TokenFault
) -> None:
    set_aside(change(public(OTHER_EC, kid="k2")), reason)


def test_a_key_off_its_curve_cannot_be_made() -> None:
    jwk = public(EC) | {"y": flipped(public(EC)["y"])}
    with pytest.raises(AmbiguousInput):
        VerificationKey.load(parse_public_jwk(jwk), "ES256")


# 3: kid, and whose key it is
