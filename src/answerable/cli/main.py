"""Entry point: arguments in, exit code out; every error is reported here.

Nothing heavy is imported here; a command imports its use case when it runs.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import click

from answerable.cli.app import app
from answerable.cli.errors import FINE, Refusal, refusal_of, trail_of
from answerable.cli.settings import Settings
from answerable.cli.streams import discard
from answerable.model.errors import EnvironmentRefused, UsageError
from answerable.presentation.command_hints import text_in_store
from answerable.presentation.text import safe

_COMPLETE = "_ANSWERABLE_COMPLETE"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Words after the program's name; the process's own when None.

    Returns:
        The exit code; see docs/cli.md.
    """
    _write_anything()
    asked = os.environ.get(_COMPLETE)
    if asked and argv is None:
        from click.shell_completion import shell_complete

        return shell_complete(app, {}, "answerable", _COMPLETE, asked)
    settings = Settings()
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv), settings)
    except BrokenPipeError:
        discard(sys.stdout)
        return FINE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error ends here
        return _refuse(error, settings)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError as error:
        return _refuse(error, settings)
    return code


def _run(words: list[str], settings: Settings) -> int:
    for word in words:
        if not word.isascii() and any(
            "\ud800" <= letter <= "\udfff" for letter in word
        ):
            raise UsageError(
                f"not UTF-8 (got {word[:80]!r})",
                "name its folder, or rename it",
            )
    try:
        with app.make_context("answerable", words, obj=settings) as context:
            _check_clock()
            app.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return FINE


def _check_clock() -> None:
    """Refuse to run with a clock whose times cannot be stored.

    Raises:
        EnvironmentRefused: The clock is before 1970, or beyond 64 bits of nanoseconds.
    """
    now = time.time_ns()
    if not 0 <= now < 1 << 63:
        raise EnvironmentRefused(
            f"the clock of this machine is out of range (got {now // 10**9} s since "
            "1970, expected a time from 1970 to April 2262)",
            "set the clock, and run it again",
        )


def _refuse(error: BaseException, settings: Settings) -> int:
    refusal = refusal_of(error)
    hint = text_in_store(refusal.hint, settings.store)
    refusal = replace(refusal, hint=hint)
    lines = trail_of(error) if settings.debug else []
    try:
        sys.stdout.flush()
        for line in (*lines, *_two_lines(refusal)):
            sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError:
        # stderr is closed; the exit code still reports it
        return refusal.code
    return refusal.code


def _two_lines(refusal: Refusal) -> list[str]:
    lines = [f"error: {_one_line(refusal.message)}"]
    if refusal.hint:
        lines.append(f"hint: {_one_line(refusal.hint)}")
    return lines


def _one_line(text: str) -> str:
    return safe(" ".join(text.split()))


def _write_anything() -> None:
    """Escape characters that the terminal encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
