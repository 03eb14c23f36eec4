"""Each attack that the threat model lists is held by tests that there are."""

import re
from pathlib import Path

HEAD = "## Attacks on the gateway, each with its tests"
WEB = "## Attacks on the web page, each with its tests"
TEST = re.compile(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)")


def listed(page: str, head: str = HEAD) -> dict[str, list[tuple[str, str]]]:
    """Tests of each row, pairs (file, name)."""
    table = page.partition(head)[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return {row: [(path, name) for name, path in TEST.findall(row)] for row in rows}


def missing(root: Path, page: str, head: str = HEAD) -> list[str]:
    """Name rows without a test, and tests that there are not."""
    found = []
    for row, tests in listed(page, head).items():
        found += [] if tests else [row]
        for path, name in tests:
            file = root / path
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            if f"\ndef {name}(" not in text:
                found.append(f"{path}::{name}")
    return found


def test_every_attack_is_held_by_tests_that_there_are(root: Path) -> None:
    page = (root / "docs" / "threat-model.md").read_text(encoding="utf-8")
    for head in (HEAD, WEB):
        assert len(listed(page, head)) >= 12
        assert missing(root, page, head) == []


def test_a_test_that_is_gone_and_a_row_without_one_are_named(tmp_path: Path) -> None:
    row = "| an attack | [`test_it`](../tests/test_that.py) |"
    page = f"{HEAD}\n\n| a | b |\n|---|---|\n{row}\n| another | |\n\n## Next\n"
    assert missing(tmp_path, page) == ["tests/test_that.py::test_it", "| another | |"]
