"""Pages of events: each row once, also if events share a time or records an id."""

from pathlib import Path

import pytest

from answerable.services.inventory.snapshots import load_inventory
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.lineage_search import SearchScope
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import InvestigationFilter
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.search_events import search_lineage_rows
from tests.store.conftest import NOW
from tests.store.conftest import _make as event

RECORDS = (1, 3, 2, 1, 12)  # of each event: equal ids, different content


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 18, 19, 40])
def test_pages_neither_omit_nor_repeat_a_record(tmp_path: Path, limit: int) -> None:
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        for number, records in enumerate(RECORDS):
            for copy in range(records):
                made = event(
                    number,
                    event_time=NOW - number // 2,
                    raw=f"{number}-{copy}",
                    identity=f"role:{copy}",
                )
                store.append([made], NOW)
            store.seal(NOW)
        scope = SearchScope(load_inventory(store), load_or_compute_chains(store))
        seen: list[tuple[object, object]] = []
        cursor, pages = "", 0
        while cursor or not pages:
            document, cursor = search_lineage_rows(
                store,
                scope,
                InvestigationFilter(EventFilter()),
                now=NOW,
                cursor=cursor,
                limit=limit,
            )
            pages += 1
            assert len(document.items) <= max(limit, max(RECORDS))
            seen += [
                (each["event_id"], str(each["hops"]["identity"]))
                for each in document.items
            ]  # type: ignore[index,call-overload]
        assert len(seen) == len(set(seen)) == sum(RECORDS)
