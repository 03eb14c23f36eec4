"""The page of the comparison states what our commands answer today."""

from pathlib import Path

from bench.compare.__main__ import TOOLS, run_compared_tool
from bench.compare.questions import QUESTIONS
from bench.compare.tools import list_records


def test_our_answers_are_those_of_the_page(root: Path) -> None:
    page = (root / "docs" / "compare.md").read_text(encoding="utf-8")
    assert "Written on 20" in page
    ours = run_compared_tool(TOOLS[0], root)
    assert ours.name == "answerable"
    for number, question in enumerate(QUESTIONS):
        answered, wrong = ours.answered[number]
        assert wrong == []
        cell = f"| {len(answered)} of {len(question.facts)} |"
        assert f"| {number + 1}. {question.text} {cell}" in page


def test_a_record_that_holds_no_fact_answers_nothing() -> None:
    records = list_records('{"items": [{"name": "billing"}], "coverage": {}}')
    assert [each.find_answered(records) for each in QUESTIONS] == [
        [] for _ in QUESTIONS
    ]
    lines = list_records("dana/work/shop/.env: key\nshop/.mcp.json: key\n")
    assert QUESTIONS[1].find_answered(lines) == ["key in `.env`", "key in `.mcp.json`"]
    assert QUESTIONS[2].find_answered(lines) == []


def test_the_page_has_a_column_for_each_tool(root: Path) -> None:
    page = (root / "docs" / "compare.md").read_text(encoding="utf-8")
    for each in TOOLS:
        assert f"| {each.name} " in page
