"""The table of ownership: tests/cases/owners.yaml."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.inventory.ownership_score import assign_owner
from answerable.inventory.person_directory import PersonDirectory
from answerable.model.person import OwnerEvidenceKind
from answerable.model.provenance import WrittenBy
from tests.inventory.fact_builders import NOW, evidence, human

Case = dict[str, Any]


def cases() -> Sequence[Case]:
    path = Path(__file__).parent.parent / "cases" / "owners.yaml"
    loaded: list[Case] = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
    return loaded


@pytest.mark.parametrize("case", cases(), ids=lambda case: str(case["name"]))
def test_the_table_of_ownership_holds(case: Case) -> None:
    persons = [
        human(
            who["id"],
            *who.get("aliases", ()),
            team=who.get("team", False),
            alive=who.get("alive", True),
            by=WrittenBy(who.get("written_by", "platform")),
        )
        for who in case.get("persons", ())
    ]
    said = [
        evidence(
            "subject",
            item["person"],
            OwnerEvidenceKind(item["kind"]),
            age=item["age"],
            act=item.get("act", ""),
            reference=item.get("reference", ""),
            by=WrittenBy(item.get("written_by", "platform")),
        )
        for item in case["evidence"]
    ]
    owner = assign_owner(
        "subject",
        said,
        people=PersonDirectory(persons, said),
        now=NOW,
        is_self_written=lambda item: not item.seen.written_by.is_trusted_author,
    )
    expect = case["expect"]
    assert owner.state == expect["state"]
    if "person" in expect:
        assert owner.person == f"person:{expect['person']}"
    elif expect["state"] in ("none", "ambiguous"):
        assert owner.person is None
    if "score" in expect:
        assert owner.score == pytest.approx(expect["score"], abs=0.0006)
    if "margin" in expect:
        assert owner.margin == pytest.approx(expect["margin"], abs=0.0006)
    assert len(owner.candidates) == expect.get("candidates", len(owner.candidates))
