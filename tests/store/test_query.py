"""Our own SQL sees every event once; a person's SQL reads and cannot do more."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import _duckdb as duckdb
import pytest

from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.store.query_engine import QueryLimits
from answerable.store.query_tables import ColumnType, NamedTable
from answerable.store.query_views import ViewDefinitions
from answerable.store.store import EvidenceStore
from answerable.store.user_select import UserSelect

Make = Callable[..., AuditEvent]


@pytest.fixture
def filled(store: EvidenceStore, make: Make, now: int) -> EvidenceStore:
    store.append([make(number) for number in range(10)], now)
    store.seal(now)
    store.append([make(number) for number in range(10, 13)], now)
    return store


def test_sealed_events_and_the_tail_are_one_view(
    filled: EvidenceStore, make: Make
) -> None:
    assert filled.run_query("SELECT count(*), min(event_time) FROM events") == [
        (13, make(0).event_time)
    ]


def test_what_another_process_adds_is_seen_at_once(
    filled: EvidenceStore, make: Make, now: int
) -> None:
    filled.run_query("SELECT 1 FROM events")
    with EvidenceStore.open(filled.root, now=now) as other:
        other.append([make(50)], now)
        assert filled.run_query("SELECT count(*) FROM events") == [(14,)]
        other.seal(now)
        assert filled.run_query("SELECT count(*) FROM events") == [(14,)]


def test_parameters_reach_the_query(filled: EvidenceStore, make: Make) -> None:
    found = filled.run_query(
        "SELECT resource FROM events WHERE event_id = ?", [make(11).event_id]
    )
    assert found == [("arn:aws:s3:::warehouse/11",)]


TABLE = NamedTable(
    {
        "name": ColumnType.TEXT,
        "number": ColumnType.INT,
        "share": ColumnType.FLOAT,
        "on": ColumnType.BOOL,
        "raw": ColumnType.BYTES,
        "all": ColumnType.TEXTS,
        "at": ColumnType.TIME,
    },
    [
        {
            "name": "a'\"\x00",
            "number": -1,
            "share": 0.5,
            "on": True,
            "raw": b"\x00",
            "all": ["x", '"', ""],
            "at": 1_000_000_000,
        },
        {},
    ],
)


def test_an_extra_table_lives_for_one_query(store: EvidenceStore) -> None:
    found = store.run_query(
        'SELECT * REPLACE (epoch_ns("at") AS "at") FROM extra', (), {"extra": TABLE}
    )
    assert found == [
        ("a'\"\x00", -1, 0.5, True, b"\x00", ["x", '"', ""], 1_000_000_000),
        (None,) * 7,
    ]
    with pytest.raises(Exception, match="extra"):
        store.run_query("SELECT * FROM extra")


def test_an_extra_table_may_be_empty(store: EvidenceStore) -> None:
    empty = NamedTable(TABLE.columns, [])
    assert store.run_query("SELECT count(*) FROM extra", (), {"extra": empty}) == [(0,)]
    columns, rows = store.run_user_select(
        "SELECT * FROM extra", ViewDefinitions({"extra": lambda: empty})
    )
    assert columns == tuple(TABLE.columns)
    assert rows == []


def test_user_sql_builds_only_the_tables_that_it_needs(filled: EvidenceStore) -> None:
    built: list[str] = []

    def build(name: str) -> NamedTable:
        built.append(name)
        return TABLE

    shown = ViewDefinitions(
        {name: partial(build, name) for name in ("extra", "other", "third")},
        {"mine": "SELECT * FROM other"},
    )
    for query, needed in (
        ("SELECT count(*) FROM events", []),
        ("SELECT * FROM Extra", ["extra"]),
        ("SELECT * FROM mine", ["other"]),
        ("SELECT * FROM query_table('thi' || 'rd')", ["extra", "other", "third"]),
    ):
        built.clear()
        filled.run_user_select(query, shown)
        assert sorted(built) == needed
    listed = "SELECT DISTINCT table_name FROM information_schema.columns ORDER BY 1"
    _, rows = filled.run_user_select(listed, shown)
    names = {"events", "events_raw", "mine", "extra", "other", "third"}
    assert {name for (name,) in rows} >= names


def test_a_person_sees_hex_ids_and_timestamps(
    filled: EvidenceStore, make: Make
) -> None:
    columns, rows = filled.run_user_select(
        "SELECT event_id, event_time, issued_until FROM events ORDER BY event_time"
    )
    assert columns == ("event_id", "event_time", "issued_until")
    assert rows[0][0] == make(0).event_id.hex()
    assert str(rows[0][1]) == "2023-11-14 22:13:20"
    assert rows[0][2] is None


def test_a_view_of_ours_sees_the_raw_events_and_the_extra_tables(
    filled: EvidenceStore,
) -> None:
    body = "SELECT e.event_id, x.name FROM events_raw e, extra x WHERE x.number = -1"
    _, rows = filled.run_user_select(
        "SELECT count(*), max(octet_length(event_id)) FROM mine",
        ViewDefinitions({"extra": lambda: TABLE}, {"mine": body}),
    )
    assert rows == [(13, 16)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "SELECT 1; SELECT 2",
        "DROP VIEW events",
        "CREATE TABLE x AS SELECT 1",
        "INSERT INTO extra VALUES (1)",
        "COPY (SELECT 1) TO '{segments}/x.csv'",
        "COPY events TO '{outside}/x.parquet'",
        "ATTACH '{outside}/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET memory_limit = '8GB'",
        "RESET memory_limit",
        "CALL pragma_version()",
        "EXPORT DATABASE '{outside}'",
        "EXPLAIN ANALYZE DELETE FROM events",
        "SELECT * FROM read_text('{keys}/log.key')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '{keys}/log.key'",
        "SELECT * FROM read_blob('{segments}/../keys/log.key')",
        "SELECT * FROM glob('{keys}/*')",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        "SELECT getenv('HOME')",
        "WITH x AS (DELETE FROM extra RETURNING *) SELECT * FROM x",
        "SELECT * FROM query('DROP VIEW events')",
        "SELECT nonsense FROM events",
        "not sql",
    ],
)
def test_anything_but_one_select_over_the_views_is_refused(
    filled: EvidenceStore, tmp_path: Path, text: str
) -> None:
    (tmp_path / "outside").mkdir()
    query = text.format(
        segments=filled.layout.segments,
        outside=tmp_path / "outside",
        keys=filled.layout.keys,
    )
    before = sorted(filled.root.rglob("*"))
    with pytest.raises(UsageError) as refusal:
        filled.run_user_select(query, ViewDefinitions({"extra": lambda: TABLE}))
    assert "\n" not in refusal.value.message
    assert sorted(filled.root.rglob("*")) == before
    assert list((tmp_path / "outside").iterdir()) == []
    assert filled.run_query("SELECT count(*) FROM events") == [(13,)]


def test_a_query_without_enough_memory_is_told_what_helps(
    filled: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: object) -> None:
        raise duckdb.OutOfMemoryException("Out of Memory Error: (366.2 MiB used)")

    monkeypatch.setattr(UserSelect, "run", run)
    with pytest.raises(UsageError, match="more memory than its limit of 384MB") as said:
        filled.queries.run_user_select("SELECT 1", None, QueryLimits())
    assert "--engine" in said.value.hint
    assert "one day" in said.value.hint


def test_equal_texts_of_many_rows_are_one_object(store: EvidenceStore) -> None:
    rows = store.run_query(
        "SELECT 'identity/' || (i % 3), i % 2 = 0, i % 2, [i % 2] FROM range(12000) t(i)"
    )
    assert [len({id(text) for text, *_ in rows[5_000:10_000]}), len(rows)] == [
        3,
        12_000,
    ]
    assert rows[11_001] == ("identity/0", False, 1, [1])
    assert {type(value) for row in rows for value in row} == {str, bool, int, list}
