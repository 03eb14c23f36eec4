"""Field tables of the documentation, derived from the declared item types.

`python -m tests.cli.field_tables` rewrites them between `<!-- fields KIND -->` and
`<!-- end of fields -->`; the tests compare them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_origin

from answerable.model.documents.columns import DocumentColumn, list_item_fields
from answerable.model.documents.registry import get_item_type_of_document_kind

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
TABLE = re.compile(r"(?ms)^<!-- fields (\S+) -->\n(.*?)^<!-- end of fields -->$")
_TYPES = {str: "text", int: "int", float: "number", bool: "bool"}
_FORMATS = {
    "id": "id",
    "short-id": "id",
    "identity": "id",
    "time": "RFC 3339",
    "second": "RFC 3339",
}


def field_table(item_type: type) -> str:
    """Return the field table of an item type as Markdown."""
    rows = ["| field | type | meaning |", "|---|---|---|", *_rows(item_type, "", set())]
    return "\n".join(rows) + "\n"


def _rows(item_type: type, prefix: str, seen: set[type]) -> Iterator[str]:
    """Yield a row per field, a nested object's fields after it."""
    for field in list_item_fields(item_type):
        means, again = field.declared.means, field.nested in seen
        if field.declared.written_by:
            means += f" ({field.declared.written_by})"
        if again:
            means += "; fields as above"
        name = f"{prefix}`{field.name}`"
        yield f"| {name} | {_type(field)} | {means} |"
        if field.nested and not again:
            seen.add(field.nested)
            yield from _rows(field.nested, f"{name} / ", seen)


def _type(field: DocumentColumn) -> str:
    """Return the type of a field in words."""
    if get_origin(field.type) is list:
        word = "list" if field.nested else "list of text"
    else:
        word = _TYPES.get(field.type, "object")
        word = _FORMATS.get(field.declared.format, word)
    word += " or null" if field.nullable else ""
    return word + (", optional" if field.optional else "")


def derived(page: str) -> str:
    """Return the page with every field table as derived."""
    return TABLE.sub(
        lambda found: (
            f"<!-- fields {found[1]} -->\n{field_table(get_item_type_of_document_kind(found[1]))}"
            "<!-- end of fields -->"
        ),
        page,
    )


if __name__ == "__main__":
    PAGE.write_text(derived(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
