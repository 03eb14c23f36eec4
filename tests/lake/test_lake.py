"""Questions over a customer's lake: read in place, with no copy in the store."""

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from answerable.connectors.cloudtrail import lake as reader
from answerable.store import large_stores
from tests.lake.conftest import USER, Run, make_record
from tests.lake.security_lake import build_table, write_folders

RECORDS = [make_record(number) for number in range(700)]


def _without_raw_facts(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `trace` without what depends on the bytes of the record."""
    return {name: value for name, value in row.items() if name != "evidence"}


def _trace(run: Run, *words: object) -> list[dict[str, Any]]:
    return [
        _without_raw_facts(each)
        for each in run("trace", "--limit", 2000, *words)["items"]
    ]


def _count_stored(run: Run) -> int:
    return int(run("sql", "SELECT count(*) AS n FROM events")["items"][0]["n"])


@pytest.fixture
def scanned(run: Run, filled: Path) -> Path:
    """Return the store, whose forty calls are also in the lake."""
    return filled


def test_a_lake_gives_the_rows_that_ingested_records_give(
    run: Run, scanned: Path, tmp_path: Path
) -> None:
    write_folders(RECORDS, tmp_path / "lake")
    from_lake = _trace(run, "--lake", f"lake:{tmp_path / 'lake'}")
    assert _count_stored(run) == 40
    (tmp_path / "all.json").write_text(json.dumps({"Records": RECORDS}))
    run("ingest", f"cloudtrail:{tmp_path / 'all.json'}")
    assert from_lake == _trace(run)
    assert len(from_lake) == 700


def test_chains_of_a_large_store_and_a_lake_are_found_and_counted(
    run: Run, scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    write_folders(RECORDS, tmp_path / "lake")
    lake = ("--lake", f"lake:{tmp_path / 'lake'}")
    questions = ("--by", "person,identity"), ("--identity", USER, "--limit", "5")

    def ask(*where: str) -> list[list[dict[str, Any]]]:
        return [
            [_without_raw_facts(each) for each in run("trace", *words, *where)["items"]]
            for words in questions
        ]

    found = ask(*lake)
    assert found[0][0]["events"] == 700
    (tmp_path / "all.json").write_text(json.dumps({"Records": RECORDS}))
    run("ingest", f"cloudtrail:{tmp_path / 'all.json'}")
    assert found == ask()


def test_a_question_of_a_day_reads_its_days_and_columns_only(
    run: Run, scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folders([make_record(n) for n in range(0, 15_000, 25)], tmp_path / "lake")
    seen: list[str] = []
    scan = reader._scan_parquet

    def keep(files: object, path: str, window: object) -> object:
        seen.append(path)
        return scan(files, path, window)  # type: ignore[arg-type]

    monkeypatch.setattr(reader, "_scan_parquet", keep)
    asked = ("--since", "2026-11-20", "--until", "2026-11-21")
    found = run("trace", "--lake", f"lake:{tmp_path / 'lake'}", *asked)
    assert {row["event_time"][:10] for row in found["items"]} == {"2026-11-20"}
    days = {path.partition("eventDay=")[2][:8] for path in seen}
    assert "20261101" not in days
    assert "20261124" not in days
    (place,) = found["coverage"]["in_place"]
    assert place["proof"] == "not proven by this store"
    assert place["since"] == "2026-11-18T12:00:00Z"


def test_sql_least_privilege_and_learn_answer_over_a_lake(
    run: Run, scanned: Path, tmp_path: Path
) -> None:
    write_folders(RECORDS, tmp_path / "lake")
    lake = ("--lake", f"lake:{tmp_path / 'lake'}")
    query = "SELECT count(*) AS n, count(DISTINCT resource) AS r FROM lineage"
    (row,) = run("sql", query, *lake)["items"]
    assert row["n"] == 700
    (row,) = run("sql", query, *lake, "--since", "2026-11-03")["items"]
    assert row["n"] == 40  # the store's own; those of the second day are earlier
    found = run("least-privilege", USER, "--since", "2026-11-01", *lake, code=1)
    assert found["items"][0]["used"] == 3
    assert found["coverage"]["in_place"][0]["events"] == 660
    learned = run(
        *("baseline", "learn", "agent:declared/report", "--cloud"),
        *("--identity", USER, "--since", "2026-11-01", *lake),
    )
    assert learned["items"]
    assert _count_stored(run) == 40


def test_tables_of_cloudtrail_itself_are_read(
    run: Run, scanned: Path, tmp_path: Path
) -> None:
    rows = []
    for record in RECORDS:
        row = {
            name.lower(): json.dumps(value) if name == "requestParameters" else value
            for name, value in record.items()
        }
        row["useridentity"] = {k.lower(): v for k, v in row["useridentity"].items()}
        row["resources"] = [{"arn": each["ARN"]} for each in row["resources"]]
        row["responseelements"] = None
        rows.append(row)
    (tmp_path / "lake").mkdir()
    parquet.write_table(
        pa.Table.from_pylist(rows), tmp_path / "lake" / "records.parquet"
    )
    lake = ("--lake", f"lake:{tmp_path / 'lake'}")
    found = _trace(run, *lake, "--since", "2026-11-02")
    write_folders(RECORDS, tmp_path / "ocsf")
    ocsf = ("--lake", f"lake:{tmp_path / 'ocsf'}")
    assert found == _trace(run, *ocsf, "--since", "2026-11-02")
    assert len(found) == 100


def test_other_tables_and_rows_are_counted_and_refused_rows_are_named(
    run: Run, scanned: Path, tmp_path: Path
) -> None:
    (tmp_path / "lake").mkdir()
    flow = pa.table({"time": [1], "src_endpoint": ["x"]})
    parquet.write_table(flow, tmp_path / "lake" / "flow.parquet")
    broken = build_table([{**RECORDS[50], "eventName": None}, RECORDS[51]])
    parquet.write_table(broken, tmp_path / "lake" / "trail.parquet")
    found = run("trace", "--lake", f"lake:{tmp_path / 'lake'}", code=3)
    assert found["coverage"]["in_place"][0]["skipped"] == 1
    (problem,) = found["coverage"]["sources"][-1]["problems"]
    assert "1 of 2 rows could not be read" in problem


def test_a_lake_without_a_table_of_calls_is_refused(
    run: Run, scanned: Path, tmp_path: Path
) -> None:
    (tmp_path / "lake").mkdir()
    table = build_table(RECORDS[:2]).drop(["actor"])
    parquet.write_table(table, tmp_path / "lake" / "trail.parquet")
    said = run("trace", "--lake", f"lake:{tmp_path / 'lake'}", code=2)["error"]
    assert "has the columns of CloudTrail's events" in said
    assert "expected metadata, actor, api and time" in said


def test_a_wrong_place_is_a_usage_error(
    run: Run, scanned: Path, tmp_path: Path
) -> None:
    said = run("trace", "--lake", f"lake:{tmp_path / 'none'}", code=2)
    assert "no lake at" in said["error"]
    said = run("trace", "--lake", "lake:", code=2)
    assert "the lake has no location" in said["error"]


def test_parquet_on_s3_is_read_in_place(
    run: Run, scanned: Path, tmp_path: Path, s3: str
) -> None:
    import boto3

    for file in write_folders(RECORDS, tmp_path / "lake"):
        key = str(file.relative_to(tmp_path / "lake"))
        boto3.client("s3").upload_file(str(file), "security-lake", key)
    found = _trace(run, "--lake", "lake:s3://security-lake/aws/CLOUD_TRAIL_MGMT/2.0")
    assert found == _trace(run, "--lake", f"lake:{tmp_path / 'lake'}")
    said = run("trace", "--lake", "lake:s3://other-bucket/x", code=5)
    error, hint = said["error"].splitlines()
    assert error.endswith("cannot be read (NO_SUCH_BUCKET)")
    assert "name a bucket that exists" in hint


def test_an_iceberg_table_of_another_tool_is_read_by_its_metadata(
    run: Run, scanned: Path, tmp_path: Path, s3: str
) -> None:
    from pyiceberg.catalog.glue import GlueCatalog

    catalog = GlueCatalog(
        "lake", **{"glue.endpoint": s3, "s3.endpoint": s3, "glue.region": "eu-west-1"}
    )
    catalog.create_namespace("amazon_security_lake")
    table = catalog.create_table(
        "amazon_security_lake.cloud_trail_mgmt_2_0",
        SCHEMA_OF_LAKE,
        location="s3://security-lake/tables/cloud_trail",
    )
    table.append(build_table(RECORDS[:300]))
    table.append(build_table(RECORDS[300:]))
    # A file that the table no longer names is not read.
    table.overwrite(build_table(RECORDS))
    lake = ("--lake", "lake:s3://security-lake/tables/cloud_trail")
    write_folders(RECORDS, tmp_path / "lake")
    local = ("--lake", f"lake:{tmp_path / 'lake'}")
    assert _trace(run, *lake) == _trace(run, *local)
    since = ("--since", "2026-11-02T00:30:00Z")
    assert _trace(run, *lake, *since) == _trace(run, *local, *since)
    (row,) = run("sql", "SELECT count(*) AS n FROM lineage", *lake)["items"]
    assert row["n"] == 700


SCHEMA_OF_LAKE = build_table([]).schema


def test_pyarrow_is_imported_only_with_a_lake(scanned: Path) -> None:
    import subprocess

    code = (
        "import sys; from answerable.cli.main import main; "
        "main(sys.argv[1:]); "
        "print([m for m in ('pyarrow', 'pyiceberg', 'boto3') if m in sys.modules])"
    )
    for words in (("trace",), ("sql", "SELECT 1"), ("least-privilege", USER)):
        ran = subprocess.run(
            [sys.executable, "-c", code, "--store", str(scanned), "-q", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.stdout.splitlines()[-1] == "[]", ran.stderr
