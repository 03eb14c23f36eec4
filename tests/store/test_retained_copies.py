"""Copies of rows in derived files end with the rows that a retention removes."""

from pathlib import Path

import pytest

from answerable.services.inventory.snapshots import load_inventory, store_snapshot
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store import chain_file, large_stores, lineage_facts, resource_search
from answerable.store.lineage_days import TOUCHED, list_lineage_files
from answerable.store.mention_search import MentionSearch
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.store_life import retain_events
from answerable.usecases.lineage.count_events import count_by_fields
from answerable.usecases.lineage.trace import trace_events
from tests.store.conftest import NOW
from tests.store.conftest import _make as event

OLD = "old.person@example.com"
DAY = 86_400 * 10**9
LARGE, SMALL = -1, 10**6


@pytest.mark.parametrize("most", [LARGE, SMALL], ids=["large", "small"])
def test_no_derived_file_has_a_value_of_removed_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", most)
    monkeypatch.setattr(resource_search, "_MIN_EVENTS", most)
    role = f"arn:aws:sts::1:assumed-role/x/{OLD}"
    key = {"issued": "cred:aws/ASIAEXAMPLE000000001", "issued_to": role}
    old = event(
        1,
        event_time=NOW - 9 * DAY,
        identity=role,
        person=f"person:{OLD}",
        resource=f"arn:aws:s3:::data/{OLD}",
        **key,
    )
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.append([old, event(2, event_time=NOW, identity="role:new")], NOW)
        store.seal(NOW)
        lineage_facts.load_lineage_facts(store)
        for fields in ("person", "action", "identity,day"):
            count_by_fields(store, TraceQuery(), fields, now=NOW)
        list_lineage_files(store, TOUCHED)
        trace_events(store, TraceQuery(resource="arn:aws:s3:::data/*"), now=NOW)
        before = [*MentionSearch([OLD]).list_files(store)]
        assert any(each.startswith("derived/") for each in before)
        assert any("/resources/" in each for each in before) == (most == LARGE)
        retain_events(store, 3, now=NOW)
        assert not [*MentionSearch([OLD]).list_files(store)]
        found = chain_file.find_counted_chains(store)
        assert (found is not None) == (most == LARGE)
        (item,) = trace_events(store, TraceQuery(), now=NOW).items
        assert item["hops"]["identity"]["value"] == "role:new"  # type: ignore[index]


def test_no_inventory_has_a_fact_of_removed_rows(tmp_path: Path) -> None:
    """Neither the cached one nor that of an earlier snapshot, which is kept for `diff`."""
    role = f"arn:aws:sts::1:assumed-role/x/{OLD}"
    key = {"issued": "cred:aws/AKIAEXAMPLE000000001", "issued_to": role}
    old = event(1, event_time=NOW - 9 * DAY, identity=role, **key)
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.append([old, event(2, event_time=NOW, identity="role:new")], NOW)
        store.seal(NOW)
        for number in range(2):
            store_snapshot(store, [], NOW + number)
            load_inventory(store)
        before = {*MentionSearch([OLD]).list_files(store)}
        assert before >= {
            f"derived/{each}inventory.blocks" for each in ("", "earlier-")
        }
        retain_events(store, 3, now=NOW)
        assert not [*MentionSearch([OLD]).list_files(store)]
        load_inventory(store)
        kept = {each.name for each in (tmp_path / "store/derived").glob("*.blocks")}
        store.append([event(3, event_time=NOW - 9 * DAY, identity="role:new")], NOW)
        store.seal(NOW)
        retain_events(store, 3, now=NOW)
        assert kept == {
            each.name for each in (tmp_path / "store/derived").glob("*.blocks")
        }
