import pytest

from answerable.model.documents.owners import OwnershipItem
from answerable.model.errors import IdError, UsageError
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import SightedFacts, Sync
from answerable.services.inventory import snapshots
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory import ownership
from tests.inventory.fact_builders import DAY, NOW, arn, evidence, human, identity
from tests.inventory.stored_scans import save

ROLE = arn("role/data-reader")


@pytest.fixture(autouse=True)
def scanned(store: EvidenceStore) -> None:
    facts = SightedFacts(
        persons=(
            human("ana"),
            human("ana", "boss@corp.example", by=WrittenBy.SELF_REPORTED),
            human("cleo@corp.example", "cleo"),
        ),
        identities=(identity("role/data-reader"),),
        evidence=(evidence(ROLE, "ben@corp.example"),),
    )
    save(store, [Sync("aws:a", "aws", NOW, facts)], NOW)


def asked(
    store: EvidenceStore, subject: str = "data-reader", now: int = NOW
) -> OwnershipItem:
    document = ownership.show_owner(snapshots.load_inventory(store), subject, now=now)
    (item,) = document.items
    return item  # type: ignore[return-value]  # of that kind


def attest(store: EvidenceStore, person: str, at: int = NOW) -> OwnershipItem:
    document = ownership.attest_unsigned(
        store, snapshots.load_inventory(store), "data-reader", person, now=at
    )
    (item,) = document.items
    return item  # type: ignore[return-value]  # of that kind


def test_an_owner_comes_with_score_margin_and_evidence(store: EvidenceStore) -> None:
    item = asked(store)
    assert (item["id"], item["state"]) == (ROLE, "inferred")
    assert (item["person"], item["score"]) == ("person:ben@corp.example", 0.75)
    (candidate,) = item["candidates"]
    (reason,) = candidate["evidence"]
    assert (reason["kind"], reason["weight"]) == ("owner-tag", 0.75)
    assert reason["written_by"] == "platform"


def test_evidence_ages_while_nobody_scans(store: EvidenceStore) -> None:
    assert asked(store, now=NOW + 540 * DAY)["state"] == "suggested"


def test_a_confirmation_is_above_and_the_rest_is_kept(store: EvidenceStore) -> None:
    item = attest(store, "dana@corp.example")
    assert (item["state"], item["person"]) == ("confirmed", "person:dana@corp.example")
    assert [c["person"] for c in item["candidates"]] == [
        "person:dana@corp.example",
        "person:ben@corp.example",
    ]
    assert asked(store) == item


def test_a_later_confirmation_is_above_and_the_first_is_kept(
    store: EvidenceStore,
) -> None:
    attest(store, "dana@corp.example")
    item = attest(store, "eve@corp.example", NOW + DAY)
    assert item["person"] == "person:eve@corp.example"
    assert len(item["candidates"]) == 3
    assert len(store.list_objects("attestation")) == 2


def test_a_confirmation_outlives_the_next_scan(store: EvidenceStore) -> None:
    attest(store, "dana@corp.example")
    save(store, [Sync("home:h", "home", NOW + DAY)], NOW + DAY)
    assert asked(store)["state"] == "confirmed"


def test_a_known_alias_means_its_person_and_a_claimed_one_does_not(
    store: EvidenceStore,
) -> None:
    assert attest(store, "Cleo")["person"] == "person:cleo@corp.example"
    # Only files that an agent could have written call ana the boss.
    item = attest(store, "boss@corp.example", NOW + DAY)
    assert item["person"] == "person:boss@corp.example"


def test_an_owner_without_a_name_is_refused(store: EvidenceStore) -> None:
    with pytest.raises(IdError):
        attest(store, "  ")
    assert store.list_objects("attestation") == ()


@pytest.mark.parametrize(
    "text", ["x y", "ana@corp.example ben@corp.example", "x\u2003y"]
)
def test_an_owner_is_one_address_or_handle(store: EvidenceStore, text: str) -> None:
    with pytest.raises(UsageError, match="expected one address or handle"):
        attest(store, text)
    assert store.list_objects("attestation") == ()


def test_an_unknown_subject_is_told_the_nearest(store: EvidenceStore) -> None:
    with pytest.raises(UsageError) as caught:
        asked(store, "data-raeder")
    assert caught.value.hint == "did you mean data-reader?"


def test_an_unsigned_confirmation_is_self_reported_and_routes(
    store: EvidenceStore,
) -> None:
    item = attest(store, "dana@corp.example")
    (reason,) = item["candidates"][0]["evidence"]
    assert (reason["kind"], reason["written_by"]) == ("confirmation", "self-reported")
    assert (item["state"], item["score"], reason["weight"]) == ("confirmed", 0.95, 0.95)
