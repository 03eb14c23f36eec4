"""The stored inventory answers as the joined one, whatever happened in between."""

from dataclasses import fields
from pathlib import Path

import pytest

from answerable.inventory.name_resolution import (
    ENTITY_KINDS,
    build_entity_name_table,
    resolve_entity_by_name,
)
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.inventory import Inventory
from answerable.model.sighting import SightedFacts, Sync
from answerable.services.inventory import snapshots
from answerable.store import inventory_cache
from answerable.store.cache_generation import compute_snapshot_generation
from answerable.store.store import EvidenceStore
from tests.inventory.fact_builders import (
    DAY,
    NOW,
    agent,
    arn,
    credential,
    evidence,
    human,
    identity,
    link,
    tool,
)
from tests.inventory.stored_scans import save

ROLE = arn("role/data-reader")


def scanned(owner: str) -> Sync:
    user = agent("claude-code/ana")
    key = credential("cred:aws/AKIAIOSFODNN7EXAMPLE")
    facts = SightedFacts(
        persons=(human("ana@corp.example"), human("ben@corp.example")),
        agents=(user,),
        tools=(tool("claude-code/ana", "warehouse", key.id),),
        credentials=(key,),
        links=(link(key.id, ROLE),),
        identities=(identity("role/data-reader"), identity("user/path/ci")),
        evidence=(evidence(ROLE, owner),),
    )
    return Sync("aws:a", "aws", NOW, facts, collected=("identity-policies",))


def assert_same(one: Inventory, other: Inventory) -> None:
    for field in fields(SightedFacts):
        assert getattr(one.facts, field.name) == getattr(other.facts, field.name)
    for name in ("persons", "agents", "credentials", "owners", "own_owners"):
        assert dict(getattr(one, name)) == dict(getattr(other, name)), name
        assert list(getattr(one, name)) == list(getattr(other, name)), name
    for name in ("at", "name", "coverage", "judged_at"):
        assert getattr(one, name) == getattr(other, name), name


def load_joined(store: EvidenceStore, now: int = 0, name: str = "") -> Inventory:
    """Load an inventory that is not read back from the file in which it is saved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inventory_cache, "load_cached_inventory", lambda *_: None)
        return snapshots.load_inventory(store, name, now=now)


def test_a_stored_inventory_equals_the_joined_one(store: EvidenceStore) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    for now in (0, NOW + 400 * DAY):
        (store.root / "derived" / "inventory.blocks").unlink(missing_ok=True)
        joined = load_joined(store, now)
        stored = snapshots.load_inventory(store, now=now)
        assert joined.names is None and stored.names is not None  # noqa: PT018
        assert_same(joined, stored)
        table = build_entity_name_table(joined)
        assert dict(stored.names.entries) == dict(table.entries)
        assert dict(stored.names.principals) == dict(table.principals)


def test_the_first_question_reads_the_inventory_back_from_its_file(
    store: EvidenceStore,
) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    assert isinstance(
        snapshots.load_inventory(store).facts, inventory_cache.StoredFacts
    )


def test_facts_that_are_read_already_are_not_read_again_by_id(
    store: EvidenceStore,
) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    facts = snapshots.load_inventory(store).facts
    assert facts.identities_by_id()[ROLE] == facts.identities[0]
    for read, index in (
        (facts.identities, facts.identities_by_id),
        (facts.policies, facts.policies_by_id),
        (facts.resources, facts.resources_by_id),
    ):
        found = index()
        assert list(found) == [each.id for each in read]
        assert all(found[each.id] is each for each in read)
    assert facts.identities


@pytest.mark.parametrize(
    "text",
    [
        "data-reader",
        "DATA-READER",
        str(ROLE),
        "ci",
        "user/ci",
        "arn:aws:iam::111122223333:user/ci",
        "arn:aws:sts::111122223333:assumed-role/data-reader/session",
        "ana@corp.example",
        "nobody-here",
        "",
    ],
)
def test_a_name_is_resolved_alike_from_both(store: EvidenceStore, text: str) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    joined, stored = load_joined(store), snapshots.load_inventory(store)

    def told(inventory: Inventory) -> object:
        try:
            return resolve_entity_by_name(inventory, text, ENTITY_KINDS)
        except (AmbiguousError, UsageError) as error:
            return type(error), str(error), getattr(error, "hint", None)

    assert told(joined) == told(stored)


def test_what_changes_the_input_is_seen_at_once(store: EvidenceStore) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    assert (
        snapshots.load_inventory(store).owners[ROLE].person == "person:ana@corp.example"
    )
    save(store, [scanned("ben@corp.example")], NOW + 1)
    assert (
        snapshots.load_inventory(store).owners[ROLE].person == "person:ben@corp.example"
    )
    first = snapshots.list_snapshots(store)[0].name
    assert (
        snapshots.load_inventory(store, first).owners[ROLE].person
        == "person:ana@corp.example"
    )
    assert (
        snapshots.load_inventory(store).owners[ROLE].person == "person:ben@corp.example"
    )


def test_a_file_that_is_damaged_or_of_another_version_is_derived_again(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    joined = load_joined(store)
    path: Path = store.root / "derived" / "inventory.blocks"
    path.write_bytes(path.read_bytes()[:-1000])
    path.write_bytes(b"x" * 10)
    assert_same(joined, snapshots.load_inventory(store))
    monkeypatch.setattr(
        inventory_cache,
        "DERIVATION_VERSION",
        inventory_cache.DERIVATION_VERSION + 1,
    )
    digest = snapshots.list_snapshots(store)[-1].digest
    generation = compute_snapshot_generation(store, digest)
    assert inventory_cache.load_cached_inventory(store, generation, 0) is None
    assert_same(joined, snapshots.load_inventory(store))


def test_a_disk_that_refuses_leaves_the_answer(store: EvidenceStore) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    (store.root / "derived").write_bytes(b"not a folder")
    assert ROLE in snapshots.load_inventory(store).owners


def test_files_of_the_last_snapshot_serve_the_next_comparison(
    store: EvidenceStore,
) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    joined = load_joined(store)
    snapshots.load_inventory(store).derived.save("steps", {})  # type: ignore[union-attr]
    save(store, [scanned("ben@corp.example")], NOW + 1)
    snapshots.load_inventory(store)
    first = snapshots.list_snapshots(store)[0].name
    earlier = snapshots.load_inventory(store, first)
    assert earlier.names is not None  # read from the file
    assert_same(joined, earlier)
    assert earlier.derived is not None
    assert earlier.derived.load("steps") is not None
    latest = snapshots.load_inventory(store)
    assert latest.derived is not None
    assert latest.derived.load("steps") is None
    assert latest.owners[ROLE].person == "person:ben@corp.example"


def test_an_earlier_snapshot_is_read_from_its_file(store: EvidenceStore) -> None:
    for number, person in enumerate(("ana", "ben", "cai")):
        save(store, [scanned(f"{person}@corp.example")], NOW + number)
    names = [each.name for each in snapshots.list_snapshots(store)]
    for name in (names[0], names[1], names[0]):
        joined = load_joined(store, name=name)
        assert joined.names is None
        assert_same(joined, snapshots.load_inventory(store, name))
