"""Records that the query engine encodes equal the canonical encoding."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.evidence.canonical_event import encode_event
from answerable.model.event import AuditEvent
from answerable.store import fsck, fsck_segments
from answerable.store.canonical_sql import build_leaf_inputs_sql
from answerable.store.duckdb_engine import DuckDbEngine
from answerable.store.event_columns import build_decode_records_sql
from answerable.store.store import EvidenceStore
from tests.evidence.test_canonical import EVENTS

Make = Callable[..., AuditEvent]


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDbEngine]:
    with tempfile.TemporaryDirectory() as folder:
        opened = DuckDbEngine(Path(folder))
        yield opened
        opened.close()


def encode_by_query(engine: DuckDbEngine, records: list[bytes]) -> list[bytes]:
    engine.load_records("records", records)
    rows = engine.run(
        build_leaf_inputs_sql(f"({build_decode_records_sql('records')} ORDER BY n)")
    )
    engine.connection.unregister("records")
    inputs: list[bytes] = [row[0] for row in rows]  # type: ignore[misc]  # BLOB
    assert all(each[:1] == b"\x00" for each in inputs)
    return [each[1:] for each in inputs]


def has_control(record: bytes) -> bool:
    """Return whether a text holds a control character: its escape is no quoted mark."""
    return b"\\" in record.replace(b"\\\\", b"").replace(b'\\"', b"")


@settings(max_examples=150, deadline=None)
@given(events=st.lists(EVENTS, min_size=1, max_size=8))
def test_rows_are_encoded_as_events_are(
    engine: DuckDbEngine, events: list[AuditEvent]
) -> None:
    records = [encode_event(event) for event in events]
    found = encode_by_query(engine, records)
    for record, row in zip(records, found, strict=True):
        assert row == record or has_control(record)


def test_a_store_is_verified_by_the_query_and_its_exceptions_by_the_encoding(
    store: EvidenceStore, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = (
        "plain",
        "\u00fcber \u65e5\u672c \U0001f600",
        'quote " and \\ and /',
        "\x7f\u2028",
    )
    store.append([make(n, session=text) for n, text in enumerate(texts)], now)
    store.seal(now)
    slow = fsck_segments.read_row_leaves
    read: list[str] = []

    def count(*given: object) -> object:
        read.append("row by row")
        return slow(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(fsck_segments, "read_row_leaves", count)

    def verify() -> bool:
        return all(
            each.ok for each in fsck.verify_store(store, None, None, lambda *_: None)
        )

    assert verify()
    assert not read
    store.append([make(9, session="bell \x07 and \x1f")], now)
    store.seal(now)
    assert verify()
