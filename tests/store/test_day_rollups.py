"""Law of the rollups: counts by them equal counts of the rows."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.store.day_rollups import STREAM_FIELDS, RollupQuery, count_by_rollups
from answerable.store.event_count_queries import EventCounts, count_events_by_group
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import InvestigationFilter
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW
from tests.store.test_catalogue import (
    DAY,
    STEPS,
    CatalogueHistory,
    damage,
    remove,
    tear,
)

SPANS = {
    ("source",): (0, 0),
    ("resource",): (NOW - 3 * DAY + 5, NOW - DAY + 3),
    ("credential",): (NOW - 2 * DAY, 0),
    ("day", "action"): (NOW - 2 * DAY + 1, NOW - 2 * DAY + 9),
    ("outcome", "resource"): (0, NOW - 2 * DAY + 4),
    ("day", "source"): (0, 0),
    ("action", *STREAM_FIELDS): (NOW - 3 * DAY + 5, 0),
}
Change = Callable[[Path], None]


def list_queries() -> Iterator[RollupQuery]:
    for fields, (since, until) in SPANS.items():
        yield RollupQuery(fields, since=since, until=until)
    yield RollupQuery(("source", "outcome"), source="okta", until=NOW - 2 * DAY + 4)
    yield RollupQuery(("day",), outcome="success", value="S3:get*")


def count_rows(
    store: EvidenceStore, query: RollupQuery
) -> dict[tuple[object, ...], EventCounts]:
    """Count the rows of the store, without any derived file."""
    actions = [query.value] if query.value else []
    wanted = InvestigationFilter(
        EventFilter(actions=actions, since=query.since, until=query.until),
        equal_columns=[
            (name, value)
            for name in ("source", "outcome")
            if (value := getattr(query, name))
        ],
    )
    found = count_events_by_group(store, wanted, (), query.fields)
    return {
        each.values: replace(each.counts, low_resource="", high_resource="")
        for each in found
    }


def check_counts(root: Path) -> None:
    """Check that all counts by rollups equal those of the rows."""
    with EvidenceStore.open(root, now=NOW) as store:
        for query in list_queries():
            expected = count_rows(store, query)
            found = count_by_rollups(store, query)
            if found is None:
                assert not store.queries.get_current_sources().segments
                continue
            assert dict(found.groups) == expected, query
            assert found.total == len(expected)


def change_rollups(root: Path, change: Change) -> None:
    for path in (root / "derived" / "rollups").glob("*.parquet"):
        change(path)


CHANGES = st.builds(
    lambda change: lambda history: change_rollups(history.root, change),
    st.sampled_from([tear, remove, damage]),
)


@settings(max_examples=2, deadline=None)
@given(st.lists(st.one_of(STEPS, CHANGES), min_size=2, max_size=5))
def test_counts_equal_those_of_the_rows(
    steps: list[Callable[[CatalogueHistory], None]],
) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        history = CatalogueHistory(root / "store")
        history.ingest(1, 30, sealed=True)
        check_counts(history.root)
        for step in steps:
            step(history)
        check_counts(history.root)
    finally:
        shutil.rmtree(root)


def test_late_events_change_the_rollup_of_their_day_alone(tmp_path: Path) -> None:
    history = CatalogueHistory(tmp_path)
    for day in (1, 4, 8):
        history.ingest(day, 6, sealed=True)

    def list_files() -> set[str]:
        with EvidenceStore.open(tmp_path, now=NOW) as store:
            count_by_rollups(store, RollupQuery(("action",)))
        return {each.name for each in (tmp_path / "derived" / "rollups").iterdir()}

    before = list_files()
    assert len(before) == 6
    history.ingest(4, 1, sealed=True)
    after = list_files()
    assert len(after) == 6
    assert len(after - before) == 1


def test_a_count_of_whole_days_reads_no_segment(tmp_path: Path) -> None:
    history = CatalogueHistory(tmp_path)
    history.ingest(1, 20, sealed=True)
    query = RollupQuery(("action",))
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        expected = count_by_rollups(store, query)
        for path in tmp_path.glob("segments/*/*.parquet"):
            path.write_bytes(b"")
        assert expected is not None
        assert count_by_rollups(store, query) == expected


def test_the_largest_groups_come_first_with_the_number_of_all(tmp_path: Path) -> None:
    history = CatalogueHistory(tmp_path)
    history.ingest(1, 20, sealed=True)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        every = count_by_rollups(store, RollupQuery(("source",)))
        first = count_by_rollups(store, RollupQuery(("source",), limit=1))
    assert every is not None
    assert first is not None
    assert (first.groups, first.total) == (every.groups[:1], 4)
    events = [counts.events for _, counts in every.groups]
    assert events == sorted(events, reverse=True)
