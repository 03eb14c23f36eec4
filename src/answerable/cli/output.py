"""Print a document in the chosen format: data on stdout, notes on stderr."""

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from answerable.cli.errors import FAILED, FINE, PARTIAL, most_severe_exit_code
from answerable.cli.settings import EXPORT_FORMATS, Settings
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.column_selection import ColumnSelection, sort_items
from answerable.presentation.command_hints import add_store_option, add_store_to_text
from answerable.presentation.serialization import (
    iterate_json,
    to_csv,
    to_json,
    to_ndjson,
)
from answerable.presentation.text import sanitize

if TYPE_CHECKING:  # what is printed as a table imports these
    from answerable.cli.render.screen import Screen


def print_and_exit(
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
        print_document(document, settings, view, note)
    except BrokenPipeError:  # a reader that stops early does not change the exit code
        from answerable.cli.broken_streams import discard_output

        discard_output(sys.stdout)
    click.get_current_context().exit(get_document_exit_code(document, settings))


def get_document_exit_code(document: Document, settings: Settings) -> int:
    """Return the exit code of an answer: failed, partial or complete."""
    partial = document.is_partial and not settings.allow_partial
    partial = partial or bool(document.undecided)
    return most_severe_exit_code(
        (FAILED if document.failed else FINE, PARTIAL if partial else FINE)
    )


def print_document(
    document: Document, settings: Settings, view: str = "", note: str = ""
) -> None:
    """Print a document to stdout, then warnings and a hint to stderr."""
    document = replace(document, next=add_store_option(document.next, settings.store))
    document = sort_items(document, settings.sort)
    for text in _format_text(document, settings, view):
        settings.is_repeatable = False
        sys.stdout.write(text)
    sys.stdout.flush()
    if settings.quiet:
        return
    from answerable.cli.render.coverage import list_incomplete_sources

    notes = [each for each in (note, document.note) if each]
    notes += list_incomplete_sources(
        document.coverage, settings.allow_partial or bool(document.undecided)
    )
    if document.searched and settings.output != "table":
        notes.append(f"hint: {document.searched}")
    # An empty answer already names the command that would fill it.
    if settings.output == "table" and document.next and document.items:
        notes.append(f"next: {document.next}")
    for line in notes:
        sys.stderr.write(sanitize(line) + "\n")
    sys.stderr.flush()


def _format_text(document: Document, settings: Settings, view: str) -> Iterator[str]:
    """Format a document as text with line ends; long JSON in parts of its line."""
    if settings.output == "json" and not sys.stdout.isatty():
        names = tuple(filter(None, settings.columns.split(",")))
        yield from iterate_json(ColumnSelection(names).select_fields(document))
        yield "\n"
        return
    yield from (f"{line}\n" for line in _format_lines(document, settings, view))


def _format_lines(document: Document, settings: Settings, view: str) -> Iterable[str]:
    """Format a document as JSON, NDJSON, CSV or text for the terminal."""
    if settings.output in EXPORT_FORMATS:
        return _export_document(document, settings.output)
    names = tuple(filter(None, settings.columns.split(",")))
    selection = ColumnSelection(names, settings.wide)
    if settings.output == "csv":
        return to_csv(document, selection.list_csv_columns(document))
    if settings.output != "table":
        document = selection.select_fields(document)
        if settings.output == "ndjson":
            return to_ndjson(document)
        return (to_json(document, indent=2),)
    if names:
        selection.list_table_columns(document)  # refuses a wrong name of an empty list
    from answerable.cli.render.documents import render_document
    from answerable.cli.render.screen import detect_screen

    screen = detect_screen(sys.stdout, wide=settings.wide)
    lines = render_document(
        document,
        screen,
        time.time_ns(),
        view,
        full_coverage=settings.coverage,
        selection=selection,
    )
    if not document.items:  # names the command that would fill it
        lines = (add_store_to_text(line, settings.store) for line in lines)
    return _wrap_and_colour_lines(lines, screen)


def _export_document(document: Document, form: str) -> Iterable[str]:
    """Export a document in another tool's format."""
    if form in ("markdown", "mermaid"):
        from answerable.presentation.lineage_exports import export_lineage

        return export_lineage(document, form)
    from answerable.presentation.finding_exports import export_findings

    return export_findings(document, form, time.time_ns())


def _wrap_and_colour_lines(lines: Iterable[str], screen: "Screen") -> Iterator[str]:
    """Wrap lines to the terminal width, and colour them if it has colours."""
    from answerable.cli.render.colour import colour_line

    for line in lines:
        for piece in screen.wrap(sanitize(line)):
            yield colour_line(piece) if screen.colour else piece
