"""A question about a resource in a store in object storage."""

import pytest

from answerable.services.lineage import chain_cache
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.usecases.lineage.trace import trace_events
from tests.store.conftest import NOW
from tests.store.conftest import _make as event
from tests.store.test_chain_totals import DAY
from tests.store.test_object_storage import Machines, machines
from tests.store.test_resource_search import EVERY_EVENT, take_store_for_large

__all__ = ["machines"]  # a fixture


def test_a_question_fetches_the_segments_that_are_not_here(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_store_for_large(monkeypatch, 5_000)
    with machines.open("a", NOW) as store:
        for day in (4, 3, 2):
            some = [
                event(day * 10 + n, event_time=NOW - day * DAY + n) for n in range(5)
            ]
            store.append(some, NOW)
            store.seal(NOW)
        only = event(99, event_time=NOW - 3 * DAY, resource=EVERY_EVENT)
        store.append([only], NOW)
        store.seal(NOW)
    question = TraceQuery(resource=EVERY_EVENT)
    with machines.open("b", NOW) as store:
        chain_cache.write_current_chain_file(store)
        first = trace_events(store, question, now=NOW)
    for path in machines.root("b").glob("segments/*/*.parquet"):
        path.unlink()
    with machines.open("b", NOW) as store:
        again = trace_events(store, question, now=NOW)
    assert again.items == first.items
    assert len(again.items) == 1
