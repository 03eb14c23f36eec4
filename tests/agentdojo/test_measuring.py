"""Shares with their intervals, variants of runs, and the page."""

import re
from pathlib import Path

from bench.agentdojo import report
from bench.agentdojo.scenario import ExecutedCall, HonestRun, ScriptedCall
from bench.agentdojo.share_statistics import clustered_share, wilson_share
from bench.agentdojo.task_variants import vary_directory, vary_run

FACTS = {
    "processor": "one",
    "date": "2026-01-01",
    "revision": "aaaa",
    "load before": "0.1",
    "load after": "0.2",
}


def test_runs_of_one_goal_are_one_sample() -> None:
    apart = [(f"goal {n}", n < 5) for n in range(100)]
    alike = [(f"goal {n // 10}", n < 5) for n in range(100)]
    one, other = clustered_share(apart, 1), clustered_share(alike, 1)
    assert one.share == other.share == 0.05
    assert other.high - other.low > one.high - one.low


def test_what_never_happened_may_happen_and_the_bound_says_how_often() -> None:
    share = clustered_share(((f"goal {n % 28}", False) for n in range(800)), 1)
    assert (share.hits, share.low) == (0, 0.0)
    assert 0.09 < share.high < 0.11
    assert wilson_share(0, 77).high < 0.05


def test_a_variant_has_other_values_and_the_same_shape() -> None:
    sent = ScriptedCall(
        "send",
        {"to": ["ana@corp.example"], "file_id": "7", "title": "Lunch", "amount": 40.0},
    )
    body = "Lunch with ana@corp.example on 2024-05-15, www.site.com"
    answer = [{"id_": "7", "body": body, "amount": 40.0}]
    run = HonestRun("s", "t", "Mail ana@corp.example", (ExecutedCall(sent, answer),))
    assert vary_run(run, 0) == run
    other = vary_run(run, 3)
    (turn,) = other.turns
    assert other.request == "Mail ana.3@corp.example"
    assert turn.call.arguments["to"] == ["ana.3@corp.example"]
    assert turn.call.arguments["file_id"] == "307"
    assert turn.call.arguments["title"] == "Lunchd"
    assert isinstance(turn.answer, list)
    assert turn.answer[0]["id_"] == "307"
    assert (
        turn.answer[0]["body"]
        == "Lunchd with ana.3@corp.example on 2024-05-18, www.site-3.com"
    )
    assert turn.answer[0]["amount"] == turn.call.arguments["amount"] != 40.0


def test_a_directory_changes_as_the_runs_do() -> None:
    listed = vary_directory({"ana@corp.example", "www.site.com"}, {"Alice"}, 3)
    assert listed == {"ana.3@corp.example", "www.site-3.com", "Aliced"}


def section(title: str, cell: str) -> report.ReportSection:
    return report.ReportSection(title, "About.", ("rule", "some harm"), [["r", cell]])


def test_a_section_that_was_not_measured_stays_as_it_was() -> None:
    titles = ("One", "Two")
    first = report.render_page(
        FACTS, [section("One", "1 %"), section("Two", "2 %")], titles, ""
    )
    later = FACTS | {"revision": "bbbb"}
    after = report.render_page(later, [section("One", "3 %")], titles, first)
    assert "| r | 3 % |" in after
    assert "| r | 1 % |" not in after
    assert "| r | 2 % |" in after
    assert after.count("at revision aaaa") == after.count("at revision bbbb") == 1


def test_every_table_of_the_page_says_when_it_was_measured() -> None:
    root = Path(__file__).resolve().parents[2]
    text = (root / "docs" / "baseline-measured.md").read_text("utf-8")
    assert "Written by `make agentdojo`; do not edit." in text
    first, *sections = text.partition("\n## How\n")[0].split("\n## ")
    assert "| seed | " in first
    assert len(sections) >= 6
    for one in sections:
        assert re.search(r"Measured on \d{4}-\d\d-\d\d at revision [0-9a-f]{12};", one)  # noqa: TID251
        assert "\n| --- | --:" in one or "\n| --- | --- " in one
