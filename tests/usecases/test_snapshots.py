import gc
from pathlib import Path

import msgspec
import pytest

from answerable.model.errors import UsageError, VerificationError
from answerable.model.person import OwnerEvidenceKind, OwnerState
from answerable.model.sighting import SightedFacts, Sync
from answerable.services.inventory import snapshots
from answerable.store.store import EvidenceStore
from tests.inventory.fact_builders import (
    DAY,
    NOW,
    agent,
    arn,
    evidence,
    human,
    identity,
    tool,
)
from tests.inventory.stored_scans import save

ROLE = arn("role/data-reader")
SECOND = 10**9


def made(source: str, at: int = NOW, owner: str = "") -> Sync:
    facts = SightedFacts(
        identities=(identity("role/data-reader"),),
        evidence=(evidence(ROLE, owner),) if owner else (),
    )
    return Sync(source, source.partition(":")[0], at, facts)


def test_an_empty_store_gives_an_empty_inventory(store: EvidenceStore) -> None:
    inventory = snapshots.load_inventory(store)
    assert (inventory.at, inventory.name, inventory.coverage) == (0, "", ())
    assert snapshots.load_declared_uses(store) == ()


def test_a_snapshot_is_named_by_its_time_and_found_by_its_name(
    store: EvidenceStore,
) -> None:
    first = save(store, [made("aws:a")], NOW)
    second = save(store, [made("aws:b")], NOW + 90 * SECOND)
    assert (first, second) == ("2024-10-04T00-00-00Z", "2024-10-04T00-01-30Z")
    assert [c.source for c in snapshots.load_inventory(store, first).coverage] == [
        "aws:a"
    ]
    assert snapshots.load_inventory(store).name == second
    assert snapshots.load_inventory(store, "latest").name == second


def test_two_snapshots_of_one_second_have_two_names(store: EvidenceStore) -> None:
    names = [save(store, [made("aws:a")], NOW + n) for n in range(3)]
    assert len(set(names)) == 3
    assert [snapshots.load_inventory(store, name).name for name in names] == names


def test_an_unknown_snapshot_is_told_the_nearest_name(store: EvidenceStore) -> None:
    save(store, [made("aws:a")], NOW)
    with pytest.raises(UsageError) as caught:
        snapshots.load_inventory(store, "2024-10-04T00-00-01Z")
    assert caught.value.hint == "did you mean 2024-10-04T00-00-00Z?"


def test_a_name_near_to_no_snapshot_is_told_the_newest_ones(
    store: EvidenceStore,
) -> None:
    with pytest.raises(UsageError) as empty:
        snapshots.load_inventory(store, "nope")
    assert empty.value.hint == "run `answerable scan` first"
    names = [save(store, [made("aws:a")], NOW + n * DAY) for n in range(4)]
    with pytest.raises(UsageError) as caught:
        snapshots.load_inventory(store, "nope")
    assert caught.value.hint == f"the newest are {names[3]}, {names[2]}, {names[1]}"


def test_a_snapshot_keeps_the_latest_sync_of_every_other_source(
    store: EvidenceStore,
) -> None:
    save(store, [made("aws:a"), made("home:h")], NOW)
    save(store, [made("aws:a", NOW + DAY)], NOW + DAY)
    assert [(c.source, c.at) for c in snapshots.load_inventory(store).coverage] == [
        ("aws:a", NOW + DAY),
        ("home:h", NOW),
    ]


def test_every_noun_survives_the_store(store: EvidenceStore) -> None:
    sync = Sync(
        "home:h",
        "home",
        NOW,
        SightedFacts(
            persons=(human("ana@corp.example", "ana"),),
            agents=(agent(),),
            tools=(tool("claude-code/home/ana", "db"),),
            identities=(identity("role/data-reader", tags=(("Owner", "ana"),)),),
            evidence=(evidence(ROLE, "ana"),),
        ),
    )
    digest = store.put_object("sync", msgspec.json.encode(sync), NOW)
    assert snapshots.read_stored_object(store, digest, Sync) == sync


@pytest.mark.parametrize("kind", ["sync", "snapshot"])
def test_a_damaged_object_is_one_line(store: EvidenceStore, kind: str) -> None:
    save(store, [made("aws:a")], NOW)
    (logged,) = store.list_objects(kind)
    (store.root / "objects" / logged.digest).write_bytes(b"junk")
    with pytest.raises(VerificationError) as caught:
        snapshots.load_inventory(store)
    assert caught.value.message == f"stored {kind} {logged.digest[:16]} is damaged"
    assert caught.value.hint


def test_a_new_scan_replaces_a_damaged_sync(store: EvidenceStore) -> None:
    save(store, [made("aws:a"), made("home:h")], NOW)
    for logged in store.list_objects("sync")[:1]:
        (store.root / "objects" / logged.digest).write_bytes(b"junk")
    save(store, [made("aws:a", NOW + DAY)], NOW + DAY)
    assert len(snapshots.load_inventory(store).coverage) == 2


def test_a_missing_object_is_one_line(store: EvidenceStore) -> None:
    save(store, [made("aws:a")], NOW)
    (logged,) = store.list_objects("sync")
    Path(store.root / "objects" / logged.digest).unlink()
    with pytest.raises(VerificationError, match=r"stored sync [0-9a-f]{16} is missing"):
        snapshots.load_inventory(store)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"taken_at": "x"}', b"\xff\xfe", b"[" * 100_000]
)
def test_an_object_of_another_shape_is_one_line(
    store: EvidenceStore, data: bytes
) -> None:
    store.put_object("snapshot", data, NOW)
    with pytest.raises(VerificationError, match="cannot be decoded"):
        snapshots.load_inventory(store)


def test_an_owner_is_as_old_as_the_moment_asked_for(store: EvidenceStore) -> None:
    save(store, [made("aws:a", owner="ana@corp.example")], NOW)
    fresh = snapshots.load_inventory(store)
    later = snapshots.load_inventory(store, now=NOW + 540 * DAY)
    assert fresh.owners[ROLE].state is OwnerState.INFERRED
    assert later.owners[ROLE].state is OwnerState.SUGGESTED


def test_declared_uses_follow_an_owner_through_the_snapshots(
    store: EvidenceStore,
) -> None:
    save(store, [made("aws:a", owner="ana@corp.example")], NOW)
    save(store, [made("aws:a", NOW + DAY, "ben@corp.example")], NOW + DAY)
    save(store, [made("aws:a", NOW + 2 * DAY, "ben@corp.example")], NOW + 2 * DAY)
    uses = snapshots.load_declared_uses(store)
    assert [(u.person, u.valid_from, u.valid_to, u.hindsight) for u in uses] == [
        ("person:ana@corp.example", 0, NOW, True),
        ("person:ana@corp.example", NOW, NOW + DAY, False),
        ("person:ben@corp.example", NOW + DAY, snapshots.FOREVER, False),
    ]
    assert uses[0].source == "snapshot 2024-10-04T00-00-00Z place"


def test_a_history_keeps_only_the_scans_of_one_snapshot(store: EvidenceStore) -> None:
    for day in range(6):
        save(store, [made("aws:a", NOW + day * DAY)], NOW + day * DAY)
    gc.collect()
    before = count_syncs()
    most = max(count_syncs() for _ in snapshots.iterate_snapshot_history(store))
    assert most - before <= 4  # one of it, one of the last, and what joins them


def count_syncs() -> int:
    return sum(type(each) is Sync for each in gc.get_objects())


def test_what_a_later_snapshot_lacks_ends_with_it(store: EvidenceStore) -> None:
    save(store, [made("aws:a")], NOW)
    gone = Sync("aws:a", "aws", NOW + DAY, SightedFacts())
    save(store, [gone], NOW + DAY)
    _, use = snapshots.load_declared_uses(store)
    assert (use.subject, use.valid_to, use.owner_state) == (ROLE, NOW + DAY, "none")


def test_declared_uses_name_agents_and_tools_and_no_mere_suggestion(
    store: EvidenceStore,
) -> None:
    runner = agent("agentcore/runner", scope="", runs_as=(ROLE,))
    facts = SightedFacts(
        agents=(runner,),
        identities=(identity("role/data-reader"),),
        evidence=(evidence(ROLE, "ana", OwnerEvidenceKind.NAME_MATCH),),
    )
    save(store, [Sync("aws:a", "aws", NOW, facts)], NOW)
    uses = [u for u in snapshots.load_declared_uses(store) if u.subject == ROLE]
    assert uses
    for use in uses:
        assert (use.agents, use.person) == ((runner.id,), "")
        assert use.owner_state == "suggested"


def test_declared_uses_name_the_owner_of_an_agent(store: EvidenceStore) -> None:
    runner = agent("agentcore/runner", scope="")
    facts = SightedFacts(
        agents=(runner,),
        evidence=(evidence(runner.id, "ana", OwnerEvidenceKind.OWNER_TAG),),
    )
    save(store, [Sync("aws:a", "aws", NOW, facts)], NOW)
    uses = [u for u in snapshots.load_declared_uses(store) if u.subject == runner.id]
    assert [(u.person, u.agents) for u in uses] == [("person:ana", ())] * 2
