"""Windows of a search for the newest events."""

from pathlib import Path

import pytest

from answerable.store import investigation_queries, segment_scope
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import (
    InvestigationFilter,
    find_and_count_newest_events,
)
from answerable.store.segment_scope import SearchWindow
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW
from tests.store.conftest import _make as event

DAY = 86_400 * 10**9
EVERY = InvestigationFilter(EventFilter())


def test_the_second_window_has_about_the_events_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_scope, "_FIRST_WINDOW_EVENTS", 10)
    searched: list[SearchWindow] = []
    restrict = investigation_queries._restrict_to_window

    def restrict_and_record(
        investigation: InvestigationFilter, window: SearchWindow
    ) -> InvestigationFilter:
        searched.append(window)
        return restrict(investigation, window)

    monkeypatch.setattr(
        investigation_queries, "_restrict_to_window", restrict_and_record
    )
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        events = [event(n, event_time=NOW - n // 5 * DAY + n) for n in range(100)]
        store.append(events, NOW)
        store.seal(NOW)
        found = find_and_count_newest_events(store, EVERY, 12)
        assert (len(found.events), found.total) == (12, 100)
        assert [each.events for each in searched] == [10, 5, None]
