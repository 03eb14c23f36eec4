"""Every documented query gives the same rows over a lake as over sealed events."""

import json
from pathlib import Path
from typing import Any

from answerable.services.lineage.lake_events import read_lake_events
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.spark_files import write_other_events
from answerable.store.store import EvidenceStore
from tests.lake.conftest import Run, make_record
from tests.lake.security_lake import write_folders
from tests.lake.test_spark import QUERIES
from tests.store.conftest import NOW

RECORDS = [make_record(number) for number in range(120)]
# What a row of OCSF does not have: the bytes of the record, and when it was sealed.
OF_THE_RECORD = {"raw_sha256", "salt", "ingest_time", "facts"}


def _list_rows(found: list[dict[str, Any]]) -> list[list[str]]:
    return sorted(
        [str(value) for name, value in row.items() if name not in OF_THE_RECORD]
        for row in found
    )


def test_every_documented_query_gives_the_same_rows_over_a_lake(
    run: Run, filled: Path, tmp_path: Path
) -> None:
    write_folders(RECORDS, tmp_path / "lake")
    lake = ("--lake", f"lake:{tmp_path / 'lake'}")
    from_lake = [_list_rows(run("sql", *lake, query)["items"]) for query in QUERIES]
    (tmp_path / "all.json").write_text(json.dumps({"Records": RECORDS}))
    run("ingest", f"cloudtrail:{tmp_path / 'all.json'}")
    for query, rows in zip(QUERIES, from_lake, strict=True):
        assert rows == _list_rows(run("sql", query)["items"]), query
    assert len(from_lake[0]) == len(RECORDS)


def test_events_of_a_lake_are_handed_to_a_cluster(tmp_path: Path) -> None:
    write_folders(RECORDS, tmp_path / "lake")
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        read_lake_events(store, f"lake:{tmp_path / 'lake'}", since=0, until=0, now=NOW)
        sources = store.queries.get_current_sources()
        write_other_events(sources, tmp_path / "others")
    engine = DuckDbEngine(tmp_path / "others")
    file = quote_text(str(tmp_path / "others" / "events.parquet"))
    query = f"SELECT count(DISTINCT event_id) FROM read_parquet({file})"  # noqa: S608
    assert engine.run(query) == [(len(RECORDS),)]
    engine.close()
