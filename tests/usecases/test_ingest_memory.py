"""Memory of an ingest: it holds events up to a number and a size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from answerable.model.connector import EventBatch
from answerable.model.encoded_event import EncodedEvents
from answerable.store.new_records import encode_new_events
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import ingest_logs
from tests.store.conftest import NOW
from tests.store.conftest import _make as event


@pytest.mark.parametrize("encoded", [True, False], ids=["encoded", "parsed"])
def test_large_events_are_stored_before_there_are_many(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    encoded: bool,
) -> None:
    monkeypatch.setattr(ingest_logs, "_BATCH_BYTES", 100_000)
    made = [event(n, facts=(("text", "x" * 30_000),)) for n in range(12)]

    def build_batch(part: Sequence[Any]) -> EventBatch:
        if not encoded:
            return EventBatch("place", tuple(part), (), 0, 0)
        return EventBatch("place", (), (), 0, 0, encoded=encode_new_events(part, NOW))

    batches = iter([build_batch(made[at : at + 2]) for at in range(0, 12, 2)])
    monkeypatch.setattr(ingest_logs, "_read_source_batches", lambda *_: batches)
    held: list[int] = []
    append = EvidenceStore.append

    def count(store: EvidenceStore, events: EncodedEvents, now: int) -> Any:
        held.append(len(events))
        return append(store, events, now)

    monkeypatch.setattr(EvidenceStore, "append", count)
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        (item,) = ingest_logs.ingest_logs(store, ["cloudtrail:x"], now=NOW).items
    assert item["stored"] == len(made)
    assert max(held) == 4
