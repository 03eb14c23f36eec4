"""Signed attestations in a store: recorded, verified, polled."""

import os
import shutil
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.evidence import dsse, owner_attestations, signed_statements
from answerable.model.errors import VerificationError
from answerable.model.ids import AgentId, PersonId
from answerable.model.owner_signing_key import StatementInvalidity
from answerable.model.person import OwnerEvidenceKind, OwnerState
from answerable.model.provenance import WrittenBy
from answerable.services.inventory import snapshots
from answerable.services.statements import attested_owners, key_enrolment, owner_keys
from answerable.services.statements.attested_owners import (
    AttestedOwner,
    AttestedOwnerReader,
    read_attested_owners,
)
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory import ownership
from tests.inventory.fact_builders import DAY, NOW, evidence
from tests.usecases.owned_store import (
    AGENTS,
    ANA,
    BEN,
    OF,
    A,
    B,
    attest,
    enroll,
    scan,
)


@pytest.fixture(autouse=True)
def scanned(store: EvidenceStore) -> None:
    scan(store)


def owners(store: EvidenceStore, now: int = NOW) -> Mapping[AgentId, PersonId]:
    return {
        agent: owner.person for agent, owner in read_attested_owners(store, now).items()
    }


def test_who_signs_with_an_enrolled_key_is_attested(store: EvidenceStore) -> None:
    enroll(store, A, ANA)
    item = attest(store)
    assert (item["state"], item["person"]) == ("attested", ANA)
    (reason,) = item["candidates"][0]["evidence"]
    assert (reason["key"], reason["void"], reason["written_by"]) == (A.id, "", "person")
    (digest,) = {o.digest for o in store.list_objects(owner_keys.ATTESTATION)}
    signed = dsse.decode_envelope(store.get_object(digest)).payload
    assert read_attested_owners(store, NOW + DAY) == {
        AGENTS[0]: AttestedOwner(
            AGENTS[0],
            ANA,
            A.id,
            NOW,
            NOW + 180 * DAY,
            signed_statements.hash_signed_payload(dsse.DsseEnvelope("", signed, ())),
        )
    }


def test_each_attestation_names_the_one_before(store: EvidenceStore) -> None:
    enroll(store, A, ANA)
    enroll(store, B, BEN)
    attest(store)
    first = read_attested_owners(store, NOW)[AGENTS[0]].digest
    attest(store, B, BEN, at=NOW + DAY)
    said = [
        signed_statements.decode_statement(store.get_object(o.digest))[1]
        for o in store.list_objects(owner_keys.ATTESTATION)
    ]
    assert [each.get_statement_claim("previous") for each in said] == ["", first]
    assert owners(store, NOW + DAY) == {AGENTS[0]: BEN}


def test_a_known_alias_of_the_keys_person_is_that_person(store: EvidenceStore) -> None:
    enroll(store, A, ANA)
    assert attest(store, person="Ana")["person"] == ANA


def test_a_key_that_does_not_count_is_refused_and_nothing_recorded(
    store: EvidenceStore,
) -> None:
    with pytest.raises(VerificationError, match="not enrolled"):
        attest(store)
    enroll(store, B, BEN)
    with pytest.raises(VerificationError, match=r"belongs to person:ben@corp\.example"):
        attest(store, B, ANA)
    enroll(store, A, ANA, days=10)
    with pytest.raises(VerificationError, match="had expired"):
        attest(store, at=NOW + 10 * DAY)
    key_enrolment.revoke_owner_key(store, A.id, since=None, uid=0, now=NOW + DAY)
    with pytest.raises(VerificationError, match="revoked"):
        attest(store, at=NOW + DAY)
    assert store.list_objects(owner_keys.ATTESTATION) == ()
    assert owners(store, NOW + DAY) == {}


def test_who_has_left_signs_nothing_and_attests_nothing(store: EvidenceStore) -> None:
    enroll(store, A, ANA)
    attest(store)
    scan(store, ANA.removeprefix("person:"), at=NOW + DAY)
    assert owners(store, NOW + DAY) == {}
    with pytest.raises(VerificationError, match="has left"):
        attest(store, at=NOW + DAY)
    asked = ownership.show_owner(
        snapshots.load_inventory(store), AGENTS[0], now=NOW + DAY
    ).items[0]
    assert asked["state"] == "owner-left"


def test_a_revocation_reaches_back_to_its_time_and_no_further(
    store: EvidenceStore,
) -> None:
    enroll(store, A, ANA)
    attest(store)
    attest(store, subject=AGENTS[1], at=NOW + 5 * DAY)
    key_enrolment.revoke_owner_key(
        store, A.id[:20], since=NOW + 3 * DAY, uid=0, now=NOW + 6 * DAY
    )
    assert owners(store, NOW + 6 * DAY) == {AGENTS[0]: ANA}
    item = ownership.show_owner(
        snapshots.load_inventory(store), AGENTS[1], now=NOW + 6 * DAY
    ).items[0]
    assert item["state"] == "none"
    assert item["candidates"][0]["evidence"][0]["void"] == "key-revoked"  # type: ignore[index]


def forged(store: EvidenceStore, *, subject: str = AGENTS[0], at: int = NOW) -> bytes:
    """A whole attestation by A, as its thief would make it."""
    said = owner_attestations.build_attestation_content(
        subject, ANA, previous="", now=at
    ).build_owner_statement(A.id, owner_keys.get_store_id(store), at)
    return dsse.encode_envelope(
        dsse.sign_envelope(
            signed_statements.PAYLOAD_TYPE,
            signed_statements.encode_payload(said),
            A.id,
            A.seed,
        )
    )


def test_a_stolen_key_dates_nothing_back_behind_its_revocation(
    store: EvidenceStore,
) -> None:
    enroll(store, A, ANA)
    key_enrolment.revoke_owner_key(store, A.id, since=None, uid=0, now=NOW + DAY)
    for signed_at, recorded in ((0, 2), (0, 0), (1, 1), (2, 2)):
        data = forged(store, at=NOW + signed_at * DAY)
        store.put_object(owner_keys.ATTESTATION, data, NOW + recorded * DAY)
    assert owners(store, NOW + 2 * DAY) == {}


def test_an_old_envelope_that_is_replayed_moves_nothing(store: EvidenceStore) -> None:
    enroll(store, A, ANA)
    enroll(store, B, BEN)
    data = forged(store)
    store.put_object(owner_keys.ATTESTATION, data, NOW)
    attest(store, B, BEN, at=NOW + 100)
    wrapped = data.replace(b'"payload"', b'"more": 1, "payload"')
    for again in (data, wrapped):
        store.put_object(owner_keys.ATTESTATION, again, NOW + 200)
        store.put_object(owner_keys.ATTESTATION, again, NOW + 9 * DAY)
    assert owners(store, NOW + 9 * DAY) == {AGENTS[0]: BEN}


def test_an_envelope_of_another_store_says_nothing_here(
    store: EvidenceStore, tmp_path: object
) -> None:
    enroll(store, A, ANA)
    with EvidenceStore.open(store.root.parent / "other", now=NOW) as other:
        enroll(other, A, ANA)
        scan(other)
        data = forged(other)
        other.put_object(owner_keys.ATTESTATION, data, NOW)
        assert owners(other) == {AGENTS[0]: ANA}
    store.put_object(owner_keys.ATTESTATION, data, NOW)
    assert owners(store) == {}
    with pytest.raises(signed_statements.InvalidStatement) as caught:
        owner_keys.verify_new_statement(store, data, NOW)
    assert caught.value.void is StatementInvalidity.OTHER_STORE


def test_a_statement_is_verified_for_later_users(store: EvidenceStore) -> None:
    enroll(store, A, ANA)
    found = owner_keys.verify_new_statement(store, forged(store), NOW + 1)
    assert (found.key.person, found.statement.subject) == (ANA, AGENTS[0])
    key_enrolment.revoke_owner_key(store, A.id, since=None, uid=0, now=NOW + 2)
    with pytest.raises(signed_statements.InvalidStatement):
        owner_keys.verify_new_statement(store, forged(store), NOW + 3)


def test_an_unsigned_statement_that_calls_itself_signed_is_a_confirmation(
    store: EvidenceStore,
) -> None:
    said = evidence(
        AGENTS[0],
        "eve@corp.example",
        OwnerEvidenceKind.ATTESTATION,
        by=WrittenBy.PERSON,
    )
    store.put_object("attestation", msgspec.json.encode(said), NOW)
    item = ownership.show_owner(
        snapshots.load_inventory(store), AGENTS[0], now=NOW
    ).items[0]
    assert item["state"] == "confirmed"
    assert owners(store) == {}


def test_what_no_envelope_is_attests_nothing_and_stops_nothing(
    store: EvidenceStore,
) -> None:
    enroll(store, A, ANA)
    for data in (b"", b"{}", b"[" * 100_000, b'{"payload":"","payloadType":""}'):
        store.put_object(owner_keys.ATTESTATION, data, NOW)
    attest(store)
    assert owners(store) == {AGENTS[0]: ANA}


def test_a_poll_reads_again_only_when_the_log_has_grown(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    enroll(store, A, ANA)
    attest(store)
    reads: list[int] = []
    real = attested_owners._read_latest_persons

    def counted(store: EvidenceStore) -> object:
        reads.append(1)
        return real(store)

    monkeypatch.setattr(attested_owners, "_read_latest_persons", counted)
    poll = AttestedOwnerReader(store)
    for now in range(5):
        assert set(poll.owners_by_agent(NOW + now)) == {AGENTS[0]}
    assert len(reads) == 1
    store.put_object("conflict", b"[]", NOW)  # the log grows, nothing of ours
    assert set(poll.owners_by_agent(NOW)) == {AGENTS[0]}
    assert len(reads) == 1
    with EvidenceStore.open(store.root, now=NOW) as elsewhere:
        attest(elsewhere, subject=AGENTS[1])
    assert set(poll.owners_by_agent(NOW)) == set(AGENTS[:2])
    assert len(reads) == 2
    assert poll.owners_by_agent(NOW + 180 * DAY) == {}
    with EvidenceStore.open(store.root, now=NOW) as elsewhere:
        key_enrolment.revoke_owner_key(elsewhere, A.id, since=NOW, uid=0, now=NOW + 1)
    assert poll.owners_by_agent(NOW + 1) == {}


def test_a_log_that_was_changed_on_disk_attests_nobody(store: EvidenceStore) -> None:
    enroll(store, A, ANA)
    attest(store)
    with EvidenceStore.open(store.root.parent / "other", now=NOW) as other:
        enroll(other, B, BEN)
        folder = store.root / "log"
        shutil.rmtree(folder)
        shutil.copytree(other.root / "log", folder)
        for each in os.listdir(other.root / "objects"):
            shutil.copy(other.root / "objects" / each, store.root / "objects" / each)
    with (
        EvidenceStore.open(store.root, now=NOW) as again,
        pytest.raises(VerificationError),
    ):
        read_attested_owners(again, NOW)


def test_an_object_that_was_changed_on_disk_attests_nobody(
    store: EvidenceStore,
) -> None:
    enroll(store, A, ANA)
    attest(store)
    for kind in (owner_keys.ENROLMENT, owner_keys.ATTESTATION):
        (logged,) = store.list_objects(kind)
        path = store.root / "objects" / logged.digest
        kept = path.read_bytes()
        path.unlink()
        with pytest.raises(VerificationError):
            read_attested_owners(store, NOW)
        path.write_bytes(b"x" + kept)
        with pytest.raises(VerificationError):
            read_attested_owners(store, NOW)
        path.write_bytes(kept)
    assert owners(store) == {AGENTS[0]: ANA}


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("attest"), st.sampled_from((ANA, BEN)), st.sampled_from(AGENTS)
        ),
        st.tuples(st.just("revoke"), st.sampled_from((ANA, BEN)), st.integers(-2, 1)),
        st.tuples(
            st.just("confirm"), st.sampled_from((ANA, BEN)), st.sampled_from(AGENTS)
        ),
        st.tuples(st.just("leave"), st.sampled_from((ANA, BEN)), st.none()),
        st.tuples(st.just("wait"), st.integers(1, 120), st.none()),
    ),
    max_size=7,
)


@settings(max_examples=15)
@given(steps)
def test_what_is_polled_is_what_who_owns_says(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, object, object]]
) -> None:
    now = NOW
    with EvidenceStore.open(
        tmp_path_factory.mktemp("story") / "store", now=NOW
    ) as store:
        scan(store)
        for person, key in OF.items():
            enroll(store, key, person)
        poll, gone = AttestedOwnerReader(store), set()
        for verb, who, what in story:
            now += 1000
            if verb == "wait":
                assert isinstance(who, int)
                now += who * DAY
                continue
            person = PersonId(str(who))
            if verb == "attest":
                try:
                    attest(store, OF[person], person, str(what), now)
                except VerificationError:
                    continue
            elif verb == "confirm":
                inventory = snapshots.load_inventory(store)
                ownership.attest_unsigned(store, inventory, str(what), person, now=now)
            elif verb == "revoke":
                assert isinstance(what, int)
                key_enrolment.revoke_owner_key(
                    store, OF[person].id, since=now + what * DAY, uid=0, now=now
                )
            else:
                gone.add(person.removeprefix("person:"))
                scan(store, *gone, at=now)
            inventory = snapshots.load_inventory(store, now=now)
            said = {
                subject: owner.person
                for subject, owner in inventory.owners.items()
                if owner.state is OwnerState.ATTESTED
            }
            assert {k: v.person for k, v in poll.owners_by_agent(now).items()} == said
            for later in (0, 90 * DAY, 180 * DAY - 1, 180 * DAY, -1):
                assert poll.owners_by_agent(now + later) == read_attested_owners(
                    store, now + later
                )
