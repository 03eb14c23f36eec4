"""Owner keys: thumbprint, first holder and points of small order."""

from answerable.evidence import signed_statements
from answerable.evidence.signed_statements import index_enrolled_keys
from answerable.model.owner_signing_key import (
    KeyEnrolment,
    LogPosition,
    build_owner_key_id,
)
from answerable.model.provenance import WrittenBy
from tests.evidence.test_signed_statements import ANA, BEN, IDS, NOW, PUBLIC, enrolled


def test_the_thumbprint_is_that_of_rfc_8037_a_3() -> None:
    public = bytes.fromhex(
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert build_owner_key_id(public) == (
        "owner-key:kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )


def test_a_key_is_its_first_persons() -> None:
    keys = index_enrolled_keys([enrolled(BEN, ANA, at=7), enrolled(ANA, ANA, at=3)], [])
    assert keys[IDS[ANA]].person == ANA
    assert len(keys[IDS[ANA]].enrolled) == 1


def test_a_key_of_small_order_is_none() -> None:
    forged = KeyEnrolment(bytes(32), ANA, 0, NOW, WrittenBy.SELF_REPORTED, 0)
    assert index_enrolled_keys([(LogPosition(0, 0), forged)], []) == {}
    assert not signed_statements.is_valid_public_key(b"\x01" + bytes(31))
    assert not signed_statements.is_valid_public_key(b"\xff" * 32)
    assert not signed_statements.is_valid_public_key(b"short")
    assert all(signed_statements.is_valid_public_key(raw) for raw in PUBLIC.values())
