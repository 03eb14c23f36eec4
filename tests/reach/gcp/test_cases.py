"""Rows of `tests/cases/gcp.yaml`: policies, a question, the documented answer."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.reach.gcp import condition_context, limit_changes, limit_lifting
from answerable.reach.gcp.limit_changes import list_limit_changes
from answerable.reach.gcp.step_edges import StepLister
from tests.reach.gcp.estates import ask, build_estate_access

CASES = Path(__file__).resolve().parents[2] / "cases" / "gcp.yaml"
ROWS: list[dict[str, Any]] = yaml.load(
    CASES.read_text(encoding="utf-8"), yaml.CSafeLoader
)


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


def change_none(kind: str) -> Any:
    """Return a list of changes without those of a kind."""

    def list_others(access: Any, principal: str) -> Any:
        listed = list_limit_changes(access, principal)
        return (each for each in listed if not getattr(each, kind))

    return list_others


MISTAKES: list[tuple[object, str, object]] = [
    *(
        (limit_lifting, "list_limit_changes", change_none(kind))
        for kind in ("denial", "boundary", "binding", "key_policy", "tags")
    ),
    (limit_changes, "_find_set_owner", lambda _, __, at: ("iam.workspacePools", at)),
    (condition_context, "_may_change_tag", lambda index, *_: bool(index.free_tags)),
    (StepLister, "_is_blocked", lambda *_: False),
    (StepLister, "_enter_unknown_clusters", lambda *_: ()),
    (StepLister, "_has_workload", lambda *_: False),
]
LIMITED = [
    row
    for row in ROWS
    if not row.get("direct", True)
    and (
        {"deny", "bound", "constraints", "tags", "workloads"} & set(row)
        or "cluster" in row["name"]
    )
]


@pytest.mark.parametrize(
    ("owner", "name", "mistake"),
    MISTAKES,
    ids=[f"{n}-{each[1]}" for n, each in enumerate(MISTAKES)],
)
def test_a_planted_mistake_about_limits_is_found(
    owner: object, name: str, mistake: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, mistake)
    assert any(
        ask(build_estate_access(row), row["ask"], direct=False).verdict
        != row["verdict"]
        for row in LIMITED
    )
