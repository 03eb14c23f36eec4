"""Rows of `tests/cases/gcp.yaml`: policies, a question, the documented answer."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.reach.gcp.estates import ask, build_estate_access

CASES = Path(__file__).resolve().parents[2] / "cases" / "gcp.yaml"
ROWS: list[dict[str, Any]] = yaml.safe_load(CASES.read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_the_answer_is_the_documented_one(row: dict[str, Any]) -> None:
    got = ask(build_estate_access(row), row["ask"], direct=row.get("direct", True))
    assert got.verdict == row["verdict"], got
    if "steps" in row:
        assert [hop["via"] for hop in got.item["path"]] == row["steps"]
    if "assuming" in row:
        assert got.item["assuming"] == row["assuming"]
    if "unknown" in row:
        assert [each.id for each in got.unknown] == row["unknown"]


def test_every_row_cites_its_source() -> None:
    assert all(row["source"] for row in ROWS)
    names = [row["name"] for row in ROWS]
    assert len(names) == len(set(names))
