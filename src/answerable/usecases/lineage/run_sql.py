"""Run a read-only SQL query over the documented views (command `sql`)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from answerable.model.documents.shared_shapes import Document
from answerable.model.inventory import Inventory
from answerable.presentation.answer_coverage import (
    LIST_KINDS,
    build_coverage,
    list_missing_data,
)
from answerable.services.lineage import chain_cache
from answerable.store import decision_queries, query_views
from answerable.store.event_queries import has_events, read_event_sources
from answerable.store.query_engine import NO_QUERY_LIMITS, QueryLimits
from answerable.store.query_tables import ColumnType, NamedTable, TableBuilder
from answerable.store.store import EvidenceStore

if TYPE_CHECKING:
    from answerable.store.event_engine import EventEngine

_Rows = tuple[tuple[str, ...], list[tuple[object, ...]]]
_TEXT, _TEXTS = ColumnType.TEXT, ColumnType.TEXTS
_TIME, _BOOL, _FLOAT = ColumnType.TIME, ColumnType.BOOL, ColumnType.FLOAT

# Views of other packages are added here.
VIEW_BUILDERS: tuple[query_views.ViewProvider, ...] = (
    chain_cache.build_lineage_view,
    decision_queries.build_decisions_view,
)

_EVENT_VIEWS = ("events", "lineage", "decisions")


def run_sql_query(
    store: EvidenceStore,
    inventory: Inventory,
    sql: str,
    *,
    now: int,
    limits: QueryLimits = NO_QUERY_LIMITS,
) -> Document:
    """Run one SELECT over `events`, `lineage`, `decisions` and the inventory.

    Args:
        inventory: Content of `agents`, `identities`, `credentials`, `owners`.
        now: UTC nanoseconds.
        limits: Limits of time and memory.

    Returns:
        An item per row, a field per column; bytes are hex, times RFC 3339.

    Raises:
        UsageError: It is not exactly one SELECT, or it fails.
    """
    engine = store.queries.engine
    columns, rows = (
        _run_on_duckdb(store, inventory, sql, limits)
        if engine is None
        else _run_on_engine(engine, store, inventory, sql, limits)
    )
    coverage = build_coverage(inventory, now, _list_missing_data(store, inventory, sql))
    if engine is None and any(name in sql.lower() for name in _EVENT_VIEWS):
        coverage["seen"] = sorted({*coverage["seen"], *read_event_sources(store)})
    return Document("sql", build_items(columns, rows), coverage)


def build_items(
    columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> list[dict[str, object]]:
    """Build the items of rows, a field per column."""
    names = _number_duplicates(columns)
    return [dict(zip(names, map(_to_json_value, row), strict=True)) for row in rows]


def _run_on_duckdb(
    store: EvidenceStore, inventory: Inventory, sql: str, limits: QueryLimits
) -> _Rows:
    """Run the query in this process."""
    shown = query_views.collect_views(store, VIEW_BUILDERS)
    definitions = query_views.ViewDefinitions(
        {**list_inventory_tables(inventory), **shown.tables}, shown.views
    )
    return store.run_user_select(sql, definitions, limits)


def _run_on_engine(
    engine: "EventEngine",
    store: EvidenceStore,
    inventory: Inventory,
    sql: str,
    limits: QueryLimits,
) -> _Rows:
    """Run the query on another engine, in its dialect."""
    from answerable.services.lineage.view_tables import build_view_tables

    tables = build_view_tables(store, inventory, list_inventory_tables(inventory))
    return store.queries.run_select_on(engine, sql, tables, limits)


def _list_missing_data(
    store: EvidenceStore, inventory: Inventory, sql: str
) -> list[str]:
    """List the uncollected data that the queried views depend on."""
    asked = sql.lower()
    named = [kind for kind in LIST_KINDS if kind in asked]
    found = {word for kind in named for word in list_missing_data(kind, inventory)}
    if "cloudtrail" in found and has_events(store):
        found.remove("cloudtrail")
    return sorted(found)


def _number_duplicates(columns: Sequence[str]) -> list[str]:
    """Number columns of the same name, so that no value hides another."""
    names: list[str] = []
    for column in columns:
        name, number = column, 1
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return names


def _to_json_value(value: object) -> object:
    """Convert a value to one that JSON can carry."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return value.hex()
        case datetime():
            return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
        case Mapping():
            return {str(key): _to_json_value(item) for key, item in value.items()}
        case list() | tuple():
            return [_to_json_value(item) for item in value]
        case _:
            return str(value)


def list_inventory_tables(inventory: Inventory) -> dict[str, TableBuilder]:
    """List the tables agents, identities, credentials and owners, not built yet."""
    return {
        "agents": lambda: _build_agent_table(inventory),
        "identities": lambda: _build_identity_table(inventory),
        "credentials": lambda: _build_credential_table(inventory),
        "owners": lambda: _build_owner_table(inventory),
    }


def _build_owner_columns(inventory: Inventory, subject: str) -> dict[str, object]:
    """Return the `owner` and `owner_state` columns of a subject."""
    ownership = inventory.owners.get(subject)
    if ownership is None:
        return {"owner": None, "owner_state": "none"}
    return {"owner": ownership.person, "owner_state": ownership.state}


def _zero_to_none(at: int) -> int | None:
    """Convert the time 0, which means unknown, to None."""
    return at or None


def _build_agent_table(inventory: Inventory) -> NamedTable:
    """Build the rows of the table `agents`."""
    columns = {
        "id": _TEXT,
        "kind": _TEXT,
        "name": _TEXT,
        "place": _TEXT,
        "known": _TEXT,
        "owner": _TEXT,
        "owner_state": _TEXT,
        "tools": _TEXTS,
        "credentials": _TEXTS,
        "identities": _TEXTS,
        "parent": _TEXT,
        "unattended": _BOOL,
        "written_by": _TEXT,
    }
    rows = [
        {
            "id": entity.agent.id,
            "kind": entity.agent.kind,
            "name": entity.agent.name,
            "place": entity.agent.place,
            "known": entity.agent.known,
            **_build_owner_columns(inventory, entity.agent.id),
            "tools": [use.tool.id for use in entity.tools],
            "credentials": _drop_repeated_values(
                c for use in entity.tools for c in use.credentials
            ),
            "identities": list(entity.identities),
            "parent": entity.agent.parent,
            "unattended": entity.agent.unattended,
            "written_by": entity.agent.seen.written_by,
        }
        for _, entity in sorted(inventory.agents.items())
    ]
    return NamedTable(columns, rows)


def _build_identity_table(inventory: Inventory) -> NamedTable:
    """Build the rows of the table `identities`."""
    columns = {
        "id": _TEXT,
        "kind": _TEXT,
        "name": _TEXT,
        "account": _TEXT,
        "owner": _TEXT,
        "owner_state": _TEXT,
        "agents": _TEXTS,
        "created_at": _TIME,
        "last_used_at": _TIME,
        "written_by": _TEXT,
    }
    acting: dict[str, list[str]] = {}
    for agent, entity in inventory.agents.items():
        for identity in entity.identities:
            acting.setdefault(identity, []).append(agent)
    rows = [
        {
            "id": identity.id,
            "kind": identity.kind,
            "name": identity.name,
            "account": identity.account,
            **_build_owner_columns(inventory, identity.id),
            "agents": sorted(acting.get(identity.id, ())),
            "created_at": _zero_to_none(identity.created_at),
            "last_used_at": _zero_to_none(identity.last_used_at),
            "written_by": identity.seen.written_by,
        }
        for identity in sorted(inventory.facts.identities, key=lambda i: i.id)
    ]
    return NamedTable(columns, rows)


def _build_credential_table(inventory: Inventory) -> NamedTable:
    """Build the rows of the table `credentials`."""
    columns = {
        "id": _TEXT,
        "kind": _TEXT,
        "class": _TEXT,
        "lifetime": _TEXT,
        "hint": _TEXT,
        "account": _TEXT,
        "status": _TEXT,
        "identity": _TEXT,
        "how": _TEXT,
        "owner": _TEXT,
        "owner_state": _TEXT,
        "places": _TEXTS,
        "created_at": _TIME,
        "expires_at": _TIME,
        "last_used_at": _TIME,
    }
    rows = []
    for _, entity in sorted(inventory.credentials.items()):
        seen = entity.sightings
        first = seen[0] if seen else None  # known from an audit log, without a place
        rows.append(
            {
                "id": entity.id,
                "kind": first.kind if first else "",
                "class": first.cls if first else "",
                "lifetime": first.lifetime if first else "unknown",
                "hint": next((c.hint for c in seen if c.hint), ""),
                "account": next((c.account for c in seen if c.account), ""),
                "status": next((c.status for c in seen if c.status), ""),
                "identity": entity.identity,
                "how": entity.how,
                **_build_owner_columns(inventory, entity.id),
                "places": _drop_repeated_values(c.place for c in seen),
                "created_at": _zero_to_none(
                    max((c.created_at for c in seen), default=0)
                ),
                "expires_at": _zero_to_none(
                    max((c.expires_at for c in seen), default=0)
                ),
                "last_used_at": _zero_to_none(
                    max((c.last_used_at for c in seen), default=0)
                ),
            }
        )
    return NamedTable(columns, rows)


def _build_owner_table(inventory: Inventory) -> NamedTable:
    """Build the rows of the table `owners`."""
    columns = {
        "subject": _TEXT,
        "state": _TEXT,
        "person": _TEXT,
        "score": _FLOAT,
        "margin": _FLOAT,
        "candidates": _TEXTS,
    }
    rows = [
        {
            "subject": subject,
            "state": ownership.state,
            "person": ownership.person,
            "score": ownership.score,
            "margin": ownership.margin,
            "candidates": [c.person for c in ownership.candidates],
        }
        for subject, ownership in sorted(inventory.owners.items())
    ]
    return NamedTable(columns, rows)


def _drop_repeated_values(values: Iterable[str]) -> list[str]:
    """Drop repeated values and keep the order."""
    return list(dict.fromkeys(values))
