"""WebAuthn assertions: only those of a verified user, for these bytes and this origin."""

import json

import joserfc.jwk
import pytest

from answerable.evidence import dsse, signed_statements
from answerable.evidence.signed_statements import index_enrolled_keys
from answerable.evidence.webauthn import is_valid_p256_key, verify_assertion
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import (
    KeyEnrolment,
    LogPosition,
    OwnerKey,
    WebAuthnCredential,
    build_owner_key_id,
)
from answerable.model.provenance import WrittenBy
from tests.evidence.software_security_key import (
    VERIFIED,
    SoftwareSecurityKey,
    base64url,
)

ORIGIN, SIGNED = "https://answerable.example", b"DSSEv1 ..."
ANA = PersonId("person:ana@corp.example")


@pytest.fixture
def device() -> SoftwareSecurityKey:
    return SoftwareSecurityKey(ORIGIN)


def count_of(
    device: SoftwareSecurityKey, assertion: bytes, signed: bytes = SIGNED
) -> int | None:
    found = verify_assertion(assertion, device.public, device.credential, signed)
    return None if found is None else found.sign_count


def test_an_assertion_over_the_bytes_verifies_with_its_count(
    device: SoftwareSecurityKey,
) -> None:
    assert count_of(device, device.sign(SIGNED, count=41)) == 41
    assert count_of(device, device.sign(SIGNED, unknown="ignored")) is not None


@pytest.mark.parametrize(
    "fault",
    [
        {"flags": 0x01},  # the user is not verified
        {"flags": 0x04},  # and not present
        {"flags": VERIFIED | 0x80, "more": b"\xa0"},  # extensions
        {"flags": VERIFIED | 0x40},
        {"more": b"\x00"},
        {"rp": "other.example"},
        {"type": "webauthn.create"},
        {"origin": "https://answerable.example.evil.example"},
        {"origin": "http://answerable.example"},
        {"origin": "https://answerable.example:8443"},
        {"crossOrigin": True},
        {"challenge": "AAAA"},
        {"challenge": ""},
        {"challenge": 7},
    ],
)
def test_an_assertion_with_a_fault_does_not(
    device: SoftwareSecurityKey, fault: dict[str, object]
) -> None:
    assert count_of(device, device.sign(SIGNED, **fault)) is None  # type: ignore[arg-type]  # of a test


def test_one_over_other_bytes_by_another_key_or_changed_afterwards_does_not(
    device: SoftwareSecurityKey,
) -> None:
    good = device.sign(SIGNED)
    assert count_of(device, good, SIGNED + b".") is None
    other = SoftwareSecurityKey(ORIGIN, secret=8)
    assert count_of(device, other.sign(SIGNED)) is None
    members = json.loads(good)
    for name in members:
        text = members[name]
        changed = ("A" if text[9] != "A" else "B").join((text[:9], text[10:]))
        bad = json.dumps(members | {name: changed}).encode()
        assert count_of(device, bad) is None, name
    for bad in (b"", b"{}", b"[]", b"\xff", good[:-1], good + b"{}", b"null"):
        assert count_of(device, bad) is None
    assert count_of(device, json.dumps(members | {"userHandle": ""}).encode()) is None
    padded = json.dumps(members | {"signature": members["signature"] + "="}).encode()
    assert count_of(device, padded) is None


def test_only_points_of_the_curve_are_keys(device: SoftwareSecurityKey) -> None:
    assert is_valid_p256_key(device.public)
    for bad in (b"", bytes(32), bytes(65), b"\x04" + bytes(64), device.public[:-1]):
        assert not is_valid_p256_key(bad)


def enrolled(public: bytes, credential: WebAuthnCredential | None) -> object:
    word = KeyEnrolment(
        public, ANA, 0, 10**19, WrittenBy.SELF_REPORTED, 0, webauthn=credential
    )
    return index_enrolled_keys([(LogPosition(0, 0), word)], [])


def test_a_key_is_enrolled_as_what_it_is(device: SoftwareSecurityKey) -> None:
    assert enrolled(device.public, device.credential)
    # Neither a point without a credential, nor an Ed25519 key with one.
    assert not enrolled(device.public, None)
    assert not enrolled(b"\x05" * 32, device.credential)


def test_an_id_is_the_thumbprint_of_the_jwk(device: SoftwareSecurityKey) -> None:
    numbers = device.private.public_key().public_numbers()
    jwk = joserfc.jwk.ECKey.import_key(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": base64url(numbers.x.to_bytes(32, "big")),
            "y": base64url(numbers.y.to_bytes(32, "big")),
        }
    )
    assert build_owner_key_id(device.public) == f"owner-key:{jwk.thumbprint()}"


def test_an_ed25519_signature_is_none_of_a_security_key(
    device: SoftwareSecurityKey,
) -> None:
    key = OwnerKey(device.id, device.public, ANA, (), (), device.credential)
    envelope = dsse.sign_envelope("t", b"p", device.id, b"a" * 32)
    assert signed_statements.verify_key_signature(envelope, key) is None
    sealed = dsse.decode_envelope(device.seal("t", b"p"))
    assert signed_statements.verify_key_signature(sealed, key) is not None
    plain = OwnerKey(device.id, b"\x05" * 32, ANA, (), ())
    assert signed_statements.verify_key_signature(sealed, plain) is None
