"""Chains derived from the store: a cache that is derived again, never believed."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from answerable.lineage.chain_index import ChainIndex
from answerable.model.inventory import Inventory
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Snapshot
from answerable.services.inventory import snapshots
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.run_sql import run_sql_query
from tests.lineage.conftest import ACCOUNT, NOW, ask, keep, made

USER = f"arn:aws:iam::{ACCOUNT}:user/ana"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"


def derived(store: EvidenceStore) -> Path:
    return store.root / "derived" / "lineage.bin"


def test_removing_the_derived_file_changes_no_answer(day: EvidenceStore) -> None:
    before = ask(day)
    derived(day).unlink()
    assert ask(day) == before


def test_a_derived_file_that_was_changed_is_derived_again(day: EvidenceStore) -> None:
    before = ask(day)
    for content in (b"", b"x" * 100, derived(day).read_bytes()[:-9] + b"123456789"):
        derived(day).write_bytes(content)
        assert ask(day) == before


def test_a_derived_file_of_another_store_is_not_believed(
    day: EvidenceStore, tmp_path: Path
) -> None:
    before = ask(day)
    with EvidenceStore.open(tmp_path / "other", now=NOW) as other:
        keep(other, [made(1, identity="arn:aws:iam::1:role/x")])
        load_or_compute_chains(other)
        foreign = derived(other).read_bytes()
    derived(day).write_bytes(foreign)
    assert ask(day) == before


def lineage_rows(store: EvidenceStore) -> list[dict[str, object]]:
    query = "SELECT * FROM lineage ORDER BY event_time, event_id"
    return run_sql_query(
        store, snapshots.load_inventory(store, now=NOW), query, now=NOW
    ).items


def test_a_chain_file_that_was_changed_or_is_foreign_is_written_again(
    day: EvidenceStore, tmp_path: Path
) -> None:
    def find_file(store: EvidenceStore) -> Path:
        (found,) = (store.root / "derived" / "chains").iterdir()
        return found

    before = lineage_rows(day)
    file = find_file(day)
    whole = file.read_bytes()
    with EvidenceStore.open(tmp_path / "other", now=NOW) as other:
        keep(other, [made(1, identity="arn:aws:iam::1:role/x")])
        lineage_rows(other)
        foreign = find_file(other).read_bytes()
    for content in (b"", b"PAR1" * 9, whole[:-9] + b"123456789", foreign):
        find_file(day).write_bytes(content)
        assert lineage_rows(day) == before
    find_file(day).unlink()
    assert lineage_rows(day) == before
    shutil.rmtree(file.parent)
    file.parent.touch()  # a folder cannot be made
    assert lineage_rows(day) == before


def test_a_scan_during_a_question_changes_the_chains_of_the_next(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question loaded its snapshot before the scan was stored."""
    leaf = "agent:declared/leaf"
    keep(store, [made(1, source="gateway", agent=leaf, tool="tool:x")])
    store.put_object("snapshot", msgspec.json.encode(Snapshot(NOW, ())), NOW)
    load = snapshots.load_inventory

    def load_and_scan(opened: EvidenceStore, *_: object, **__: object) -> Inventory:
        number = len(opened.list_objects("snapshot"))
        parent = SimpleNamespace(agent=SimpleNamespace(parent=f"agent:root{number}"))
        if number == 1:
            other = msgspec.json.encode(Snapshot(NOW + 1, ()))
            opened.put_object("snapshot", other, NOW + 1)
        return replace(load(opened, now=NOW), agents={leaf: parent})  # type: ignore[dict-item]

    monkeypatch.setattr(snapshots, "load_inventory", load_and_scan)
    ask(store)
    (item,) = ask(store)
    assert item["agent_path"] == ["agent:root2", leaf]


def test_the_lineage_view_follows_late_events(store: EvidenceStore) -> None:
    key = "cred:aws/ASIAEXAMPLE000001"
    keep(store, [made(2, identity=ROLE, credential=key)])
    (before,) = lineage_rows(store)
    assert before["identity_path"] == [ROLE]
    keep(store, [made(1, identity=USER, issued=key, issued_to=ROLE)])
    assert lineage_rows(store)[1]["identity_path"] == [USER, ROLE]


def test_a_late_issuance_improves_the_chain_and_no_event_changes(
    store: EvidenceStore,
) -> None:
    key = "cred:aws/ASIAEXAMPLE000001"
    keep(store, [made(2, identity=ROLE, credential=key)])
    (before,) = ask(store)
    assert before["identity_path"] == [ROLE]
    keep(store, [made(1, identity=USER, issued=key, issued_to=ROLE)])
    after = ask(store)[1]
    assert after["identity_path"] == [USER, ROLE]
    assert after["event_id"] == before["event_id"]


def test_a_failed_or_self_reported_issuance_joins_nothing(store: EvidenceStore) -> None:
    key = "cred:aws/ASIAEXAMPLE000001"
    issuance = made(1, identity=USER, issued=key, issued_to=ROLE)
    claimed = replace(
        issuance, written_by=WrittenBy.SELF_REPORTED, person="person:boss"
    )
    keep(store, [made(2, identity=ROLE, credential=key), claimed])
    item = ask(store)[1]
    assert item["identity_path"] == [ROLE]
    assert item["hops"]["person"]["status"] == "missing"


def test_chains_of_an_id_are_found_in_one_pass_as_in_the_table(
    day: EvidenceStore,
) -> None:
    whole = load_or_compute_chains(day)
    ids = [*whole.chains_by_id, "arn:aws:iam::111122223333:role/nobody"]
    table = {key: whole.chains_by_id.get(key, ()) for key in ids}
    fresh = ChainIndex(whole)
    assert fresh.find_chains_by_ids(ids) == table
    assert "chains_by_id" not in vars(fresh)
    assert len(ids) > 10
    for _ in range(3):
        assert fresh.find_chains_by_ids(ids[:2]) == {k: table[k] for k in ids[:2]}
    assert "chains_by_id" in vars(fresh)
