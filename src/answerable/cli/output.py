"""Output of a document in the chosen format: data on stdout, notes on stderr."""

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import click

from answerable.cli.errors import FAILED, FINE, PARTIAL, worst
from answerable.cli.render.colour import paint
from answerable.cli.render.coverage import incomplete
from answerable.cli.render.screen import Screen, screen_of
from answerable.cli.settings import Settings
from answerable.cli.streams import discard
from answerable.model.documents.core import Document
from answerable.presentation.command_hints import in_store, text_in_store
from answerable.presentation.serialization import to_csv, to_json, to_ndjson
from answerable.presentation.text import safe


def answer(
    document: Document, settings: Settings, view: str = "", note: str = ""
) -> None:
    """Print a document and end the command with its exit code.

    Args:
        document: Document of a use case.
        settings: Settings with the format.
        view: Another renderer of this kind, e.g. `tree`.
        note: A line for standard error.
    """
    try:
        show(document, settings, view, note)
    except BrokenPipeError:  # a reader that stops early does not change the exit code
        discard(sys.stdout)
    click.get_current_context().exit(exit_code(document, settings))


def exit_code(document: Document, settings: Settings) -> int:
    """Return the exit code of a document."""
    partial = document.partial and not settings.allow_partial
    partial = partial or bool(document.undecided)
    return worst((FAILED if document.failed else FINE, PARTIAL if partial else FINE))


def show(
    document: Document, settings: Settings, view: str = "", note: str = ""
) -> None:
    """Print a document to stdout, then warnings and a hint to stderr."""
    document = replace(document, next=in_store(document.next, settings.store))
    lines = _lines(document, settings, view)
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    if settings.quiet:
        return
    notes = [note] if note else []
    notes += incomplete(
        document.coverage, settings.allow_partial or bool(document.undecided)
    )
    if document.searched and settings.output != "table":
        notes.append(f"hint: {document.searched}")
    # An empty answer already names the command that would fill it.
    if settings.output == "table" and document.next and document.items:
        notes.append(f"next: {document.next}")
    for line in notes:
        sys.stderr.write(safe(line) + "\n")
    sys.stderr.flush()


def _lines(document: Document, settings: Settings, view: str) -> Iterable[str]:
    output = settings.output
    if output == "json":
        return (to_json(document),)
    if output == "ndjson":
        return to_ndjson(document)
    if output == "csv":
        return to_csv(document)
    from answerable.cli.render.documents import render

    screen = screen_of(sys.stdout)
    now = time.time_ns()
    lines = render(document, screen, now, view, whole=settings.coverage)
    if not document.items:  # names the command that would fill it
        lines = (text_in_store(line, settings.store) for line in lines)
    return _painted(lines, screen)


def _painted(lines: Iterable[str], screen: Screen) -> Iterator[str]:
    for line in lines:
        for piece in screen.wrap(safe(line)):
            yield paint(piece) if screen.colour else piece
