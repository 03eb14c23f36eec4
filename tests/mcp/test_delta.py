"""The delta names every check that ended otherwise, and nothing else."""

import json
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.mcp.conformance.delta import Difference, differences
from tests.mcp.conformance.page import page
from tests.mcp.conformance.suite import Key, Run, read

keys = st.tuples(st.sampled_from("ab"), st.sampled_from("cd"), st.just("Name"))
statuses = st.sampled_from(["SUCCESS", "FAILURE", "WARNING", "SKIPPED"])
checks = st.dictionaries(keys, statuses.map(lambda status: Counter([status])))


def run_of(checks: dict[Key, Counter[str]], **said: str) -> Run:
    return Run(checks, frozenset({"b"}), {key: said.get(key[1], "") for key in checks})


@given(checks)
def test_a_run_does_not_differ_from_itself(checks: dict[Key, Counter[str]]) -> None:
    assert list(differences(run_of(checks), run_of(checks))) == []


@given(checks, keys, statuses)
def test_one_check_that_ends_otherwise_is_the_one_that_is_named(
    checks: dict[Key, Counter[str]], key: Key, status: str
) -> None:
    changed = {**checks, key: Counter([status, status])}
    (found,) = differences(run_of(checks), run_of(changed))
    assert (found.scenario, found.check) == (key[0], f"{key[1]} ({key[2]})")
    assert found.through == f"2 {status.lower()}"


def test_a_check_that_was_not_made_through_the_gateway_is_a_difference() -> None:
    made = run_of({("a", "c", "Name"): Counter(["SUCCESS"])})
    assert list(differences(made, run_of({}))) == [
        Difference("a", "c (Name)", "1 success", "not made", "")
    ]


def test_results_are_read_as_the_suite_leaves_them(tmp_path: Path) -> None:
    folder = tmp_path / "server-tools-call-error-2026-11-24T22-28-03-662Z"
    folder.mkdir()
    found = [
        {"id": "c", "name": "Name", "status": "SUCCESS"},
        {"id": "c", "name": "Name", "status": "FAILURE", "errorMessage": "no"},
        {"id": "d", "name": "Name", "status": "INFO"},
    ]
    (folder / "checks.json").write_text(json.dumps(found))
    said = (
        "=== SUMMARY ===\n\nNot scored for X: 1 scenario(s) run\n  ok other (pending)\n"
    )
    key = ("tools-call-error", "c", "Name")
    assert read([folder / "checks.json"], said) == Run(
        {key: Counter(["SUCCESS", "FAILURE"])}, frozenset({"other"}), {key: "no"}
    )


def test_the_page_shows_the_delta_of_each_set() -> None:
    key = ("a", "c", "Name")
    direct = run_of({key: Counter(["SUCCESS"])})
    through = run_of({key: Counter(["FAILURE"])})
    deltas = {"2026-07-28": list(differences(direct, through))}
    shown = page({"suite": "x 1.0"}, {"2026-07-28": (direct, through)}, deltas)
    assert "| suite | x 1.0 |" in shown
    assert "| 2026-07-28 | 1 passed, 0 failed | 0 passed, 1 failed |" in shown
    assert "| a | c (Name) | 1 success | 1 failure |" in shown
