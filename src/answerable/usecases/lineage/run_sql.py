"""Read-only SQL query over documented views (`sql`)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from answerable.lineage.stitch_inputs import JointChains
from answerable.model.documents.core import Document
from answerable.model.inventory import Inventory
from answerable.presentation.inventory_lists import LISTS, coverage, missing_from
from answerable.services.lineage import stitched_chains
from answerable.store import chain_queries as stored_chains
from answerable.store import decision_queries, query_views
from answerable.store.query_engine import UNBOUND, Bounds
from answerable.store.query_tables import ColumnType, NamedTable
from answerable.store.store import Store

_TEXT, _TEXTS = ColumnType.TEXT, ColumnType.TEXTS
_TIME, _BOOL, _FLOAT = ColumnType.TIME, ColumnType.BOOL, ColumnType.FLOAT

# Views of other packages are added here.
MAKERS: tuple[query_views.Maker, ...] = (stitched_chains.shown, decision_queries.shown)


def sql(
    store: Store,
    inventory: Inventory,
    text: str,
    *,
    now: int,
    bounds: Bounds = UNBOUND,
    chains: Sequence[JointChains] | None = None,
) -> Document:
    """Run one SELECT over `events`, `lineage`, `decisions` and the inventory.

    Args:
        inventory: Content of `agents`, `identities`, `credentials`, `owners`.
        now: UTC nanoseconds.
        bounds: Limits of time and memory.
        chains: Loaded chains; None to load them.

    Returns:
        An item per row, a field per column; bytes are hex, times RFC 3339.

    Raises:
        UsageError: It is not exactly one SELECT, or it fails.
    """
    shown = query_views.gather(
        store, MAKERS if chains is None else (decision_queries.shown,)
    )
    if chains is not None:
        made = stored_chains.shown(chains)
        shown = query_views.Shown(
            {**shown.tables, **made.tables}, {**shown.views, **made.views}
        )
    tables = {**inventory_tables(inventory), **shown.tables}
    columns, rows = store.select(text, tables, shown.views, bounds)
    names = _distinct(columns)
    items = [dict(zip(names, map(_plain, row), strict=True)) for row in rows]
    return Document(
        "sql", items, coverage(inventory, now, _missing(store, inventory, text))
    )


def _missing(store: Store, inventory: Inventory, text: str) -> list[str]:
    """List the uncollected data that the queried views depend on."""
    asked = text.lower()
    named = [kind for kind in LISTS if kind in asked]
    found = {word for kind in named for word in missing_from(kind, inventory)}
    if "cloudtrail" in found and stored_chains.count_sources(store):
        found.remove("cloudtrail")
    return sorted(found)


def _distinct(columns: Sequence[str]) -> list[str]:
    """Number columns of the same name, so that no value hides another."""
    names: list[str] = []
    for column in columns:
        name, number = column, 1
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return names


def _plain(value: object) -> object:
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
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return str(value)


def inventory_tables(inventory: Inventory) -> dict[str, NamedTable]:
    """Build the tables agents, identities, credentials and owners."""
    return {
        "agents": _agents(inventory),
        "identities": _identities(inventory),
        "credentials": _credentials(inventory),
        "owners": _owners(inventory),
    }


def _owner(inventory: Inventory, subject: str) -> dict[str, object]:
    ownership = inventory.owners.get(subject)
    if ownership is None:
        return {"owner": None, "owner_state": "none"}
    return {"owner": ownership.person, "owner_state": ownership.state}


def _time(at: int) -> int | None:
    return at or None


def _agents(inventory: Inventory) -> NamedTable:
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
            **_owner(inventory, entity.agent.id),
            "tools": [use.tool.id for use in entity.tools],
            "credentials": _once(c for use in entity.tools for c in use.credentials),
            "identities": list(entity.identities),
            "parent": entity.agent.parent,
            "unattended": entity.agent.unattended,
            "written_by": entity.agent.seen.written_by,
        }
        for _, entity in sorted(inventory.agents.items())
    ]
    return NamedTable(columns, rows)


def _identities(inventory: Inventory) -> NamedTable:
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
            **_owner(inventory, identity.id),
            "agents": sorted(acting.get(identity.id, ())),
            "created_at": _time(identity.created_at),
            "last_used_at": _time(identity.last_used_at),
            "written_by": identity.seen.written_by,
        }
        for identity in sorted(inventory.facts.identities, key=lambda i: i.id)
    ]
    return NamedTable(columns, rows)


def _credentials(inventory: Inventory) -> NamedTable:
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
                **_owner(inventory, entity.id),
                "places": _once(c.place for c in seen),
                "created_at": _time(max((c.created_at for c in seen), default=0)),
                "expires_at": _time(max((c.expires_at for c in seen), default=0)),
                "last_used_at": _time(max((c.last_used_at for c in seen), default=0)),
            }
        )
    return NamedTable(columns, rows)


def _owners(inventory: Inventory) -> NamedTable:
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


def _once(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
