"""Documented SQL views over events, declared once for all dialects."""

from answerable.store.event_columns import TIME_COLUMNS, TYPES
from answerable.store.sql_dialects import ColumnForm, DocumentedView, ViewColumn

# Join condition of an event `e` and a table `c` with the joints and time of chains.
JOINED_CHAINS = (
    "e.source = c.source AND (e.written_by <> 'self-reported') = c.believed "
    "AND e.identity = c.identity AND e.credential = c.credential "
    "AND e.session = c.session AND e.person = c.person AND e.run = c.run "
    "AND e.agent = c.agent AND e.tool = c.tool "
    "AND e.event_time >= c.valid_from AND e.event_time < c.valid_to"
)
HOPS = ("person", "agent", "tool", "identity", "identity_owner")
# Facts of a decision, as its connector names them.
_DECISION_FACTS = (
    "effect",
    "mode",
    "reason",
    "layer",
    "rules",
    "policy",
    "durability",
    "shown",
    "target",
    "arguments",
    "ended",
)


def _show_event_column(name: str, kind: str) -> ViewColumn:
    """Return a stored column as the view `events` shows it."""
    form = ColumnForm.HEX if kind == "BLOB" else ColumnForm.PLAIN
    if name in TIME_COLUMNS:
        form = ColumnForm.OPTIONAL_TIME
    return ViewColumn(name, f"e.{name}", form)


def _copy_columns(table: str, *names: str) -> list[ViewColumn]:
    """Return columns of a table that a view shows as they are."""
    return [ViewColumn(name, f"{table}.{name}") for name in names]


EVENTS = DocumentedView(
    "events",
    [_show_event_column(name, kind) for name, kind in TYPES.items()],
    "events_raw e",
)
LINEAGE = DocumentedView(
    "lineage",
    [
        ViewColumn("event_id", "e.event_id", ColumnForm.HEX),
        ViewColumn("event_time", "e.event_time", ColumnForm.TIME),
        *_copy_columns("e", "source", "scope", "written_by"),
        *(
            column
            for hop in HOPS
            for column in (
                ViewColumn(hop, f"nullif(c.{hop}_hop, '')"),
                *_copy_columns("c", f"{hop}_status", f"{hop}_known_by"),
            )
        ),
        *_copy_columns("e", "action", "resource", "resources", "outcome", "credential"),
        *_copy_columns("c", "credential_from", "credential_to", "agent_path"),
        *_copy_columns("c", "identity_path", "credential_path"),
        *_copy_columns("e", "session", "source_ip", "issued", "created", "deleted"),
        *_copy_columns("e", "decision_id"),
        *_copy_columns("c", "delegation_id"),
        *_copy_columns("e", "facts"),
    ],
    f"events_raw e LEFT JOIN chains c ON {JOINED_CHAINS}",
)
DECISIONS = DocumentedView(
    "decisions",
    [
        *_copy_columns("e", "decision_id"),
        ViewColumn("event_time", "e.event_time", ColumnForm.TIME),
        ViewColumn("person", "nullif(e.person, '')"),
        *_copy_columns("e", "agent", "run", "tool", "action", "resource", "outcome"),
        *(ViewColumn(name, name, ColumnForm.FACT) for name in _DECISION_FACTS),
        *_copy_columns("e", "recorder", "sequence"),
    ],
    "events_raw e WHERE e.decision_id <> ''",
)
VIEWS = (EVENTS, LINEAGE, DECISIONS)
