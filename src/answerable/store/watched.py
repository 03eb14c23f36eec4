"""SQL of behaviour: the calls of an agent that were watched, as their records say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from answerable.model.event import AuditEvent
from answerable.model.ids import AgentId
from answerable.store.columns import NAMES, fact, to_event

if TYPE_CHECKING:
    from answerable.store.store import Store

_FACTS = ("behaviour", "came", "effect", "reason", "ended_sequence", "chain")
_FOREVER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class WatchedCall:
    """One call that was watched.

    Attributes:
        decision_id: Id of its decision, hex.
        at: When it was decided, UTC nanoseconds.
        recorder: Who numbered it.
        sequence: Its number.
        ended: Number of its end, 0 where there is none.
        agent: Whose.
        run: Run that it is part of.
        person: For whom, empty where for nobody.
        written_by: Who wrote the record.
        effect: What was decided.
        reason: Why.
        behaviour: What a baseline sees of it: JSON of `model.record.Acted`.
        came: What came back, empty where nothing did.
        chain: Agents above.
    """

    decision_id: str
    at: int
    recorder: str
    sequence: int
    ended: int
    agent: str
    run: str
    person: str
    written_by: str
    effect: str
    reason: str
    behaviour: str
    came: str
    chain: str


def watched_calls(
    store: "Store", agent: AgentId, *, since: int = 0, until: int = _FOREVER
) -> Iterator[WatchedCall]:
    """Give the watched calls of an agent in the order in which they were recorded.

    Args:
        store: Where.
        agent: Whose.
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.
    """
    behaviour, came, effect, reason, ended, chain = (
        fact(name, "''") for name in _FACTS
    )
    query = (
        "SELECT decision_id, event_time, recorder, sequence, "  # noqa: S608 - ours
        f"coalesce(try_cast({ended} AS BIGINT), 0), agent, run, person, written_by, "
        f"{effect}, {reason}, {behaviour}, {came}, {chain} FROM events e "
        "WHERE agent = ? AND event_time >= ? AND event_time < ? "
        f"AND decision_id <> '' AND written_by <> 'self-reported' AND {behaviour} <> '' "
        "ORDER BY recorder, sequence"
    )
    for row in store.rows(query, [agent, since, until]):
        yield WatchedCall(*cast("tuple[Any, ...]", row))


def watched_since(store: "Store", agent: AgentId, *, most: int) -> int:
    """Give the time since which an agent's newest watched calls are so many, or fewer.

    Args:
        store: Where.
        agent: Whose.
        most: How many.

    Returns:
        UTC nanoseconds; 0 where there are no more than that.
    """
    behaviour = fact("behaviour", "''")
    query = (
        "SELECT event_time FROM events e WHERE agent = ? AND decision_id <> '' "  # noqa: S608 - ours
        f"AND written_by <> 'self-reported' AND {behaviour} <> '' "
        "ORDER BY event_time DESC LIMIT 1 OFFSET ?"
    )
    rows = store.rows(query, [agent, most])
    return int(cast("int", rows[0][0])) + 1 if rows else 0


def events_of_identity(
    store: "Store", identity: str, *, since: int, until: int
) -> list[AuditEvent]:
    """Give what platforms recorded of an identity's calls, oldest first.

    Args:
        store: Where.
        identity: As events name it.
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.
    """
    query = (
        f"SELECT {NAMES} FROM events e WHERE identity = ? AND event_time >= ? "  # noqa: S608 - ours
        "AND event_time < ? AND written_by = 'platform' AND decision_id = '' "
        "ORDER BY event_time, event_id"
    )
    return [to_event(row) for row in store.rows(query, [identity, since, until])]
