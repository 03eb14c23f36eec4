"""The diff of `protect` shows each changed line, and no secret of the file."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from answerable.cli.app import app
from answerable.services.protection.masked_diff import MASK, diff_change
from answerable.services.protection.protection_plan import FileChange
from tests.usecases.stranger_home import CANARIES, write_home

SECRET = "kept-6f1e2d3c4b5a69788796"


def shown(before: str, after: str, *secrets: str, name: str = "mcp.json") -> str:
    change = FileChange(Path(name), "cursor", before.encode(), after.encode(), ())
    return "\n".join(diff_change(change, secrets))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"env": {"PLAIN": "%s"}, "n": 1}}',
        '{"a": {"headers": {"X": ["%s"]}, "n": 1}}',
        '{"a": {"url": "https://me:%s@host/", "n": 1}}',
        '{"a": {"args": ["--token", "%s"], "n": 1}}',
        '{"a": {"args": ["--token=%s"], "n": 1}}',
    ],
)
def test_a_value_that_stays_is_masked_in_a_changed_line(text: str) -> None:
    before = text % SECRET
    said = shown(before, before.replace('"n": 1', '"n": 2'))
    assert SECRET not in said
    assert said.startswith("-")
    assert MASK in said


def test_a_secret_in_a_comment_is_masked() -> None:
    before = f"a: {{x: 1}} # password={SECRET}\n"
    said = shown(before, before.replace("x: 1", "x: 2"), name="a.yaml")
    assert SECRET not in said
    assert "x: 2" in said


def test_a_moved_secret_is_masked_also_where_it_is_spelled_with_escapes() -> None:
    moved = 'pass"word/9'
    before = json.dumps({"a": {"command": "x", "note": moved}})
    said = shown(before, '{"a": {}}', moved)
    assert "word/9" not in said


def test_the_rest_of_a_changed_line_is_shown() -> None:
    said = shown('{"command": "npx"}', '{"command": "answerable"}')
    assert said.splitlines() == ['-{"command": "npx"}', '+{"command": "answerable"}']


def test_no_secret_of_ten_clients_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_home(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["protect", "--all", "--dry-run", "--owner", "ana"])
    assert said.exit_code == 0
    assert "    +" in said.output
    assert [each for each in CANARIES if each in said.output] == []
