"""`what-if` takes grants, memberships and row policies away, and says what changes."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "postgres" / "sample"
HEAD = "postgres:db.example.com/shop"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with the sample server."""
    made = str(tmp_path_factory.mktemp("what-if") / "store")
    source = f"pg:{SAMPLE},host=db.example.com"
    assert main(["--store", made, "-q", "scan", source]) == 0
    return made


def changes(
    store: str, capsys: pytest.CaptureFixture[str], *words: str
) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return the verdicts before and after, by subject, action and resource."""
    capsys.readouterr()
    assert main(["--store", store, "-o", "json", "what-if", *words]) == 0
    items: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["items"]
    return {
        (
            item["subject"].rpartition("/")[2],
            item["action"],
            item["resource"].removeprefix(f"{HEAD}/"),
        ): (item["before"], item["after"])
        for item in items
    }


def test_without_a_membership_its_privileges_fall_away(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = changes(store, capsys, "app", "--without", "GRANT migrator TO app")
    assert found["app", "DELETE", "table/sales.orders"] == ("always", "never")
    assert ("app", "INSERT", "table/sales.orders") not in found  # of its own


def test_without_usage_on_a_schema_every_role_loses_its_objects(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    grant = "GRANT USAGE ON SCHEMA sales TO readers"
    found = changes(store, capsys, "--all", "--without", grant)
    assert {subject for subject, _, _ in found} == {"readers", "support"}
    lost = found["support", "SELECT", "table/sales.refunds"]
    assert lost == ("only-if", "never")


def test_without_the_only_row_policy_no_row_is_left(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit = "table sales.refunds#POLICY own_region"
    found = changes(store, capsys, "support", "--without", edit)
    assert list(found.values()) == [("only-if", "never")]


def test_without_superuser_its_one_row_falls_away(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit = "ALTER ROLE postgres SUPERUSER"
    found = changes(store, capsys, "postgres", "--without", edit)
    assert found == {("postgres", "*", "*/*"): ("always", "never")}


def test_an_unknown_statement_is_refused(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("what-if", "app", "--without", "GRANT nothing TO app")
    assert main(["--store", store, *words]) == 2
    assert "no such statement" in capsys.readouterr().err
