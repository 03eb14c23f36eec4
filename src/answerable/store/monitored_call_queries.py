"""Query the monitored calls of an agent in gateway records (SQL)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from answerable.model.event import AuditEvent
from answerable.model.ids import AgentId
from answerable.store.event_columns import NAMES, build_fact_sql, decode_event_row

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_FACTS = ("behaviour", "came", "effect", "reason", "ended_sequence", "chain")
_NO_END = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class MonitoredCall:
    """Monitored call.

    Attributes:
        decision_id: Id of its decision, hex.
        at: Decision time, UTC nanoseconds.
        recorder: Its recorder.
        sequence: Its sequence number.
        ended: Sequence number of its end record, 0 for none.
        agent: Agent name.
        run: Its run.
        person: Person it acts for, empty for none.
        written_by: Author class of the record.
        effect: Effect of the decision.
        reason: Reason of the decision.
        behaviour: JSON of `model.spool_record.CallBehaviour`.
        result: Result summary, empty for none.
        chain: Parent agents.
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
    result: str
    chain: str


def find_monitored_calls(
    store: "EvidenceStore", agent: AgentId, *, since: int = 0, until: int = _NO_END
) -> Iterator[MonitoredCall]:
    """Find the calls of an agent that its gateway monitored, in recording order.

    Args:
        store: The evidence store.
        agent: Agent name.
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.
    """
    behaviour, came, effect, reason, ended, chain = (
        build_fact_sql(name, "''") for name in _FACTS
    )
    query = (
        "SELECT decision_id, event_time, recorder, sequence, "  # noqa: S608 - ours
        f"coalesce(try_cast({ended} AS BIGINT), 0), agent, run, person, written_by, "
        f"{effect}, {reason}, {behaviour}, {came}, {chain} FROM events e "
        "WHERE agent = ? AND event_time >= ? AND event_time < ? "
        f"AND decision_id <> '' AND written_by <> 'self-reported' AND {behaviour} <> '' "
        "ORDER BY recorder, sequence"
    )
    for row in store.run_query(query, [agent, since, until]):
        yield MonitoredCall(*cast("tuple[Any, ...]", row))


def find_window_start(store: "EvidenceStore", agent: AgentId, *, max_calls: int) -> int:
    """Find the start of the latest time window with at most so many monitored calls.

    Args:
        store: The evidence store.
        agent: Agent name.
        max_calls: Maximum number of calls.

    Returns:
        UTC nanoseconds; 0 where there are no more calls.
    """
    behaviour = build_fact_sql("behaviour", "''")
    query = (
        "SELECT event_time FROM events e WHERE agent = ? AND decision_id <> '' "  # noqa: S608 - ours
        f"AND written_by <> 'self-reported' AND {behaviour} <> '' "
        "ORDER BY event_time DESC LIMIT 1 OFFSET ?"
    )
    rows = store.run_query(query, [agent, max_calls])
    return int(cast("int", rows[0][0])) + 1 if rows else 0


def find_events_of_identity(
    store: "EvidenceStore", identity: str, *, since: int, until: int
) -> list[AuditEvent]:
    """Find the platform events of an identity, oldest first.

    Args:
        store: The evidence store.
        identity: Identity as spelled in events.
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.
    """
    query = (
        f"SELECT {NAMES} FROM events e WHERE identity = ? AND event_time >= ? "  # noqa: S608 - ours
        "AND event_time < ? AND written_by = 'platform' AND decision_id = '' "
        "ORDER BY event_time, event_id"
    )
    return [
        decode_event_row(row)
        for row in store.run_query(query, [identity, since, until])
    ]


def read_successful_call_span(
    store: "EvidenceStore", identity: str = ""
) -> tuple[int, int] | None:
    """Read the times of the first and the last successful call in platform logs.

    Args:
        store: The evidence store.
        identity: Identity as spelled in events; empty for all.

    Returns:
        UTC nanoseconds; None if no log has such a call.
    """
    query = (
        "SELECT min(e.event_time), max(e.event_time) FROM skimmed e "
        "WHERE e.written_by = 'platform' AND e.outcome = 'success' AND e.action <> ''"
    )
    values = [identity] if identity else []
    if identity:
        query += " AND e.identity = ?"
    ((first, last),) = store.run_query(query, values)
    return (cast("int", first), cast("int", last)) if first is not None else None


def find_platform_events(
    store: "EvidenceStore", *, since: int, until: int
) -> list[AuditEvent]:
    """Find the platform events of all identities, oldest first.

    Args:
        store: The evidence store.
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.
    """
    query = (
        f"SELECT {NAMES} FROM events e WHERE event_time >= ? AND event_time < ? "  # noqa: S608 - ours
        "AND written_by = 'platform' AND decision_id = '' "
        "ORDER BY event_time, event_id"
    )
    return [decode_event_row(row) for row in store.run_query(query, [since, until])]
