"""Statements that create the documented views in another engine (`sql --emit`)."""

from collections.abc import Mapping
from pathlib import Path

from answerable.evidence.log_entries import read_segment_states
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.inventory import Inventory
from answerable.presentation.answer_coverage import build_coverage
from answerable.services.lineage.view_tables import build_view_tables
from answerable.store.documented_views import VIEWS
from answerable.store.event_columns import TYPES
from answerable.store.query_tables import NamedTable, TableBuilder
from answerable.store.sql_dialects import DIALECTS, DUCKDB, SqlDialect
from answerable.store.store import EvidenceStore
from answerable.store.view_tables import write_view_tables

_COLUMNS = list(TYPES.items())


def emit_sql_views(
    store: EvidenceStore,
    inventory: Inventory,
    inventory_tables: Mapping[str, TableBuilder],
    dialect: str,
    *,
    at: str = "",
    tables: str = "",
    now: int,
) -> Document:
    """Build the statements that create the documented views in an engine.

    Args:
        inventory_tables: Builders of `agents`, `identities`, `credentials`, `owners`.
        dialect: Name in `DIALECTS`.
        at: Folder or address of the store as the engine sees it, empty for its own.
        tables: Folder to write the tables that the views join with, empty to write
            none.
        now: UTC nanoseconds.

    Returns:
        An item per statement, in the order in which they run.

    Raises:
        UsageError: `tables` is a file; or the engine would read what interrupted writers
            left in object storage.
        EnvironmentFailure: A table cannot be written.
    """
    if tables and Path(tables).exists() and not Path(tables).is_dir():
        raise UsageError(
            f"--tables is not a folder (got {tables!r})",
            "name a folder; one file per table is written there",
        )
    spelled = DIALECTS[dialect]
    remote = store.layout.remote
    own = str(store.root) if remote is None else remote.location
    root = at.rstrip("/") or own
    in_place = remote is not None and root == own
    if in_place and spelled is not DUCKDB:
        raise UsageError(
            f"{dialect} reads each file of a folder, but {own}/segments may also contain "
            "files of writers that were interrupted",
            "copy the segments of the log to another location, and name it: --at PLACE "
            "(docs/scale.md)",
        )
    known = build_view_tables(store, inventory, inventory_tables)
    segments = [each.manifest for each in read_segment_states(store.log.entries())]
    if spelled is DUCKDB and remote is not None and in_place:
        files = remote.files.list_addresses(segments)
        events = spelled.build_file_list_statement("events_raw", _COLUMNS, files)
    elif spelled is DUCKDB and not segments:
        events = spelled.build_file_list_statement("events_raw", _COLUMNS, ())
    else:
        events = spelled.build_table_statement(
            "events_raw", _COLUMNS, f"{root}/segments", by_day=True
        )
    folder = str(Path(tables).absolute()) if tables else f"{root}/tables"
    if tables:
        write_view_tables(known, Path(tables))
    items = _list_statements(spelled, known, events, folder)
    return Document("sql", items, build_coverage(inventory, now, []))


def _list_statements(
    dialect: SqlDialect, tables: Mapping[str, NamedTable], events: str, folder: str
) -> list[dict[str, object]]:
    """List the statements of tables and views, in order."""
    items: list[dict[str, object]] = []
    if dialect.preamble:
        items.append(_build_item("", "setting", dialect.preamble))
    items.append(_build_item("events_raw", "table", events))
    for name, table in tables.items():
        columns = [(column, str(kind)) for column, kind in table.columns.items()]
        statement = dialect.build_table_statement(name, columns, f"{folder}/{name}")
        items.append(_build_item(name, "table", statement))
    items += [
        _build_item(view.name, "view", dialect.build_view_statement(view))
        for view in VIEWS
    ]
    return items


def _build_item(name: str, kind: str, statement: str) -> dict[str, object]:
    """Build the item of a statement."""
    return {"name": name, "kind": kind, "statement": statement}
