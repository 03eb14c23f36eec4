"""Sealing keeps every event, by day, sorted, under one signed log."""

import dataclasses
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.evidence.canonical_event import encode_event
from answerable.evidence.checkpoint import parse_checkpoint
from answerable.evidence.log_entries import JournalSealed, SegmentManifest, encode_entry
from answerable.evidence.merkle import leaf_hash, merkle_root
from answerable.model.event import AuditEvent
from answerable.store import event_sources, segment_rows
from answerable.store.duckdb_engine import quote_text
from answerable.store.event_columns import COLUMNS, NAMES, decode_event_row
from answerable.store.journal_sealing import seal_ended_journals
from answerable.store.store import EvidenceStore

Make = Callable[..., AuditEvent]
DAY = 86_400 * 10**9


def manifests(store: EvidenceStore) -> list[SegmentManifest]:
    return [
        entry for entry in store.log.entries() if isinstance(entry, SegmentManifest)
    ]


def rows_of(store: EvidenceStore, manifest: SegmentManifest) -> list[AuditEvent]:
    path = store.layout.segment_file(manifest.day, manifest.segment, ".parquet")
    found = store.run_query(
        f"SELECT {NAMES} FROM read_parquet({quote_text(str(path))})"  # noqa: S608 - our own names
    )
    return [decode_event_row(row) for row in found]


def test_a_manifest_commits_to_rows_leaves_and_file(
    store: EvidenceStore, make: Make, now: int
) -> None:
    store.append([make(number) for number in range(100)], now)
    assert store.seal(now) == 1
    (manifest,) = manifests(store)
    events = rows_of(store, manifest)
    leaves = [leaf_hash(encode_event(event)) for event in events]
    file = store.layout.segment_file(manifest.day, manifest.segment, ".leaves")
    assert file.read_bytes() == b"".join(leaves)
    assert manifest.event_root == merkle_root(leaves).hex()
    assert manifest.count == 100
    assert int(manifest.min_time) == make(0).event_time
    assert int(manifest.max_time) == make(99).event_time
    beside = store.layout.segment_file(manifest.day, manifest.segment, ".manifest.json")
    assert beside.read_bytes() == encode_entry(manifest)
    tree = parse_checkpoint(store.log.checkpoint(), store.keys.public_key)
    assert tree.size == len(store.log.entries())


def test_rows_are_sorted_by_identity_and_time(
    store: EvidenceStore, make: Make, now: int
) -> None:
    store.append([make(number) for number in range(50)], now)
    store.seal(now)
    events = rows_of(store, manifests(store)[0])
    keys = [(event.identity, event.event_time) for event in events]
    assert keys == sorted(keys)


def test_a_segment_has_one_day_and_at_most_so_many_rows(
    store: EvidenceStore, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_rows, "MAX_SEGMENT_ROWS", 10)
    old = [make(n, event_time=-DAY + n, native=f"old-{n}") for n in range(12)]
    new = [make(number) for number in range(25)]
    store.append([*new[:7], *old, *new[7:]], now)
    assert store.seal(now) == 5
    found = manifests(store)
    assert [(m.day, m.count) for m in found] == [
        ("1969-12-31", 10),
        ("1969-12-31", 2),
        ("2023-11-14", 10),
        ("2023-11-14", 10),
        ("2023-11-14", 5),
    ]
    assert [m.previous for m in found] == ["", *(m.segment for m in found[:-1])]


def test_the_moment_before_1970_belongs_to_1969(
    store: EvidenceStore, make: Make, now: int
) -> None:
    store.append([make(0, event_time=-1), make(1, event_time=0)], now)
    store.seal(now)
    assert [m.day for m in manifests(store)] == ["1969-12-31", "1970-01-01"]


def test_the_columns_are_the_fields_of_an_event_in_their_order() -> None:
    fields = [field.name for field in dataclasses.fields(AuditEvent)]
    assert list(COLUMNS) == fields


def test_sealing_again_does_nothing(store: EvidenceStore, make: Make, now: int) -> None:
    store.append([make(0)], now)
    assert store.seal(now) == 1
    note = store.log.checkpoint()
    assert store.seal(now) == 0
    assert store.log.checkpoint() == note


def test_the_journal_is_gone_once_its_events_are_sealed(
    store: EvidenceStore, make: Make, now: int
) -> None:
    store.append([make(0)], now)
    store.seal(now)
    assert list(store.layout.journal.iterdir()) == []
    sealed = [e for e in store.log.entries() if isinstance(e, JournalSealed)]
    assert [entry.count for entry in sealed] == [1]


def test_the_journal_of_a_process_that_ended_is_sealed_by_the_next(
    place: Path, make: Make, now: int
) -> None:
    with EvidenceStore.open(place, now=now) as first:
        first.append([make(0)], now)
    with EvidenceStore.open(place, now=now) as second:
        assert second.seal(now) == 1
        assert [m.count for m in manifests(second)] == [1]


def test_the_journal_of_a_living_process_is_left_alone(
    place: Path, make: Make, now: int
) -> None:
    with (
        EvidenceStore.open(place, now=now) as first,
        EvidenceStore.open(place, now=now) as second,
    ):
        first.append([make(0)], now)
        assert second.seal(now) == 0
        first.append([make(1)], now)
        assert second.run_query("SELECT count(*) FROM events") == [(2,)]
        assert first.seal(now) == 1
        assert second.run_query("SELECT count(*) FROM events") == [(2,)]


TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(
        ["", "\x00", "null", '"', "'", "\\", "[]", "\u2028", "%", "\ufeff"]
    ),
    st.text(string.printable, max_size=6),
)
INT = st.integers(-(2**63), 2**63 - 1)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    given_events=st.lists(
        st.fixed_dictionaries(
            {
                "action": TEXT,
                "session": TEXT,
                "identity": TEXT,
                "resources": st.lists(TEXT, max_size=3).map(tuple),
                "facts": st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
                "sequence": INT,
                "issued_until": INT,
            }
        ),
        max_size=8,
    )
)
def test_whatever_a_text_holds_it_is_sealed_unchanged(
    make: Make,
    now: int,
    tmp_path_factory: pytest.TempPathFactory,
    given_events: list[dict[str, Any]],
) -> None:
    events = [make(n, **fields) for n, fields in enumerate(given_events)]
    with EvidenceStore.open(tmp_path_factory.mktemp("s") / "store", now=now) as store:
        store.append(events, now)
        for _ in range(2):
            rows = store.run_query(f"SELECT {NAMES} FROM events ORDER BY event_time")  # noqa: S608 - our own names
            found = [decode_event_row(row) for row in rows]
            plain = [dataclasses.replace(e, ingest_time=0, salt=b"") for e in found]
            assert plain == events
            store.seal(now)


def test_a_writing_command_first_seals_what_a_killed_one_left(
    tmp_path: Path, make: Make, now: int
) -> None:
    root = tmp_path / "store"
    with EvidenceStore.open(root, now=now) as killed:
        killed.append([make(number) for number in range(9)], now)
    with EvidenceStore.open(root, now=now) as damaged:
        damaged.append([make(number) for number in range(9, 12)], now)
        (name,) = damaged._mine
    with damaged.layout.head_file(name).open("r+b") as head:
        head.write(b"x")
    with EvidenceStore.open(root, now=now) as store:
        seal_ended_journals(store, now)
        assert store.layout.list_journals() == [name]
        assert store.run_query("SELECT count(*) FROM events") == [(12,)]
        assert [each.count for each in manifests(store)] == [9]


def test_unsealed_events_are_loaded_in_parts(
    tmp_path: Path, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_sources, "_RECORDS_PER_LOAD", 250)
    monkeypatch.setattr(event_sources, "_MAX_LISTED_RECORDS", 100)
    root = tmp_path / "store"
    for first in (0, 400):
        with EvidenceStore.open(root, now=now) as each:
            each.append([make(number) for number in range(first, first + 430)], now)
    sizes: list[int] = []
    load = event_sources._load_records

    def count(*parameters: Any) -> None:
        sizes.append(len(parameters[1]))
        load(*parameters)

    monkeypatch.setattr(event_sources, "_load_records", count)
    with EvidenceStore.open(root, now=now) as store:
        ids = store.run_query("SELECT event_id FROM events ORDER BY event_time")
    assert [each for (each,) in ids] == [make(n).event_id for n in range(830)]
    assert sizes == [250, 250, 250, 80]
