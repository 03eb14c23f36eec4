"""Run a command: arguments in, exit code out; every error is reported here.

Nothing heavy is imported here; a command imports its use case when it runs.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import click

from answerable.cli.app import app
from answerable.cli.broken_streams import discard_output
from answerable.cli.errors import (
    FINE,
    PARTIAL,
    CommandError,
    describe_error,
    format_traceback,
)
from answerable.cli.settings import Settings, find_store
from answerable.model.errors import (
    AnswerableError,
    DerivedFileError,
    EnvironmentFailure,
    RemovedFileError,
    UnknownNameError,
    UsageError,
)
from answerable.presentation.command_hints import add_store_to_text
from answerable.presentation.text import sanitize
from answerable.store import bucket_openers

if TYPE_CHECKING:
    from answerable.model.inventory import EventGaps
    from answerable.store.bucket import Bucket

_COMPLETION_VARIABLE = "_ANSWERABLE_COMPLETE"
_MAX_REPEATS = 8  # a query reads fewer derived files


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Words after the program's name; the process's own when None.

    Returns:
        The exit code; see docs/cli.md.
    """
    _escape_unencodable()
    asked = os.environ.get(_COMPLETION_VARIABLE)
    if asked and argv is None:
        from click.shell_completion import shell_complete

        return shell_complete(app, {}, "answerable", _COMPLETION_VARIABLE, asked)
    bucket_openers[:] = [_open_bucket]
    settings = Settings()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run_and_repeat(arguments, settings)
    except BrokenPipeError:
        discard_output(sys.stdout)
        return FINE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error ends here
        return _report_error(error, settings)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output(sys.stdout)
    except OSError as error:
        return _report_error(error, settings)
    return code


def _open_bucket(location: str) -> "Bucket":
    """Open object storage; its client is imported here alone."""
    from answerable.connectors.s3_bucket import open_s3_bucket

    return open_s3_bucket(location)


def _run_and_repeat(arguments: list[str], settings: Settings) -> int:
    """Run a command, again after each damaged or removed file that it only reads.

    The file was deleted, so that the repeated command derives it again.
    """
    given = replace(settings)
    for _ in range(_MAX_REPEATS):
        try:
            return _run_command(list(arguments), settings)  # click empties it
        except (DerivedFileError, RemovedFileError):
            if not settings.is_repeatable:
                raise
            for each in fields(Settings):
                setattr(settings, each.name, getattr(given, each.name))
    return _run_command(arguments, settings)


def _run_command(arguments: list[str], settings: Settings) -> int:
    """Run a command of the tree, and return its exit code."""
    for word in arguments:
        if not word.isascii() and any(
            "\ud800" <= letter <= "\udfff" for letter in word
        ):
            raise UsageError(
                f"an argument is not valid UTF-8 (got {word[:80]!r})",
                "name the folder instead, or rename the file",
            )
    try:
        with app.make_context("answerable", arguments, obj=settings) as context:
            _check_clock()
            app.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return FINE


def _check_clock() -> None:
    """Refuse to run with a clock whose times cannot be stored.

    Raises:
        EnvironmentFailure: The clock is before 1970, or beyond 64 bits of nanoseconds.
    """
    try:
        now = time.time_ns()
    except OverflowError:
        now = 1 << 63
    if not 0 <= now < 1 << 63:
        raise EnvironmentFailure(
            f"the clock of this machine is out of range (got {now // 10**9} s since "
            "1970, expected a time from 1970 to April 2262)",
            "set the clock and run the command again",
        )


def _find_lost_events(settings: Settings) -> "EventGaps":
    """Find the events that the store lacks; none if it cannot be opened."""
    from answerable.model.inventory import EventGaps
    from answerable.store.collection_state import read_unread_logs
    from answerable.store.event_gaps import read_event_gaps
    from answerable.store.store import EvidenceStore

    try:
        root, _ = find_store(settings)
        if not (root / "format.json").exists():
            return EventGaps()
        with EvidenceStore.open(root, now=time.time_ns(), create=False) as store:
            unread = read_unread_logs(store.layout)
            return replace(read_event_gaps(store, look_at_files=True), unread=unread)
    except AnswerableError:  # the command says what its store has
        return EventGaps()


def _add_lost_events(refusal: CommandError, settings: Settings) -> CommandError:
    """Add that events may have an unknown name, but are missing, unread or removed."""
    gaps = _find_lost_events(settings)
    code = PARTIAL if gaps.unreadable or gaps.unread else refusal.code
    unread = [f"{each.source}: {each.describe()}" for each in gaps.unread]
    for what, lines in (
        ("and events that may have it are missing", gaps.unreadable),
        ("and a log that may have it was not read completely", unread),
        ("and events that may have it were removed", gaps.removed),
    ):
        if lines:
            message = f"{refusal.message}, {what}: {lines[0]}"
            return replace(refusal, code=code, message=message)
    return refusal


def _report_error(error: BaseException, settings: Settings) -> int:
    """Print error and hint to standard error, and return the exit code."""
    refusal = describe_error(error)
    if isinstance(error, UnknownNameError):
        refusal = _add_lost_events(refusal, settings)
    hint = add_store_to_text(refusal.hint, settings.store)
    refusal = replace(refusal, hint=hint)
    lines = format_traceback(error) if settings.debug else []
    try:
        sys.stdout.flush()
        for line in (*lines, *_format_error(refusal)):
            sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        discard_output(sys.stdout)
    except OSError:
        # stderr is closed; the exit code still reports it
        return refusal.code
    return refusal.code


def _format_error(refusal: CommandError) -> list[str]:
    """Format the `error:` line, and the `hint:` line if there is a hint."""
    lines = [f"error: {_to_one_line(refusal.message)}"]
    if refusal.hint:
        lines.append(f"hint: {_to_one_line(refusal.hint)}")
    return lines


def _to_one_line(text: str) -> str:
    """Join a text to one sanitized line."""
    return sanitize(" ".join(text.split()))


def _escape_unencodable() -> None:
    """Escape characters that the terminal encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
