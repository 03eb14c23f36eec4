"""Query the runs of an agent in the records of gateways (SQL)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Run of an agent.

    Attributes:
        first: Time of its first event, UTC nanoseconds.
        last: Time of its last event.
        events: Number of events.
        refused: Number of denied events.
        persons: Number of persons behind them.
        person: One of them, empty for none.
    """

    id: str
    first: int
    last: int
    events: int
    refused: int
    persons: int
    person: str


def list_agent_runs(store: "EvidenceStore", agent: str, limit: int) -> list[RunRecord]:
    """List the latest runs of an agent, newest first, without self-reported ones."""
    rows = store.run_query(
        "SELECT run, min(event_time), max(event_time) AS last, count(*), "
        "count(*) FILTER (outcome = 'denied'), "
        "count(DISTINCT nullif(person, '')), coalesce(max(person), '') "
        "FROM skimmed WHERE agent = ? AND run <> '' AND written_by <> 'self-reported' "
        "GROUP BY run ORDER BY last DESC, run LIMIT ?",
        [agent, limit],
    )
    return [RunRecord(*row) for row in cast("list[tuple[Any, ...]]", rows)]
