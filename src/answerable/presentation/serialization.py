"""Serialize documents as JSON, NDJSON and CSV for scripts."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from answerable.model.documents.shared_shapes import Document
from answerable.presentation.text import sanitize

if TYPE_CHECKING:
    from answerable.model.documents.columns import DocumentColumn


_PART_CHARACTERS = 1 << 22  # of a JSON document, written at a time
_ITEMS_AT_ONCE = 100  # encoded with one call
# A spreadsheet evaluates such cells as formulas; a leading quote makes them text.
_FORMULA_PREFIXES = ("=", "+", "-", "@")


def _dump_json(value: object, indent: int | None = None) -> str:
    # ASCII only: characters that could move a cursor or reverse a line are escaped,
    # and the document parses in any locale.
    """Dump a value as ASCII JSON, on one line unless indented."""
    return json.dumps(
        value,
        ensure_ascii=True,
        allow_nan=False,
        default=_to_json_type,
        indent=indent,
    )


def _to_json_type(value: object) -> object:
    """Convert a value that JSON lacks: bytes to hex, iterables to lists."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Iterable):
        return list(value)
    return str(value)


def schema_name(document: Document) -> str:
    """Return the JSON schema name of an output document, with its version."""
    return f"answerable/{document.kind}/v1"


def to_json(document: Document, indent: int | None = None) -> str:
    """Serialize a document as JSON, on one line unless indented."""
    return _dump_json(
        {
            "schema": schema_name(document),
            "items": list(document.items),
            **_get_total_field(document),
            "coverage": document.coverage,
        },
        indent,
    )


def iterate_json(document: Document) -> Iterator[str]:
    """Serialize a document as JSON on one line, in parts of some megabytes."""
    last = _dump_json({**_get_total_field(document), "coverage": document.coverage})
    part = [f'{{"schema": {_dump_json(schema_name(document))}, "items": [']
    size, separator = 0, ""
    left = iter(document.items)
    while items := list(islice(left, _ITEMS_AT_ONCE)):
        part.append(f"{separator}{_dump_json(items)[1:-1]}")
        size, separator = size + len(part[-1]), ", "
        if size >= _PART_CHARACTERS:
            yield "".join(part)
            part, size = [], 0
    yield "".join((*part, "], ", last.removeprefix("{")))


def to_ndjson(document: Document) -> Iterator[str]:
    """Serialize one item per line, with the coverage as the last line."""
    for item in document.items:
        yield _dump_json(item)
    last = {"schema": schema_name(document), **_get_total_field(document)}
    yield _dump_json({**last, "coverage": document.coverage})


def _get_total_field(document: Document) -> Mapping[str, int]:
    """Return the size of the whole answer if the items are part of it."""
    return {"total": document.total} if document.total >= 0 else {}


def to_csv(
    document: Document, columns: "Sequence[DocumentColumn] | None" = None
) -> Iterator[str]:
    """Serialize a header and a row per item, a column per fact.

    The fields of a nested object are columns; a list is JSON text.

    Args:
        columns: By default all columns of the kind.
    """
    from answerable.model.documents.registry import list_single_fact_columns

    columns = list_single_fact_columns(document) if columns is None else columns
    if columns:
        yield _format_csv_row([column.name for column in columns])
    for item in document.items:
        yield _format_csv_row(
            [_format_csv_cell(each.get_value_of_item(item)) for each in columns]
        )


def _format_csv_cell(value: object) -> str:
    """Format a CSV cell; a text that a spreadsheet could execute gets a quote."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            text = sanitize(value)
            # Some spreadsheets strip blanks before a formula.
            runs = text.lstrip().startswith(_FORMULA_PREFIXES)
            return f"'{text}" if runs else text
        case _:
            return _dump_json(value)


def _format_csv_row(cells: Sequence[str]) -> str:
    """Format cells as one CSV line."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()
