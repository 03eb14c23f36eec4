"""What we say of a signature is what a JOSE library says of it, of every algorithm."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import JoseError

from answerable.federation import dpop, signatures
from answerable.federation.algorithms import KEY_TYPES
from answerable.federation.jwk import VerificationKey, parse_public_jwk
from answerable.federation.jws_parsing import parse_jws
from answerable.federation.strict_json import encode_base64url
from answerable.federation.token_errors import ProofRejected, TokenFault
from tests.federation.sample_tokens import EC, KEYS, NOW, Key, public, sign

ALGS = sorted(KEY_TYPES)
USABLE = {
    alg: VerificationKey.load(parse_public_jwk(public(KEYS[kind])), alg)
    for alg, kind in KEY_TYPES.items()
}


def told(alg: str, key: Key, signed: bytes, signature: bytes) -> bool:
    """What joserfc says."""
    name = "Ed25519" if alg == "EdDSA" else alg
    token = jws.CompactSignature({"alg": name}, b"")
    header, payload = signed.split(b".", 1)
    token.segments = {
        "header": header,
        "payload": payload,
        "signature": encode_base64url(signature).encode(),
    }
    try:
        return jws.validate_compact(token, key, [name])
    except (ValueError, JoseError):
        return False


def changes(signature: bytes) -> st.SearchStrategy[bytes]:
    """The signature itself, and what is nearly one."""
    half = len(signature) // 2
    flipped = st.integers(0, len(signature) * 8 - 1).map(
        lambda bit: bytes(
            octet ^ (1 << bit % 8 if place == bit // 8 else 0)
            for place, octet in enumerate(signature)
        )
    )
    return st.one_of(
        st.just(signature),
        flipped,
        st.integers(0, len(signature)).map(lambda at: signature[:at]),
        st.binary(min_size=1, max_size=3).map(lambda more: signature + more),
        st.binary(min_size=1, max_size=3).map(lambda more: more + signature),
        st.just(signature[half:] + signature[:half]),
        st.just(bytes(half) + signature[half:]),
        st.just(signature[:half] + bytes(half)),
        st.just(b"\xff" * len(signature)),
        st.binary(max_size=2 * len(signature)),
    )


@pytest.mark.parametrize("alg", ALGS)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_jose_library_says_the_same(alg: str, data: st.DataObject) -> None:
    key = KEYS[KEY_TYPES[alg]]
    name = "Ed25519" if alg == "EdDSA" else alg
    token = jws.serialize_compact({"alg": name}, b"{}", key, algorithms=[name])
    signed, _, text = token.encode().rpartition(b".")
    signature = data.draw(changes(parse_jws(token).signature))
    other = data.draw(st.sampled_from([signed, signed + b"A"]))
    assert text
    assert USABLE[alg].verify(other, signature) == told(alg, key, other, signature)


def test_the_law_finds_a_verifier_that_takes_any_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """r and s of no full size: a planted mistake."""
    point = signatures._load_ec_key("P-256", dict(parse_public_jwk(public(EC)).members))
    real = signatures._ecdsa_verifier(point, 32, signatures._hash_algorithm("ES256"))

    def lax(signed: bytes, signature: bytes) -> bool:
        return real(signed, signature[:64])

    monkeypatch.setitem(
        USABLE, "ES256", VerificationKey("ES256", parse_public_jwk(public(EC)), lax)
    )

    def often() -> None:
        for _ in range(10):  # of one run, one in ten draws none that tells
            test_a_jose_library_says_the_same("ES256")

    with pytest.raises(AssertionError):
        often()


# What is kept from one proof to the next is nothing but the key.


def proof(key: Key, **head: object) -> str:
    said = {"alg": "ES256", "typ": "dpop+jwt", "jwk": public(key), **head}
    payload = {"htm": "GET", "htu": "https://u.example/", "iat": NOW, "jti": "1"}
    return sign(said, payload, key)


def test_a_proof_under_a_kept_header_is_checked_like_the_first() -> None:
    text = proof(EC)
    for _ in range(3):
        dpop.verify_proof(text, "GET", "https://u.example/", NOW)
    head, _, rest = text.partition(".")
    other = proof(EC, more="x" * 9)
    with pytest.raises(ProofRejected) as refused:
        dpop.verify_proof(
            f"{head}.{other.partition('.')[2]}", "GET", "https://u.example/", NOW
        )
    assert refused.value.reason is TokenFault.SIGNATURE
    assert rest


def test_a_key_that_is_no_algorithm_of_a_door_is_refused_there_each_time() -> None:
    text = proof(EC)
    for _ in range(2):
        assert dpop.verify_proof(
            text, "GET", "https://u.example/", NOW, algs=("ES256",)
        )
        with pytest.raises(ProofRejected) as refused:
            dpop.verify_proof(text, "GET", "https://u.example/", NOW, algs=("RS256",))
        assert refused.value.reason is TokenFault.ALG


def test_a_long_header_is_kept_by_nobody() -> None:
    short, long = parse_jws(proof(EC)).head, parse_jws(proof(EC, more="x" * 1024)).head
    assert parse_jws(proof(EC)).head is short
    assert parse_jws(proof(EC, more="x" * 1024)).head is not long
    before = dpop._cached_proof_key.cache_info().currsize
    dpop.verify_proof(proof(EC, more="x" * 1024), "GET", "https://u.example/", NOW)
    assert dpop._cached_proof_key.cache_info().currsize == before
