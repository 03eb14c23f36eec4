"""What the documentation shows still runs, and still answers what it shows.

Blocks marked `console` are run line by line: `$ answerable ...` in a folder that holds
the sample estate, with a store of its own per page; the README names its own with
`$ export ANSWERABLE_STORE=...`, so that nobody's default store is written to. Lines under a command are what it
must print; `...` stands for anything, a line of it alone for any lines. A command ends
with 0 unless `$ echo $?` and its code follow. A `yaml` block that begins with
`# answerable.yaml` is written to that file first. The README shows whole outputs.
"""

import os
import re
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from answerable.cli.sample import write_sample

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if "```console" in path.read_text(encoding="utf-8")
]
BLOCK = re.compile(r"(?ms)^```console\n(.*?)^```")
CONFIGURATION = re.compile(r"(?ms)^```yaml\n(# answerable\.yaml\n.*?)^```")
SHOWN_FOLDER = "/home/ana/sample"  # on pages, in the place of the folder of the run

# What differs from run to run, whatever the estate.
CHANGING = (
    (re.compile(r"\b\d+ (?:s|min|h|d|months|years)\b"), "<age>"),
    (re.compile(r"\bnow\b"), "<age>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}[T ]?[0-9:.\-]*Z?"), "<time>"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "<hex>"),
    (re.compile(r"\b\d+\.\d+(?= *$)"), "<seconds>"),
    (re.compile(r"[ ─]+"), " "),
)


@dataclass(slots=True)
class Step:
    """A command as shown, the lines shown under it, and its exit code."""

    command: str
    shown: list[str] = field(default_factory=list)
    code: int = 0


def steps(block: str) -> Iterator[Step]:
    step: Step | None = None
    asks = False
    for line in block.splitlines():
        if line == "$ echo $?":
            asks = True
        elif asks and step:
            step.code, asks = int(line), False
        elif line.startswith("$ "):
            if step:
                yield step
            step = Step(line[2:])
        elif step:
            step.shown.append(line)
    if step:
        yield step


def settled(line: str) -> str:
    """Put a word in the place of whatever changes."""
    for pattern, word in CHANGING:
        line = pattern.sub(word, line)
    return line.strip()


def differs(shown: list[str], got: list[str]) -> str:
    """Name the first shown line that did not come, empty when all came in order."""
    at = 0
    free = False
    for line in shown:
        if line.strip() == "...":
            free = True
            continue
        pattern = re.compile(
            ".*".join(re.escape(part) for part in settled(line).split("..."))
        )
        while at < len(got) and not pattern.fullmatch(settled(got[at])):
            if not free:
                return f"shown {line!r}, got {got[at]!r}"
            at += 1
        if at == len(got):
            return f"shown {line!r}, got nothing more"
        at += 1
        free = False
    if not free and at < len(got):
        return f"shown nothing more, got {got[at]!r}"
    return ""


@contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_still_runs(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., object],
) -> None:
    write_sample(tmp_path, time.time_ns())
    for dump in (ROOT / "tests" / "data" / "postgres" / "sample").glob("*.sql"):
        shutil.copy(dump, tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "ana"))
    default = tmp_path / "data"
    monkeypatch.setenv("XDG_DATA_HOME", str(default))
    if page != "README.md":
        monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "100")
    text = (ROOT / page).read_text(encoding="utf-8")
    with standing_in(tmp_path):
        for configuration in CONFIGURATION.findall(text):
            Path("answerable.yaml").write_text(configuration, encoding="utf-8")
        for block in BLOCK.findall(text):
            for step in steps(block):
                name, *words = shlex.split(step.command)
                if name == "export":
                    monkeypatch.setenv(*words[0].split("=", 1))
                    continue
                assert name == "answerable", f"cannot run {step.command!r}"
                ran = run(*words)
                said = f"$ {step.command}\n{ran.out}{ran.err}"
                assert ran.code == step.code, said
                if step.shown:
                    lines = [*ran.out.splitlines(), *ran.err.splitlines()]
                    got = [each.replace(str(tmp_path), SHOWN_FOLDER) for each in lines]
                    assert not differs(step.shown, got), (
                        f"{differs(step.shown, got)}\n{said}"
                    )
    assert not default.exists(), "the default store was written to"


def elided(text: str) -> list[str]:
    """List the shown lines of a page that leave something out."""
    return [
        line
        for block in BLOCK.findall(text)
        for step in steps(block)
        for line in step.shown
        if "..." in line
    ]


def test_the_readme_shows_whole_outputs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert BLOCK.findall(text)
    assert elided(text) == []
    assert elided("```console\n$ answerable agents\na\n...\n```\n") == ["..."]


def test_a_shown_line_that_no_longer_comes_is_named() -> None:
    got = ["agent  owner", "a  none", "", "coverage: home 3 h old"]
    assert not differs(["agent owner", "...", "coverage: home now old"], got[:1] + got)
    assert not differs(["agent  owner", "..."], got)
    assert not differs(got, got)
    assert "a  ana" in differs(["agent  owner", "a  ana", "..."], got)
    assert "nothing more" in differs(["agent  owner"], got)
    assert "nothing more" in differs(["...", "coverage: aws"], got)


def test_a_block_is_read_into_commands_output_and_exit_code() -> None:
    block = "$ answerable can a b c\nnever\n$ echo $?\n1\n$ answerable people\n"
    assert [(s.command, s.shown, s.code) for s in steps(block)] == [
        ("answerable can a b c", ["never"], 1),
        ("answerable people", [], 0),
    ]
