"""SQL of decisions: the view `decisions`, and the decisions of a question."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from answerable.model.event import AuditEvent
from answerable.store.columns import NAMES, fact, to_event
from answerable.store.views import Shown

if TYPE_CHECKING:
    from answerable.store.store import Store

# Facts of a decision, as its connector names them.
_FACTS = (
    *("effect", "mode", "reason", "layer", "rules", "policy", "durability", "shown"),
    *("target", "arguments", "ended"),
)
# More beginnings alike than these are not worth listing.
_MOST_ALIKE = 20


def shown(store: "Store") -> Shown:
    """Give the view `decisions`."""
    del store  # everything stands in the events
    facts = ", ".join(f"{fact(name, 'NULL')} AS {name}" for name in _FACTS)
    view = (
        "SELECT e.decision_id, make_timestamp_ns(e.event_time) AS event_time, "  # noqa: S608 - ours
        "nullif(e.person, '') AS person, e.agent, e.run, e.tool, e.action, e.resource, "
        f"e.outcome, {facts}, e.recorder, e.sequence "
        "FROM events_raw e WHERE e.decision_id <> ''"
    )
    return Shown({}, {"decisions": view})


def find_decisions(store: "Store", beginning: str) -> list[AuditEvent]:
    """Give the decisions whose id begins so, oldest first; of many alike the first."""
    query = (
        f"SELECT {NAMES} FROM events WHERE starts_with(decision_id, ?) "  # noqa: S608 - ours
        "ORDER BY event_time, event_id LIMIT ?"
    )
    return [to_event(row) for row in store.rows(query, [beginning, _MOST_ALIKE])]


def refused_for(
    store: "Store", reasons: Collection[str], *, since: int, limit: int, believed: bool
) -> list[AuditEvent]:
    """Give the decisions that were not an allow for one of these reasons, newest first.

    Args:
        store: Where.
        reasons: As facts spell them.
        since: UTC nanoseconds, inclusive.
        limit: Most rows.
        believed: Those of mediators; otherwise what an agent says itself.
    """
    sign = (
        "written_by <> 'self-reported'" if believed else "written_by = 'self-reported'"
    )
    named = ", ".join("?" * len(reasons))
    query = (
        f"SELECT {NAMES} FROM events e WHERE decision_id <> '' AND event_time >= ? "  # noqa: S608 - ours
        f"AND {sign} AND {fact('reason', 'NULL')} IN ({named}) "
        "ORDER BY event_time DESC, event_id DESC LIMIT ?"
    )
    rows = store.rows(query, [since, *sorted(reasons), limit])
    return [to_event(row) for row in rows]
