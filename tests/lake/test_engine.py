"""Commands ask the engine that they are given, and nothing else, about events."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest.mock import Mock

import pytest

from answerable.store.duckdb_engine import DuckDbEngine
from answerable.store.event_engine import SegmentReadFailure
from answerable.store.event_sources import EventSources, create_event_view
from answerable.store.query_engine import EventQueries
from answerable.store.query_tables import NamedTable, ParquetTable, register_table
from answerable.store.search_index import INDEXED_COLUMNS_SQL, NOT_INDEXED
from answerable.store.spark_engine import SparkEngine
from answerable.store.store_layout import StoreLayout
from tests.lake.conftest import Run, make_record
from tests.lake.engine_commands import COMMANDS, FEW, forget_derived_data
from tests.lake.security_lake import write_folders
from tests.store.conftest import NOW

ENGINE = ("--engine", "spark://127.0.0.1:1")


class RecordingEngine(SparkEngine):
    """Engine that runs each query in a database of its own, and counts them."""

    asked = 0
    failures = 0

    def __init__(self, layout: StoreLayout, address: str) -> None:
        super().__init__(layout, address)
        self.layout = layout

    def run(
        self,
        sources: EventSources,
        query: str,
        parameters: Sequence[object],
        tables: Mapping[str, NamedTable | ParquetTable],
    ) -> list[tuple[object, ...]]:
        RecordingEngine.asked += 1
        if RecordingEngine.failures:
            RecordingEngine.failures -= 1
            raise SegmentReadFailure("a file", "look")
        files = [Path(each) for each in sources.foreign]
        engine = DuckDbEngine(self.layout.segments, files=files)
        try:
            create_event_view(engine, sources, "events")
            engine.run(
                f"CREATE VIEW skimmed AS SELECT {INDEXED_COLUMNS_SQL}, "  # noqa: S608 - our own names
                f"{NOT_INDEXED} AS segment, 0 AS row FROM events e"
            )
            for name, table in tables.items():
                assert isinstance(table, NamedTable)
                register_table(engine, name, table)
            return engine.run(query, parameters)
        finally:
            engine.close()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> type[RecordingEngine]:
    """Replace the cluster, and refuse queries of the engine of this process."""
    RecordingEngine.asked = RecordingEngine.failures = 0
    monkeypatch.setattr("answerable.store.spark_engine.SparkEngine", RecordingEngine)
    own = EventQueries._get_current_engine

    def refuse(queries: EventQueries, scope: object = None) -> DuckDbEngine:
        assert queries.engine is None
        return own(queries, scope)  # type: ignore[arg-type]

    monkeypatch.setattr(EventQueries, "_get_current_engine", refuse)
    return RecordingEngine


def test_commands_ask_the_engine_and_answers_the_same(
    run: Run,
    filled: Path,
    engine: type[RecordingEngine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("answerable.cli.session.time", Mock(time_ns=lambda: NOW))
    for words in FEW:
        expected = run(*words)["items"]
        forget_derived_data(filled)
        before = engine.asked
        assert run(*words, *ENGINE)["items"] == expected, words
        assert engine.asked > before, words


def test_events_of_a_lake_are_handed_to_the_engine(
    run: Run, filled: Path, engine: type[RecordingEngine], tmp_path: Path
) -> None:
    write_folders([make_record(n) for n in range(30, 90)], tmp_path / "lake")
    words = ("trace", "--by", "action", "--lake", f"lake:{tmp_path / 'lake'}")
    expected = run(*words)["items"]
    forget_derived_data(filled)
    assert run(*words, *ENGINE)["items"] == expected
    assert engine.asked
    assert sum(each["events"] for each in expected) == 90


def test_an_unreadable_segment_is_left_out_and_named(
    run: Run, filled: Path, engine: type[RecordingEngine]
) -> None:
    (segment,) = (filled / "segments").glob("*/*.parquet")
    segment.write_bytes(segment.read_bytes()[:-9])
    expected = run("trace", "--by", "action", code=3)
    forget_derived_data(filled)
    engine.failures = 1
    found = run("trace", "--by", "action", *ENGINE, code=3)
    assert found["items"] == expected["items"]
    assert "damaged" in str(found["coverage"])


@pytest.mark.parametrize("words", [COMMANDS[0], *COMMANDS[-3:]])
def test_another_address_is_refused_before_the_store_is_opened(
    run: Run, words: tuple[str, ...]
) -> None:
    said = run(*words, "--engine", "local[2]", code=2)["error"]
    assert "expected spark://HOST:PORT" in said
