"""Owner keys in a store: who may be enrolled, and what is told of them."""

import pytest

from answerable.evidence.signed_note import derive_verifier_key
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId, build_person_id
from answerable.services.statements import key_enrolment, owner_keys
from answerable.services.statements.owner_keys import LocalSigner
from answerable.store.store import EvidenceStore
from tests.inventory.fact_builders import DAY, NOW

ANA, BEN = build_person_id("ana@corp.example"), build_person_id("ben@corp.example")


def signer(letter: str) -> LocalSigner:
    seed = letter.encode() * 32
    return LocalSigner(derive_verifier_key("key", seed).raw, seed)


A, B = signer("a"), signer("b")


def enroll(
    store: EvidenceStore,
    key: LocalSigner,
    person: PersonId,
    *,
    at: int = NOW,
    days: int = 365,
) -> None:
    key_enrolment.enroll_owner_key(
        store,
        key.public,
        person,
        valid_from=at,
        valid_until=at + days * DAY,
        uid=1000,
        now=at,
    )


ENROLLING = {
    "small order": (bytes(32), ANA, 0, 1, "usable"),
    "over before it begins": (A.public, ANA, 2, 1, "valid from"),
    "over already": (A.public, ANA, -2, -1, "valid from"),
    "another's": (B.public, ANA, 0, 1, "belongs to person:ben"),
}


@pytest.mark.parametrize(
    ("public", "person", "begin", "end", "why"),
    ENROLLING.values(),
    ids=ENROLLING.keys(),
)
def test_a_key_that_may_not_be_enrolled_is_told_why(
    store: EvidenceStore,
    public: bytes,
    person: PersonId,
    begin: int,
    end: int,
    why: str,
) -> None:
    enroll(store, B, BEN)
    with pytest.raises(UsageError, match=why):
        key_enrolment.enroll_owner_key(
            store,
            public,
            person,
            valid_from=NOW + begin * DAY,
            valid_until=NOW + end * DAY,
            uid=0,
            now=NOW,
        )
    assert len(store.list_objects(owner_keys.ENROLMENT)) == 1


def test_a_revoked_key_stays_revoked(store: EvidenceStore) -> None:
    enroll(store, A, ANA)
    key_enrolment.revoke_owner_key(store, A.id, since=None, uid=0, now=NOW + 1)
    with pytest.raises(UsageError, match="cannot be enrolled again"):
        enroll(store, A, ANA, at=NOW + 2)
    (item,) = key_enrolment.list_owner_keys(store, now=NOW + 2).items
    assert (item["state"], item["written_by"]) == ("revoked", "self-reported")


@pytest.mark.parametrize(
    ("at", "state"), [(-1, "not-yet"), (0, "valid"), (364, "valid"), (365, "expired")]
)
def test_the_list_says_what_a_key_is_worth(
    store: EvidenceStore, at: int, state: str
) -> None:
    enroll(store, A, ANA)
    (item,) = key_enrolment.list_owner_keys(store, now=NOW + at * DAY).items
    assert item["state"] == state


def test_an_unknown_or_short_key_name_is_told(store: EvidenceStore) -> None:
    enroll(store, A, ANA)
    for name in ("", "owner-key:", A.id[:13], "owner-key:zzzzzz"):
        with pytest.raises(UsageError, match="unknown owner key"):
            key_enrolment.revoke_owner_key(store, name, since=None, uid=0, now=NOW)
