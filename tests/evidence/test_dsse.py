"""Envelopes: DSSE's own example, and what has more than one reading."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from answerable.evidence.dsse import (
    MAX_SIGNATURES,
    DsseEnvelope,
    DsseSignature,
    decode_envelope,
    encode_envelope,
    find_signers,
    pre_authentication_encoding,
    sign_envelope,
)
from answerable.evidence.signed_note import derive_verifier_key
from answerable.model.errors import VerificationError

# DSSE protocol.md, "Test Vectors" (v1.0.0).
TYPE, BODY = "http://example.com/HelloWorld", b"hello world"
PAE = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
ENVELOPE = (
    b'{"payload": "aGVsbG8gd29ybGQ=",\n'
    b' "payloadType": "http://example.com/HelloWorld",\n'
    b' "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajab'
    b'ZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}'
)

# RFC 8032, 7.1, tests 1 and 2.
SEEDS = {
    "one": bytes.fromhex(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    ),
    "two": bytes.fromhex(
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
    ),
}
KEYS = {name: derive_verifier_key(name, seed).raw for name, seed in SEEDS.items()}


def test_the_example_of_the_protocol_is_encoded_as_it_says() -> None:
    assert pre_authentication_encoding(TYPE, BODY) == PAE


def test_the_envelope_of_the_protocol_is_read_and_its_signature_holds() -> None:
    envelope = decode_envelope(ENVELOPE)
    assert (envelope.payload_type, envelope.payload) == (TYPE, BODY)
    (only,) = envelope.signatures
    assert only.keyid == ""
    half = len(only.sig) // 2
    r, s = (int.from_bytes(part, "big") for part in (only.sig[:half], only.sig[half:]))
    key = ec.EllipticCurvePublicNumbers(X, Y, ec.SECP256R1()).public_key()
    said = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    key.verify(encode_dss_signature(r, s), said, ec.ECDSA(hashes.SHA256()))


def test_lengths_are_counted_in_bytes() -> None:
    assert pre_authentication_encoding("application/vnd.exämple", b"") == (
        b"DSSEv1 24 application/vnd.ex\xc3\xa4mple 0 "
    )


@given(st.text(max_size=20), st.binary(max_size=20), st.text(), st.binary())
def test_no_two_payloads_are_signed_as_the_same_bytes(
    one: str, body: bytes, other: str, more: bytes
) -> None:
    def bare(text: str) -> str:
        return text.encode("utf-8", "replace").decode()

    one, other = bare(one), bare(other)
    if (one, body) != (other, more):
        assert pre_authentication_encoding(one, body) != pre_authentication_encoding(
            other, more
        )


@given(st.binary(max_size=60), st.sampled_from(("one", "two")))
def test_what_is_written_is_read_and_signed_by_its_key_alone(
    body: bytes, name: str
) -> None:
    envelope = sign_envelope(TYPE, body, name, SEEDS[name])
    read = decode_envelope(encode_envelope(envelope))
    assert read == envelope
    assert find_signers(read, KEYS) == {name}
    assert encode_envelope(read) == encode_envelope(envelope)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_bit_that_is_changed_ends_the_signature(
    body: bytes, data: st.DataObject
) -> None:
    envelope = sign_envelope(TYPE, body, "one", SEEDS["one"])
    at = data.draw(st.integers(0, len(body) * 8 - 1))
    changed = bytearray(body)
    changed[at // 8] ^= 1 << at % 8
    assert (
        find_signers(DsseEnvelope(TYPE, bytes(changed), envelope.signatures), KEYS)
        == set()
    )
    assert (
        find_signers(DsseEnvelope(TYPE + "x", body, envelope.signatures), KEYS) == set()
    )


def test_a_hint_narrows_and_vouches_for_nothing() -> None:
    sig = sign_envelope(TYPE, BODY, "", SEEDS["one"]).signatures[0].sig
    hinted = {
        "": {"one"},
        "one": {"one"},
        "two": set(),
        "three": set(),
    }
    for hint, found in hinted.items():
        envelope = DsseEnvelope(TYPE, BODY, (DsseSignature(sig, hint),))
        assert find_signers(envelope, KEYS) == found, hint


def test_one_key_that_signs_twice_is_one_signer() -> None:
    one = sign_envelope(TYPE, BODY, "one", SEEDS["one"]).signatures[0]
    two = sign_envelope(TYPE, BODY, "", SEEDS["two"]).signatures[0]
    stranger = DsseSignature(bytes(64), "one")
    assert find_signers(DsseEnvelope(TYPE, BODY, (one, one, stranger)), KEYS) == {"one"}
    assert find_signers(DsseEnvelope(TYPE, BODY, (one, stranger, two)), KEYS) == {
        "one",
        "two",
    }


def written(**changes: object) -> bytes:
    sig = base64.b64encode(bytes(64)).decode()
    document: dict[str, object] = {
        "payload": "+/+/Pj8=",
        "payloadType": TYPE,
        "signatures": [{"sig": sig}],
    }
    document.update(changes)
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


@pytest.mark.parametrize(
    "data",
    [
        written(),
        written(payload="-_-_Pj8="),  # verifiers MUST accept either alphabet
        written(payload=""),
        written(payloadType=""),  # required, and may be empty
        written(later=[1, {"a": None}]),  # consumers MUST ignore unrecognized fields
        written(signatures=[{"sig": "", "keyid": "", "cert": "x"}]),
    ],
    ids=["plain", "url-safe", "empty", "no-type", "unknown", "unknown-in-signature"],
)
def test_what_the_specification_allows_is_read(data: bytes) -> None:
    decode_envelope(data)


_REFUSED = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "not UTF-8": b'{"payload":"\xff"}',
    "more behind": written() + b"{}",
    "deep": b"[" * 100_000,
    "twice": written().replace(b'"payload":', b'"payload":"", "payload":', 1),
    "twice in a signature": written().replace(b'{"sig":', b'{"sig":"","sig":', 1),
    "twice, unknown": b'{"a":1,"a":1,' + written()[1:],
    "no payload": written(payload=None),
    "a number": written(payload=5),
    "no type": written(payloadType=None),
    "type of a number": written(payloadType=5),
    "half a character": written(payloadType="\ud800"),
    "no signatures": written(signatures=None),
    "none of them": written(signatures=[]),
    "an object of them": written(signatures={"sig": ""}),
    "too many": written(signatures=[{"sig": ""}] * (MAX_SIGNATURES + 1)),
    "no signature": written(signatures=[{"keyid": "one"}]),
    "a text": written(signatures=["abcd"]),
    "keyid of a number": written(signatures=[{"sig": "", "keyid": 5}]),
    "both alphabets": written(payload="-/-_Pj8="),
    "no padding": written(payload="+/+/Pj8"),
    "padding alone": written(payload="="),
    "padding inside": written(payload="+/==+/=="),
    "spare bits": written(payload="+/+/Pj9="),
    "a line end": written(payload="+/+/\nPj8="),
    "a space": written(payload=" +/+/Pj8="),
    "no base64": written(payload="+/+/Pj8!"),
    "other digits": written(payload="+/+/Pj٨="),
}


@pytest.mark.parametrize("data", _REFUSED.values(), ids=_REFUSED.keys())
def test_what_has_no_or_two_readings_is_refused(data: bytes) -> None:
    with pytest.raises(VerificationError):
        decode_envelope(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        decode_envelope(data)
    except VerificationError:
        return
