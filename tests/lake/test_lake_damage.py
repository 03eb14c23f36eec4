"""Files and tables of a lake that are incomplete, changed or damaged.

Each answer is right, or it is partial (exit 3) and names the file and what it lacks.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.lake.conftest import Run, make_record
from tests.lake.security_lake import build_table, to_ocsf

RECORDS = [make_record(number) for number in range(100, 120)]
COUNT = "SELECT count(*) AS n FROM events"


@pytest.fixture
def lake(run: Run, filled: Path, tmp_path: Path) -> Path:
    """A folder with ten rows in a whole file, beside a store of forty events."""
    folder = tmp_path / "lake"
    folder.mkdir()
    parquet.write_table(build_table(RECORDS[:10]), folder / "a.parquet")
    return folder


def ask(run: Run, lake: Path, code: int, *words: object) -> tuple[int, str]:
    """Count the events; return the count, and the problems of the lake."""
    found = run("sql", COUNT, "--lake", f"lake:{lake}", *words, code=code)
    problems = found["coverage"]["sources"][-1]["problems"]
    assert all(len(each) < 400 and "\n" not in each for each in problems)
    return found["items"][0]["n"], " ".join(problems)


def drop_member(path: str) -> pa.Table:
    """Return ten rows without a column or a nested member."""
    rows = [to_ocsf(each) for each in RECORDS[10:]]
    *parents, last = path.split(".")
    for row in rows:
        place: Any = row
        for name in parents:
            place = place[name]
        place = place if isinstance(place, list) else [place]
        for each in place:
            del each[last]
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize("name", ["time", "metadata", "actor", "api"])
def test_a_file_without_a_needed_column_is_named(
    run: Run, lake: Path, name: str
) -> None:
    table = build_table(RECORDS[10:]).drop([name])
    parquet.write_table(table, lake / "b.parquet")
    for words in ((), ("--since", "2026-10-01")):
        count, said = ask(run, lake, 3, *words)
        assert count == 50
        assert f"{lake}/b.parquet" in said
        assert f"column {name} missing" in said


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("cloud", 60),
        ("src_endpoint", 60),
        ("unmapped", 60),
        ("resources", 60),
        ("api.response", 60),
        ("api.operation", 50),
        ("actor.user.uid", 60),
        ("metadata.product", 50),
        ("metadata.product.name", 50),
    ],
)
def test_a_file_without_a_needed_member_is_named(
    run: Run, lake: Path, path: str, read: int
) -> None:
    parquet.write_table(drop_member(path), lake / "b.parquet")
    count, said = ask(run, lake, 3)
    assert count == read
    assert f"{lake}/b.parquet" in said
    assert path in said


def test_a_table_of_cloudtrail_without_a_column_is_named(run: Run, lake: Path) -> None:
    rows = [
        {
            **{k.lower(): v for k, v in each.items()},
            "useridentity": {k.lower(): v for k, v in each["userIdentity"].items()},
            "requestparameters": json.dumps(each["requestParameters"]),
            "responseelements": None,
        }
        for each in RECORDS[10:]
    ]
    whole = pa.Table.from_pylist(rows)
    whole = whole.set_column(
        whole.column_names.index("resources"),
        "resources",
        [[[{"arn": "arn:aws:s3:::warehouse/1.csv"}]] * 10],
    )
    if "errorcode" not in whole.column_names:
        whole = whole.append_column("errorcode", pa.array([None] * 10, pa.string()))
    parquet.write_table(whole, lake / "b.parquet")
    assert ask(run, lake, 0) == (60, "")
    for name, read in (("eventtime", 50), ("useridentity", 50), ("errorcode", 60)):
        parquet.write_table(whole.drop([name]), lake / "b.parquet")
        count, said = ask(run, lake, 3)
        assert count == read
        assert f"{lake}/b.parquet: column {name} missing" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time", "soon"),
        ("time", 1_790_000_000_000_000_000),
        ("time", 1.5),
        ("actor", "text"),
        ("api", 7),
        ("metadata", "text"),
        ("resources", "text"),
        ("resources", {"uid": "x"}),
        ("unmapped", [1, 2]),
        ("unmapped", [{"key": "a", "value": "b"}]),
        ("cloud", ["x"]),
    ],
)
def test_a_column_of_another_type_is_named(
    run: Run, lake: Path, name: str, value: object
) -> None:
    rows = [{**to_ocsf(each), name: value} for each in RECORDS[10:]]
    rows = [{k: v for k, v in r.items() if k == name or k != "unmapped"} for r in rows]
    fields = {f.name: f for f in build_table([]).schema if f.name != name}
    whole = pa.Table.from_pylist([{k: r.get(k) for k in fields} for r in rows])
    table = whole.append_column(name, pa.array([value] * 10))
    parquet.write_table(table, lake / "b.parquet")
    count, said = ask(run, lake, 3)
    assert count in {50, 60}
    assert f"{lake}/b.parquet" in said


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no table", b"half"])
def test_a_damaged_file_is_named_in_a_short_line(
    run: Run, lake: Path, data: bytes
) -> None:
    file = lake / "b.parquet"
    parquet.write_table(build_table(RECORDS[10:]), file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if data == b"half" else data)
    count, said = ask(run, lake, 3)
    assert count == 50
    assert f"{file}: the table could not be read: " in said
    assert "Could not open" not in said


@pytest.mark.parametrize("folder", ["eventDay=soon", "eventDay=20261345", "day"])
def test_a_folder_with_another_name_is_read(run: Run, lake: Path, folder: str) -> None:
    (lake / folder).mkdir()
    parquet.write_table(build_table(RECORDS[10:]), lake / folder / "b.parquet")
    assert ask(run, lake, 0, "--since", "2026-10-31") == (60, "")


def test_a_table_of_another_class_is_skipped(run: Run, lake: Path) -> None:
    rows = [to_ocsf(each) for each in RECORDS[10:]]
    for row in rows:
        row["metadata"]["product"]["name"] = "Route 53"
        del row["api"], row["actor"]
    parquet.write_table(pa.Table.from_pylist(rows), lake / "b.parquet")
    assert ask(run, lake, 0) == (50, "")


def remove_data(table: Path) -> None:
    next(table.glob("data/*.parquet")).unlink()


def remove_manifests(table: Path) -> None:
    for each in table.glob("metadata/*.avro"):
        each.unlink()


def damage_manifests(table: Path) -> None:
    for each in table.glob("metadata/*.avro"):
        each.write_bytes(each.read_bytes()[:100])


def remove_metadata(table: Path) -> None:
    for each in table.glob("metadata/*.metadata.json"):
        each.unlink()


def damage_metadata(table: Path) -> None:
    newest = max(table.glob("metadata/*.metadata.json"))
    newest.write_text(newest.read_text()[:200])


def empty_metadata(table: Path) -> None:
    max(table.glob("metadata/*.metadata.json")).write_text("{}")


@pytest.mark.parametrize(
    "change",
    [
        *(remove_data, remove_manifests, damage_manifests),
        *(remove_metadata, damage_metadata, empty_metadata),
    ],
)
def test_a_damaged_iceberg_table_is_named(
    run: Run, lake: Path, s3: str, change: Callable[[Path], None]
) -> None:
    from pyiceberg.catalog.glue import GlueCatalog

    catalog = GlueCatalog("lake", **{"glue.endpoint": s3, "glue.region": "eu-west-1"})
    catalog.create_namespace("a")
    place = lake / "table"
    schema = build_table([]).schema
    table = catalog.create_table("a.b", schema, location=f"file://{place}")
    table.append(build_table(RECORDS[10:]))
    assert ask(run, lake, 0) == (60, "")
    change(place)
    count, said = ask(run, lake, 3)
    assert count == 50
    assert f"{place}/metadata/" in said
    shutil.rmtree(place)
