"""The commands on docs/postgres.md give the output that the page shows."""

import re
import shlex
from pathlib import Path

import pytest

from answerable.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "postgres.md"
SAMPLE = ROOT / "tests" / "data" / "postgres" / "sample"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def shown() -> list[tuple[str, str]]:
    """Return each command of the page with the output below it."""
    found = []
    for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def test_each_command_prints_what_the_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SAMPLE)
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    commands = shown()
    assert len(commands) >= 6
    for command, output in commands:
        assert main(shlex.split(command)[1:]) == 0, command
        # A narrow terminal wraps the lines.
        printed = " ".join(capsys.readouterr().out.split())
        at = 0
        for text in output.split("...\n"):
            piece = " ".join(text.split())
            assert piece in printed[at:], (command, piece, printed)
            at = printed.index(piece, at) + len(piece)
