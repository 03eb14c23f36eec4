"""Facts of the events that chains need."""

from pathlib import Path

import pytest

from answerable.store.duckdb_engine import DuckDbEngine
from answerable.store.lineage_facts import LineageFacts, load_lineage_facts
from answerable.store.store import EvidenceStore


def test_a_store_without_events_starts_no_query_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a query engine was started")

    monkeypatch.setattr(DuckDbEngine, "__init__", refuse)
    with EvidenceStore.open(tmp_path / "store", now=1) as store:
        assert load_lineage_facts(store) == LineageFacts()
