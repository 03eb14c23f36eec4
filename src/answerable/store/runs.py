"""SQL of runs: what an agent did from one start to its end, as mediators saw it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from answerable.store.store import Store


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an agent.

    Attributes:
        id: Its id.
        first: Time of its first event, UTC nanoseconds.
        last: Of its last.
        events: How many.
        refused: How many of them were denied.
        persons: How many persons stood behind them.
        person: One of them, empty for none.
    """

    id: str
    first: int
    last: int
    events: int
    refused: int
    persons: int
    person: str


def runs_of(store: "Store", agent: str, limit: int) -> list[Run]:
    """Give the latest runs of an agent, the newest first; what it says itself is not one."""
    rows = store.rows(
        "SELECT run, min(event_time), max(event_time) AS last, count(*), "
        "count(*) FILTER (outcome = 'denied'), "
        "count(DISTINCT nullif(person, '')), coalesce(max(person), '') "
        "FROM skimmed WHERE agent = ? AND run <> '' AND written_by <> 'self-reported' "
        "GROUP BY run ORDER BY last DESC, run LIMIT ?",
        [agent, limit],
    )
    return [
        Run(
            cast("str", run),
            cast("int", first),
            cast("int", last),
            cast("int", events),
            cast("int", refused),
            cast("int", persons),
            cast("str", person),
        )
        for run, first, last, events, refused, persons, person in rows
    ]
