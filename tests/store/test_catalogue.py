"""Law of the catalogue: answers with it equal answers without it."""

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.evidence.log_entries import SegmentManifest
from answerable.model.delegated_credential import DELEGATED_PREFIX
from answerable.model.event import AuditEvent
from answerable.model.provenance import WrittenBy
from answerable.store import event_places, segment_scope
from answerable.store.bloom_filter import build_bloom_filter, hash_text, may_contain
from answerable.store.credential_use_queries import read_credential_use
from answerable.store.duckdb_engine import DuckDbEngine
from answerable.store.event_alternative import EventAlternative
from answerable.store.event_queries import EventFilter, count_events_by_source
from answerable.store.investigation_queries import (
    InvestigationFilter,
    count_events_matching,
    find_and_count_newest_events,
    find_newest_events,
)
from answerable.store.lineage_facts import read_lineage_facts, read_sign_ins
from answerable.store.lineage_facts_of_keys import (
    read_chain_keys_matching,
    read_lineage_facts_of_keys,
)
from answerable.store.segment_catalogue import SegmentCatalogue
from answerable.store.segment_scope import SearchWindow, SegmentScope
from answerable.store.segment_statistics import (
    SegmentStatistics,
    compute_statistics,
)
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.store_life import compact_store
from tests.store.conftest import NOW
from tests.store.conftest import _make as event
from tests.store.store_history import DAY, StoreHistory

SOURCES = ("cloudtrail", "okta", "sts", "gateway")
ENDING = 1 << 62
Catalogue = Callable[[Path], None]


def make_event(number: int, day: int) -> AuditEvent:
    """Make an event that joins others of its number's remainders."""
    issued = f"cred:{(number + 1) % 4}" if number % 3 == 0 else ""
    return event(
        number,
        event_time=NOW - day * DAY + number,
        identity=f"role/{number % 5}",
        source=SOURCES[number % len(SOURCES)],
        credential=f"cred:{number % 4}",
        person="person:ada@example.com" if number % 7 == 3 else "",
        agent="agent:build" if number % 5 == 2 else "",
        issued=issued,
        issued_to=f"role/{(number + 2) % 5}" if issued else "",
    )


def tear(path: Path) -> None:
    """Cut the file off within a frame, as a killed process leaves it."""
    path.write_bytes(path.read_bytes()[:-7])


def remove(path: Path) -> None:
    path.unlink()


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def obstruct(path: Path) -> None:
    """Put a folder in its place: it can be neither read nor written."""
    path.unlink()
    path.mkdir()


class CatalogueHistory(StoreHistory):
    """Steps that change the catalogue, too."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, make_event)

    def change_catalogue(self, change: Catalogue) -> None:
        path = self.root / "derived" / "segments.bin"
        if path.is_file():
            change(path)


@contextmanager
def without_catalogue() -> Iterator[None]:
    """Read every segment for every question."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            SegmentScope,
            "may_match",
            lambda scope, segment, _: segment.segment not in scope.without,
        )
        patch.setattr(
            segment_scope,
            "list_newest_windows",
            lambda _, scope: [SearchWindow(scope.since, scope.until)],
        )
        yield


def build_questions(keys: object) -> Iterator[InvestigationFilter]:
    for day in (1, 2, 4):
        since = NOW - day * DAY
        yield InvestigationFilter(EventFilter(since=since, until=since + DAY))
    yield InvestigationFilter(EventFilter())
    yield InvestigationFilter(EventFilter(since=NOW - 2 * DAY))
    yield InvestigationFilter(EventFilter(event=make_event(3, 1).event_id))
    yield InvestigationFilter(EventFilter(), before=(NOW - DAY, b"\xff" * 16))
    for column, value in (
        ("source", "okta"),
        ("run", "none"),
        ("agent", "agent:build"),
    ):
        yield InvestigationFilter(EventFilter(), equal_columns=[(column, value)])
    for key in keys:  # type: ignore[attr-defined]  # keys of the store
        interval = [(key, 0, ENDING)]
        yield InvestigationFilter(EventFilter(), [EventAlternative(keys=interval)])


def check_total(store: EvidenceStore, question: InvestigationFilter) -> int:
    """Count the matching events, as a search for the newest does."""
    total = count_events_matching(store, question)
    for limit in (1, 4, 1000):
        found = find_and_count_newest_events(store, question, limit)
        assert found.events == find_newest_events(store, question, limit)
        assert found.total in (total, None)
    return total


def answer_questions(
    root: Path,
    count: Callable[[EvidenceStore, InvestigationFilter], int] = count_events_matching,
) -> Mapping[str, object]:
    with EvidenceStore.open(root, now=NOW) as store:
        keys = read_chain_keys_matching(store, InvestigationFilter(EventFilter()))
        query = "SELECT source, count(*) FROM events GROUP BY source ORDER BY source"
        assert count_events_by_source(store) == store.run_query(query)
        return {
            "sources": count_events_by_source(store),
            "found": [
                (find_newest_events(store, each, 4), count(store, each))
                for each in build_questions(keys[::11])
            ],
            "facts": read_lineage_facts(store),
            "behind": [
                read_lineage_facts_of_keys(store, [key]).issuances for key in keys[::13]
            ],
            "sign-ins": list(read_sign_ins(store)),
            "use": read_credential_use(store, "cred:2"),
        }


STEPS = st.one_of(
    st.builds(
        lambda day, count, sealed: lambda s: s.ingest(day, count, sealed=sealed),
        st.integers(0, 4),
        st.integers(1, 12),
        st.booleans(),
    ),
    st.just(CatalogueHistory.compact),
    st.builds(lambda days: lambda s: s.retain(days), st.integers(1, 3)),
    st.builds(
        lambda change: lambda s: s.change_catalogue(change),
        st.sampled_from([tear, remove, damage, obstruct]),
    ),
)


@settings(max_examples=6, deadline=None)
@given(st.lists(STEPS, min_size=2, max_size=7))
def test_answers_equal_those_of_every_segment(
    steps: list[Callable[[CatalogueHistory], None]],
) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(segment_scope, "_FIRST_WINDOW_EVENTS", 9)
            history = CatalogueHistory(root / "store")
            history.ingest(1, 9, sealed=True)
            for step in steps:
                step(history)
            given_with = answer_questions(root / "store", check_total)
            again = answer_questions(root / "store")
            with without_catalogue():
                given_without = answer_questions(root / "store")
        assert given_with == given_without == again
    finally:
        shutil.rmtree(root)


def test_a_question_about_one_day_reads_the_segments_of_that_day(
    tmp_path: Path,
) -> None:
    history = CatalogueHistory(tmp_path)
    for day in (1, 4, 8):
        history.ingest(day, 6, sealed=True)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        sources = store.queries.get_current_sources()
        one_day = SegmentScope(NOW - 4 * DAY, NOW - 3 * DAY)
        assert len(sources.segments) == 6
        assert len(sources.select_segments(one_day).segments) == 1
        first, _, third, *_ = sources.segments
        moments = (int(first.max_time), int(third.min_time), NOW + 9 * DAY)
        found = sources.select_segments(SegmentScope(times=tuple(sorted(moments))))
        assert [each.day for each in found.segments] == [first.day, third.day]
        for path in tmp_path.glob("segments/*/*.parquet"):
            if (
                path.parent.name
                != f"day={sources.select_segments(one_day).segments[0].day}"
            ):
                path.write_bytes(b"")  # not read
        wanted = InvestigationFilter(
            EventFilter(since=one_day.since, until=one_day.until)
        )
        assert len(find_newest_events(store, wanted, 10)) == 3


def test_events_that_are_read_by_row_are_those_that_are_read_by_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = CatalogueHistory(tmp_path)
    for day in (1, 2, 4):
        history.ingest(day, 9, sealed=True)

    def answer() -> list[tuple[list[AuditEvent], list[AuditEvent], int]]:
        with EvidenceStore.open(tmp_path, now=NOW) as store:
            keys = read_chain_keys_matching(store, InvestigationFilter(EventFilter()))
            return [
                (
                    find_newest_events(store, each, 4),
                    find_newest_events(store, each, 1000),
                    check_total(store, each),
                )
                for each in build_questions(keys[::5])
            ]

    with monkeypatch.context() as patch:
        patch.setattr(EvidenceStore, "read_events_at", None)
        by_row = answer()
    with monkeypatch.context() as patch:  # another process has compacted the files
        patch.setattr(event_places, "_read_by_row", lambda *_: None)
        assert answer() == by_row
    assert by_row[0][0]


def test_no_search_reads_a_time_before_the_first_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_scope, "_FIRST_WINDOW_EVENTS", 1)
    monkeypatch.setattr(segment_scope, "_WINDOW_GROWTH", 1)
    history = CatalogueHistory(tmp_path)
    for day in (1, 4):
        history.ingest(day, 1, sealed=True)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        windows = store.queries.list_newest_windows(SegmentScope())
        assert [each.events for each in windows] == [1, 1]
    history.ingest(8, 1, sealed=False)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        windows = store.queries.list_newest_windows(SegmentScope())
        assert [each.events for each in windows] == [1, 1, 0]  # unsealed ones
        every = InvestigationFilter(EventFilter())
        assert len(find_newest_events(store, every, 100)) == 3


def test_statistics_are_written_when_a_segment_is_sealed(tmp_path: Path) -> None:
    history = CatalogueHistory(tmp_path)
    history.ingest(1, 6, sealed=True)
    written = (tmp_path / "derived" / "segments.bin").read_bytes()
    assert written
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        for path in tmp_path.glob("segments/*/*.parquet"):
            path.write_bytes(b"")
        assert dict(count_events_by_source(store)) == {
            "cloudtrail": 2,
            "gateway": 1,
            "okta": 2,
            "sts": 1,
        }
    assert (tmp_path / "derived" / "segments.bin").read_bytes() == written


def test_statistics_are_written_when_segments_are_compacted(tmp_path: Path) -> None:
    history = CatalogueHistory(tmp_path)
    for _ in range(2):
        history.ingest(1, 6, sealed=True)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        expected = count_events_by_source(store)
        assert compact_store(store, now=NOW).items
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        for path in tmp_path.glob("segments/*/*.parquet"):
            path.write_bytes(b"")
        assert count_events_by_source(store) == expected


@given(st.sets(st.text(), max_size=60), st.lists(st.text(), max_size=20))
def test_a_bloom_filter_has_every_text_that_was_added(
    texts: set[str], others: list[str]
) -> None:
    bits = build_bloom_filter(texts)
    assert all(may_contain(bits, hash_text(text)) for text in texts)
    wrong = [o for o in others if o not in texts and may_contain(bits, hash_text(o))]
    assert len(wrong) <= 5


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=30, unique=True), st.booleans()
)
@settings(max_examples=25, deadline=None)
def test_statistics_of_new_rows_equal_those_of_their_file(
    numbers: list[int], console: bool
) -> None:
    credentials = ("cred:token/a", "cred:k8s-jti/b", "cred:aws/AKIA1", DELEGATED_PREFIX)
    events = [
        dataclasses.replace(
            make_event(n, 0),
            credential=credentials[n % 7] if n % 7 < 4 else "",
            entities=("console", "true"),
            facts=(
                *((("category", "Data"),) if n % 3 else ()),
                *((("console", "true"),) if console and n % 11 == 3 else ()),
                ("region", f"region-{n % 2}"),
                ("region", "second"),
            ),
            event_time=NOW - n % 3 * DAY + n,
            written_by=WrittenBy.SELF_REPORTED if n % 13 == 5 else WrittenBy.PLATFORM,
        )
        for n in numbers
    ]
    with tempfile.TemporaryDirectory() as folder:
        with EvidenceStore.open(Path(folder), now=NOW) as store:
            store.append(events, NOW)
            store.seal(NOW)
            segments = [
                e for e in store.log.entries() if isinstance(e, SegmentManifest)
            ]
        with EvidenceStore.open(Path(folder), now=NOW) as store:
            kept = SegmentCatalogue(store.layout, store.log, store.keys)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(
                    SegmentCatalogue, "_add_statistics", None
                )  # it is kept already
                found = kept.get_statistics(segments)
            engine = DuckDbEngine(store.layout.segments)
            paths = {
                store.layout.segment_file(e.day, e.segment, ".parquet"): e
                for e in segments
            }
            wanted = compute_statistics(
                engine, {path: e.file_sha256 for path, e in paths.items()}
            )
            engine.close()
    assert {paths[path].segment: sort_days(each) for path, each in wanted.items()} == {
        name: sort_days(each) for name, each in found.items()
    }


def sort_days(statistics: SegmentStatistics) -> SegmentStatistics:
    """Sort the days of each stream: the query engine gives them in any order."""
    streams = tuple(
        (*stream, tuple(sorted(days))) for *stream, days in statistics.recorded
    )
    return msgspec.structs.replace(statistics, recorded=streams)
