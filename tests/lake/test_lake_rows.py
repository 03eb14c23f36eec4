"""Rows of a lake that repeat, contradict or are damaged, and rows of another time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.lake.conftest import USER, Run, make_record
from tests.lake.security_lake import build_table, write_folders

RECORDS = [make_record(number) for number in range(100, 110)]
COUNT = "SELECT count(*) AS n FROM events"


def build_own_table(records: list[dict[str, Any]]) -> pa.Table:
    """Build a table with CloudTrail's own columns."""
    rows = []
    for each in records:
        row = {k.lower(): v for k, v in each.items()}
        row["useridentity"] = {k.lower(): v for k, v in each["userIdentity"].items()}
        row["requestparameters"] = json.dumps(each["requestParameters"])
        row["resources"] = [
            {"arn": r["ARN"], "type": r["type"]} for r in each["resources"]
        ]
        row["responseelements"] = None
        row["errorcode"] = each.get("errorCode")
        rows.append(row)
    return pa.Table.from_pylist(rows)


@pytest.fixture
def lake(filled: Path, tmp_path: Path) -> Path:
    """An empty folder, beside a store of forty events."""
    folder = tmp_path / "lake"
    folder.mkdir()
    return folder


def count(run: Run, lake: Path, *words: object, code: int = 0) -> tuple[int, Any]:
    """Count the events of a view; return the count and the coverage."""
    found = run("sql", COUNT, "--lake", f"lake:{lake}", *words, code=code)
    return found["items"][0]["n"], found["coverage"]


def list_problems(coverage: dict[str, Any]) -> str:
    """Return the problems of the lake as one text."""
    return " ".join(coverage["sources"][-1]["problems"])


@pytest.mark.parametrize("build", [build_table, build_own_table])
def test_a_repeated_delivery_is_read_once(
    run: Run, lake: Path, build: Callable[[list[dict[str, Any]]], pa.Table]
) -> None:
    for name in ("a", "b"):
        parquet.write_table(build(RECORDS), lake / f"{name}.parquet")
    parquet.write_table(build_table(RECORDS), lake / "c.parquet")
    read, coverage = count(run, lake)
    assert read == 50
    (place,) = coverage["in_place"]
    assert (place["events"], place["duplicates"]) == (10, 20)
    option = ("--lake", f"lake:{lake}", "--since", "2026-11-01")
    rows = run("trace", "--limit", 500, *option)
    assert len(rows["items"]) == 50
    assert "conflicts" not in rows["coverage"]
    counted = run("trace", "--by", "identity", *option)
    assert sum(each["events"] for each in counted["items"]) == 50


def test_other_content_of_an_event_is_a_conflict(run: Run, lake: Path) -> None:
    other = {**RECORDS[0], "errorCode": "AccessDenied"}
    agent = {**RECORDS[1], "userAgent": "other"}  # of no column of an event
    for name, records in (("a", RECORDS), ("b", [other, agent])):
        parquet.write_table(build_own_table(records), lake / f"{name}.parquet")
    read, coverage = count(run, lake)
    assert read == 52
    assert len(coverage["conflicts"]) == 2
    by = run("trace", "--by", "identity", "--lake", f"lake:{lake}")
    assert by["coverage"]["conflicts"] == coverage["conflicts"]


def test_the_note_of_a_conflict_names_no_command_that_cannot_work(
    run: Run, lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from answerable.cli.main import main

    other = {**RECORDS[0], "errorCode": "AccessDenied"}
    parquet.write_table(build_table([RECORDS[0], other]), lake / "a.parquet")
    capsys.readouterr()
    store = ("--store", str(tmp_path / "store"))
    main([*store, "trace", "--lake", f"lake:{lake}", "-o", "table"])
    said = " ".join(capsys.readouterr().out.split())
    assert "its rows are in the lake" in said
    assert "lists both" not in said


@pytest.mark.parametrize("column", ["requestparameters", "responseelements"])
def test_damaged_json_in_a_cell_is_named(run: Run, lake: Path, column: str) -> None:
    table = build_own_table(RECORDS)
    place = table.column_names.index(column)
    cells = pa.array(['{"bucketName": "ware'] * 3 + [None] * 7, pa.string())
    parquet.write_table(table.set_column(place, column, cells), lake / "a.parquet")
    read, coverage = count(run, lake, code=3)
    assert read == 50
    said = list_problems(coverage)
    assert f"{lake}/a.parquet: column {column}: damaged JSON in 3 of 10 rows" in said
    assert "ware" not in said


def test_damaged_json_of_ocsf_is_named(run: Run, lake: Path) -> None:
    rows = build_table(RECORDS).to_pylist()
    rows[0]["api"]["response"]["data"] = "{cut"
    table = pa.Table.from_pylist(rows, schema=build_table([]).schema)
    parquet.write_table(table, lake / "a.parquet")
    read, coverage = count(run, lake, code=3)
    assert read == 50
    assert "column api.response.data: damaged JSON in 1 of 10 rows" in list_problems(
        coverage
    )


@pytest.mark.parametrize("since", [(), ("--since", "2026-10-01")])
@pytest.mark.parametrize("is_ocsf", [True, False])
def test_a_time_in_another_unit_is_partial(
    run: Run, lake: Path, since: tuple[str, ...], is_ocsf: bool
) -> None:
    table = (build_table if is_ocsf else build_own_table)(RECORDS)
    name = "time" if is_ocsf else "eventtime"
    kind = pa.int64() if is_ocsf else pa.int32()
    cells = pa.array([1_793_500_000] * 10, kind)
    place = table.column_names.index(name)
    parquet.write_table(table.set_column(place, name, cells), lake / "a.parquet")
    read, coverage = count(run, lake, *since, code=3)
    assert read == 40
    assert "10 of 10 rows could not be read" in list_problems(coverage)


def test_rows_without_an_id_are_partial(run: Run, lake: Path) -> None:
    table = build_own_table(RECORDS)
    place = table.column_names.index("eventid")
    cells = pa.array([None] * 10, pa.string())
    parquet.write_table(table.set_column(place, "eventid", cells), lake / "a.parquet")
    read, coverage = count(run, lake, code=3)
    assert read == 50
    assert "column eventid: empty in 10 of 10 rows" in list_problems(coverage)


def test_rows_before_since_are_not_in_the_views(run: Run, lake: Path) -> None:
    write_folders([make_record(number) for number in range(700)], lake)
    for view in ("events", "lineage"):
        query = COUNT.replace("events", view)
        asked = (query, "--lake", f"lake:{lake}", "--since", "2026-11-02T00:30:00Z")
        found = run("sql", *asked)
        assert found["items"][0]["n"] == 40 + 70
    (place,) = found["coverage"]["in_place"]
    assert place["events"] == 660
    assert place["earlier"] == 660 - 70


@pytest.mark.parametrize("by_day", [True, False])
def test_a_time_without_files_is_stated(
    lake: Path, tmp_path: Path, by_day: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    from answerable.cli.main import main

    if by_day:
        write_folders(RECORDS, lake)
    else:
        parquet.write_table(build_table(RECORDS), lake / "a.parquet")
    capsys.readouterr()
    store = ("--store", str(tmp_path / "store"))
    words = ("trace", "--lake", f"lake:{lake}", "--since", "2027-01-01")
    assert main([*store, *words]) == 0
    assert "the lake has no event of this time" in capsys.readouterr().err


def test_coverage_does_not_contradict_itself(run: Run, lake: Path) -> None:
    parquet.write_table(build_table(RECORDS), lake / "a.parquet")
    found = run("trace", "--lake", f"lake:{lake}", "--since", "2026-11-01")
    assert "cloudtrail" in found["coverage"]["seen"]
    assert "cloudtrail" not in found["coverage"]["not_collected"]


def test_one_file_is_read_and_another_is_refused(run: Run, lake: Path) -> None:
    parquet.write_table(build_table(RECORDS), lake / "a.parquet")
    assert count(run, lake / "a.parquet")[0] == 50
    (lake / "a.txt").write_text("x")
    said = run("sql", COUNT, "--lake", f"lake:{lake}/a.txt", code=2)["error"]
    assert "is a file, and no Parquet file" in said


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("s3://", "no bucket is named"),
        ("s3:///x", "no bucket is named"),
        ("s3://user:sekret@lake/sl", "credentials do not belong"),
        ("s3://lake/sl?x=sekret", "has no parameters"),
        ("S3://lake/sl", "is a folder or s3://BUCKET/PREFIX"),
        ("https://user:sekret@lake/sl", "is a folder or s3://BUCKET/PREFIX"),
    ],
)
def test_another_address_is_a_usage_error(
    run: Run, filled: Path, place: str, expected: str
) -> None:
    said = run("sql", COUNT, "--lake", f"lake:{place}", code=2)["error"]
    assert expected in said
    assert "sekret" not in said


def test_a_repeated_option_is_refused(run: Run, lake: Path) -> None:
    option = ("--lake", f"lake:{lake}", "--lake", f"lake:{lake}")
    assert "--lake is given 2 times" in run("sql", COUNT, *option, code=2)["error"]


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("s3://user:sekret@evidence/x", "credentials do not belong"),
        ("s3://sekret@evidence/x", "credentials do not belong"),
        ("s3://user:sekret@evidence", "credentials do not belong"),
        ("s3://evidence/prod?x=sekret", "has no parameters"),
        ("s3://evidence//x", "without an empty part"),
        ("s3://evidence/a//x", "without an empty part"),
        ("S3://evidence/x", "is a folder or s3://BUCKET/PREFIX"),
        ("https://user:sekret@evidence/x", "is a folder or s3://BUCKET/PREFIX"),
    ],
)
def test_another_address_of_a_store_is_refused_without_its_secret(
    store: str,
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from answerable.cli.main import main

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert main(["--store", store, "sql", COUNT]) == 2
    said = "".join(capsys.readouterr())
    assert expected in said
    assert "sekret" not in said
    assert not (tmp_path / "data").exists()


def test_a_damaged_table_is_described_in_plain_words(run: Run, lake: Path) -> None:
    parquet.write_table(build_table(RECORDS), lake / "a.parquet")
    (lake / "b.parquet").write_bytes(b"PAR1 no table")
    read, coverage = count(run, lake, code=3)
    assert read == 50
    assert list_problems(coverage).endswith(
        "b.parquet: the table could not be read: it is damaged, or no Parquet file or "
        "Iceberg table"
    )


def test_learning_and_least_privilege_count_an_event_once(run: Run, lake: Path) -> None:
    parquet.write_table(build_table(RECORDS), lake / "a.parquet")
    option = ("--lake", f"lake:{lake}", "--since", "2026-11-01")
    once = run("least-privilege", USER, *option, code=1)["items"]
    parquet.write_table(build_own_table(RECORDS), lake / "b.parquet")
    assert run("least-privilege", USER, *option, code=1)["items"] == once
