"""The documented views are declared once, and give the same rows in each engine."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.lake.conftest import Run

NAMES = (
    *("events", "lineage", "decisions"),
    *("agents", "identities", "credentials", "owners"),
)


def _texts(rows: Any) -> list[tuple[str, ...]]:
    """Rows as text, sorted, with times spelled alike."""
    return sorted(
        tuple(str(v).replace("T", " ").removesuffix("+00:00") for v in row)
        for row in rows
    )


def test_an_engine_gives_the_rows_of_sql_from_the_emitted_statements(
    run: Run, filled: Path, tmp_path: Path
) -> None:
    said = run("sql", "--emit", "duckdb", "--tables", tmp_path / "tables")
    engine = duckdb.connect()
    for item in said["items"]:
        engine.execute(item["statement"])
    for name in NAMES:
        query = f"SELECT * FROM {name}"  # noqa: S608 - our own view names
        ours = [each.values() for each in run("sql", query)["items"]]
        theirs = engine.execute(query).fetchall()
        assert _texts(theirs) == _texts(ours), name
        assert ours or name in ("decisions", "agents"), name


def test_a_store_without_segments_has_empty_views(
    run: Run, filled: Path, tmp_path: Path
) -> None:
    shutil.rmtree(filled)
    run("scan", f"aws:{tmp_path / 'account.json'}")
    said = run("sql", "--emit", "duckdb", "--tables", tmp_path / "tables")
    engine = duckdb.connect()
    for item in said["items"]:
        engine.execute(item["statement"])
    for name in ("events", "lineage", "decisions"):
        query = f"SELECT count(*) FROM {name}"  # noqa: S608 - our own view names
        assert engine.execute(query).fetchall() == [(0,)]


@pytest.mark.parametrize("dialect", ["duckdb", "trino", "athena", "spark"])
def test_every_dialect_names_the_place_of_the_store(
    run: Run, filled: Path, dialect: str
) -> None:
    said = run("sql", "--emit", dialect, "--at", "s3://evidence/store")
    made = {each["name"]: each["statement"] for each in said["items"]}
    assert set(NAMES) | {"events_raw", "chains"} <= set(made)
    assert "s3://evidence/store/segments" in made["events_raw"]
    assert "s3://evidence/store/tables/chains" in made["chains"]


def test_athena_quotes_columns_of_tables_as_hive_and_of_views_as_trino(
    run: Run, filled: Path
) -> None:
    for item in run("sql", "--emit", "athena")["items"]:
        there, other = ("`", '"') if item["kind"] == "table" else ('"', "`")
        assert there in item["statement"]
        assert other not in item["statement"]


def test_a_query_and_emit_exclude_each_other(run: Run, filled: Path) -> None:
    assert (
        "--emit takes no QUERY"
        in run("sql", "SELECT 1", "--emit", "spark", code=2)["error"]
    )
    assert "QUERY is missing" in run("sql", code=2)["error"]
    assert "require --emit" in run("sql", "SELECT 1", "--at", "x", code=2)["error"]


def test_a_file_is_no_folder_for_tables(run: Run, filled: Path, tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("mine")
    said = run("sql", "--emit", "spark", "--tables", tmp_path / "tables", code=2)
    assert "--tables is not a folder" in said["error"]
    assert (tmp_path / "tables").read_text() == "mine"


def test_a_script_is_printed_unless_a_form_is_named(filled: Path) -> None:
    command = [sys.executable, "-m", "answerable", "--store", str(filled)]
    ran = subprocess.run(
        [*command, "sql", "--emit", "spark"], capture_output=True, text=True, check=True
    )
    first, *rest = ran.stdout.splitlines()
    assert first == "SET TIME ZONE 'UTC';"
    assert all(line.startswith("CREATE OR REPLACE TEMPORARY VIEW ") for line in rest)


@pytest.mark.world
@pytest.mark.parametrize("dialect", ["trino", "athena", "spark"])
def test_another_parser_accepts_the_statements(
    run: Run, filled: Path, dialect: str
) -> None:
    import sqlglot

    for item in run("sql", "--emit", dialect)["items"]:
        (parsed,) = sqlglot.parse(item["statement"], read=dialect)
        assert item["kind"] == "setting" or isinstance(parsed, sqlglot.exp.Create)
