"""Select and sort by columns that a user names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from answerable.model.documents.columns import DocumentColumn


@dataclass(frozen=True, slots=True)
class ColumnSelection:
    """Columns of a document in an output format.

    Attributes:
        names: Names from the user; empty for the usual columns.
        wide: All columns instead of the usual ones.
    """

    names: tuple[str, ...] = ()
    wide: bool = False

    def list_table_columns(self, document: Document) -> "list[DocumentColumn]":
        """List the columns of a table."""
        from answerable.model.documents.registry import (
            list_default_table_columns,
            list_document_columns,
            list_single_fact_columns,
        )

        if self.names:
            known = list_document_columns(document)
            return [find_column(name, known) for name in self.names]
        usual = list_default_table_columns(document)
        if usual and not self.wide:
            return usual
        more = [
            each
            for each in list_single_fact_columns(document)
            if not any(each.path[: len(shown.path)] == shown.path for shown in usual)
        ]
        return [*usual, *more]

    def list_csv_columns(self, document: Document) -> "list[DocumentColumn]":
        """List the columns of a CSV file; an object has one column per fact."""
        from answerable.model.documents.registry import (
            list_document_columns,
            list_single_fact_columns,
        )

        leaves = list_single_fact_columns(document)
        if not self.names:
            return leaves
        chosen = (
            find_column(name, [*leaves, *list_document_columns(document)])
            for name in self.names
        )
        return [
            leaf
            for each in chosen
            for leaf in leaves
            if leaf.path[: len(each.path)] == each.path
        ]

    def select_fields(self, document: Document) -> Document:
        """Keep only the fields of the items that the selected columns show."""
        if not self.names:
            return document
        from answerable.model.documents.registry import list_document_columns

        known = list_document_columns(document)
        kept = {find_column(name, known).path[0] for name in self.names}
        items = [
            {k: v for k, v in item.items() if k in kept} for item in document.items
        ]
        return replace(document, items=items)


USUAL_COLUMNS = ColumnSelection()


def find_column(name: str, columns: "Sequence[DocumentColumn]") -> "DocumentColumn":
    """Find a column by its name, its table head, or its sort order.

    Raises:
        UsageError: There is none; the hint names the nearest one or all.
    """
    wanted = re.sub("[_ ]", "-", name.strip().lower())
    for kind in ("name", "label", "sort"):
        for column in columns:
            if re.sub("[_ ]", "-", getattr(column, kind)) == wanted:
                return column
    known = list(dict.fromkeys(column.name for column in columns))
    near = get_close_matches(name, known, 1)
    raise UsageError(
        f"no such column (got {name[:80]!r}, expected {', '.join(known)})",
        f"did you mean {near[0]}?" if near else "",
    )


def sort_items(document: Document, order: str) -> Document:
    """Sort the items of a document by a column, `-` before it for descending.

    Items without a value come last in both directions.
    """
    if not order:
        return document
    from answerable.model.documents.registry import list_document_columns
    from answerable.presentation.cell_text import get_cell_sort_key

    column = find_column(order.removeprefix("-"), list_document_columns(document))
    known = [item for item in document.items if _has_sortable_value(column, item)]
    unknown = [item for item in document.items if not _has_sortable_value(column, item)]
    known.sort(
        key=lambda item: get_cell_sort_key(column, item), reverse=order.startswith("-")
    )
    return replace(document, items=[*known, *unknown])


def _has_sortable_value(column: "DocumentColumn", item: Mapping[str, object]) -> bool:
    """Return whether an item has a value to sort by."""
    return column.get_value_of_item(item) not in (None, "")
