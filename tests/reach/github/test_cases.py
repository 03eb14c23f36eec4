"""Rows of `tests/cases/github.yaml`: an organization, a question, the answer."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.reach.github.organization_builder import (
    ask,
    build_organization,
    drop_kind,
    index,
)

SITE = "https://docs.github.com/"
PAGE = re.compile(r"[a-z-]+(/[a-z_-]+)+(\.md)?")
CASES = Path(__file__).resolve().parents[2] / "cases" / "github.yaml"
ROWS: list[dict[str, Any]] = yaml.load(
    CASES.read_text(encoding="utf-8"), yaml.CSafeLoader
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_the_answer_is_the_documented_one(row: dict[str, Any]) -> None:
    organization = build_organization(row["acme"])
    for kind in row.get("uncollected", ()):
        organization = drop_kind(organization, kind)
    subject, action, resource = row["ask"]
    direct = row.get("direct", False)
    got = ask(index(organization), subject, action, resource, direct=direct)
    assert got.verdict == row["verdict"]
    assert set(row.get("assuming", ())) <= set(got.item["assuming"])
    if got.verdict in ("always", "only-if"):
        hops = [each for hop in got.item["path"] for each in hop["determining"]]
        assert got.item["determining"] or hops


def test_every_row_quotes_a_page_of_github_and_has_a_name_of_its_own() -> None:
    for row in ROWS:
        page, place = re.split("[,:;]", row["source"].removeprefix(SITE), maxsplit=1)
        assert PAGE.fullmatch(page), row["name"]
        assert '"' in place, row["name"]
    assert len({row["name"] for row in ROWS}) == len(ROWS)
