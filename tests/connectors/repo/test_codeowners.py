"""CODEOWNERS: the last pattern that fits decides, as GitHub documents it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.formats.codeowners import (
    matches_code_owners_pattern,
    parse_codeowners,
)
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Sync


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*", "a/b/c.py", True),
        ("*.js", "a/b.js", True),
        ("*.js", "b.jsx", False),
        ("/build/logs/", "build/logs/x/y.log", True),
        ("/build/logs/", "a/build/logs/x", False),
        ("docs/*", "docs/getting-started.md", True),
        ("docs/*", "docs/build-app/troubleshooting.md", False),
        ("apps/", "x/apps/y", True),
        ("apps/", "apps", False),
        ("/docs/", "docs/a/b", True),
        ("/docs/", "x/docs/a", False),
        ("/scripts/", "scripts/a", True),
        ("**/logs", "deep/logs/x.txt", True),
        ("**/logs", "logs/x.txt", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/b", True),
        ("a/**", "a/b/c", True),
        ("a/**", "ab/c", False),
        ("/apps/github", "apps/github/x", True),
        ("apps/github", "x/apps/github/y", False),
        ("README.md", "x/README.md", True),
        ("README.md", "READMExmd", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        (".mcp.json", "services/.mcp.json", True),
        ("/.claude/", ".claude/agents/x.md", True),
    ],
)
def test_a_pattern_fits_as_documented(pattern: str, path: str, expected: bool) -> None:
    assert matches_code_owners_pattern(pattern, path) is expected


def test_the_last_pattern_that_fits_decides_alone() -> None:
    owners = parse_codeowners("* @all\n/a/ @ana @corp/team\n/a/free/\n")
    assert [
        rule.owners if (rule := owners.find_rule(path)) is not None else None
        for path in ("x", "a/x", "a/free/x")
    ] == [("@all",), ("@ana", "@corp/team"), ()]


def test_lines_that_are_no_rule_are_counted() -> None:
    text = "# c\n\n!x @a\n[Section] @b\ny ana\nz\\ z @a # why\n"
    read = parse_codeowners(text)
    assert read.faults == (3, 4, 5)
    assert [rule.pattern for rule in read.rules] == ["y", "z z"]


def test_a_team_is_a_team_and_an_address_a_person(synced: Sync) -> None:
    people = {person.id: person.team for person in synced.facts.persons}
    assert people == {
        "person:corp/platform": True,
        "person:corp/ci": True,
        "person:ana": False,
        "person:cy": False,
        "person:cy@corp.example": False,
    }


@pytest.mark.parametrize(
    ("agent", "owners"),
    [
        ("claude-code/shop", ["corp/platform"]),
        ("claude-code/shop/reviewer", ["ana"]),
        ("claude-code/shop/services/api", ["cy", "cy@corp.example"]),
        ("codex/shop", []),
        ("github-actions/shop/claude.yml/reply", ["corp/ci", "ana"]),
    ],
)
def test_the_place_of_an_agent_has_its_owners(
    synced: Sync, agent: str, owners: list[str]
) -> None:
    found = [
        item.person.removeprefix("person:")
        for item in synced.facts.evidence
        if item.subject == f"agent:{agent}"
    ]
    assert found == owners


def test_what_the_agent_could_have_written_is_self_reported(synced: Sync) -> None:
    written = {item.subject: item.seen.written_by for item in synced.facts.evidence}
    assert written["agent:claude-code/shop"] is WrittenBy.SELF_REPORTED
    reader = "agent:github-actions/shop/claude.yml/reply"
    writer = "agent:github-actions/shop/nightly.yaml/codex"
    assert written[reader] is WrittenBy.PLATFORM
    assert written[writer] is WrittenBy.SELF_REPORTED


@given(st.text(max_size=200), st.text(max_size=100))
def test_any_text_reads_and_any_path_is_asked(text: str, path: str) -> None:
    parse_codeowners(text).find_rule(path)


def test_a_hostile_pattern_takes_linear_time() -> None:
    start = time.process_time()
    assert not matches_code_owners_pattern("*a" * 200 + "b", "a" * 20_000)
    assert not matches_code_owners_pattern("**/" * 200 + "b", "a/" * 10_000)
    assert time.process_time() - start < 4.0
