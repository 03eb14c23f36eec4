"""Run demo chapters: print each sentence and command, then run the command."""

import contextlib
import io
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Main = Callable[[Sequence[str]], int]
Placeholders = Mapping[str, Callable[[], str]]

_WIDTH = 80


@dataclass(frozen=True, slots=True)
class DemoStep:
    """Sentence, command and expected exit code.

    Attributes:
        command: Words after `answerable`; a word in capitals may be a placeholder for a
            value of an earlier step.
        own_process: Run it as a process of its own.
    """

    sentence: str
    command: tuple[str, ...]
    exit_code: int = 0
    own_process: bool = False


@dataclass(frozen=True, slots=True)
class DemoChapter:
    """Title and steps; `before` prepares them, e.g. damages a copy."""

    title: str
    steps: tuple[DemoStep, ...]
    before: Callable[[], str] | None = None


def print_paragraph(text: str = "") -> None:
    """Print one folded paragraph; commands fold their own output."""
    folded = textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=True)
    sys.stdout.write("\n".join(folded) + "\n")
    sys.stdout.flush()


def query_items(main: Main, *words: str) -> list[dict[str, Any]]:
    """Run a command and return the items of its document; none if it fails."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        main(["--quiet", "-o", "json", *words])
    items: list[dict[str, Any]] = []
    if out.getvalue():
        items = json.loads(out.getvalue())["items"]
    return items


def _format_command(command: Sequence[str]) -> str:
    """Format a command as a person would type it, on several lines if needed."""
    words = ["$ answerable", *(f"'{w}'" if {"*", " "} & set(w) else w for w in command)]
    lines = [words[0]]
    for word in words[1:]:
        # Two more are for the space and the backslash.
        if len(lines[-1]) + 1 + len(word) + 2 <= _WIDTH:
            lines[-1] += " " + word
        else:
            lines.append("    " + word)
    return " \\\n".join(lines) + "\n"


def _run_command(main: Main, step: DemoStep, command: Sequence[str]) -> int:
    """Run a command and print its notes without suggested next commands."""
    notes = io.StringIO()
    if step.own_process:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "answerable", *command],
            capture_output=True,
            text=True,
            check=False,
        )
        sys.stdout.write(done.stdout)
        notes.write(done.stderr)
        code = done.returncode
    else:
        with contextlib.redirect_stderr(notes):
            code = main(command)
    for line in notes.getvalue().splitlines():
        if not line.startswith("next: "):
            print_paragraph(line)
    return code


def _run_step(step: DemoStep, main: Main, placeholders: Placeholders) -> bool:
    """Print and run one step; return whether its exit code is the expected one."""
    print_paragraph(step.sentence)
    print_paragraph()
    command = [
        placeholders[word]() if word in placeholders else word for word in step.command
    ]
    sys.stdout.write(_format_command(command))
    sys.stdout.flush()
    code = _run_command(main, step, command)
    print_paragraph()
    if code != step.exit_code:
        print_paragraph(
            f"error: this step ended with exit code {code}, expected {step.exit_code}"
        )
    return code == step.exit_code


def run_chapters(
    chapters: Sequence[DemoChapter],
    main: Main,
    placeholders: Placeholders,
    first_number: int = 1,
) -> bool:
    """Run chapters; return whether every step ended as expected.

    Args:
        main: Entry point of the command line.
        placeholders: Lookup functions of placeholders.
        first_number: Number of the first chapter.
    """
    held = True
    for number, chapter in enumerate(chapters, first_number):
        print_paragraph(f"{number}. {chapter.title}")
        print_paragraph()
        if chapter.before is not None:
            print_paragraph(chapter.before())
            print_paragraph()
        for step in chapter.steps:
            held = _run_step(step, main, placeholders) and held
    return held
