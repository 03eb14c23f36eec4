"""Query authorization decisions, and build the SQL view `decisions`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from answerable.model.event import AuditEvent
from answerable.model.ids import AgentId
from answerable.store.documented_views import DECISIONS
from answerable.store.event_columns import build_fact_sql
from answerable.store.query_views import ViewDefinitions
from answerable.store.search_index import PLACE_COLUMNS, EventPlace
from answerable.store.sql_dialects import DUCKDB

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# More beginnings alike than these are not worth listing.
_MAX_PREFIX_MATCHES = 20
BLANK = "''"


def build_decisions_view(store: "EvidenceStore") -> ViewDefinitions:
    """Build the SQL view `decisions` over gateway records."""
    del store  # everything stands in the events
    return ViewDefinitions({}, {"decisions": DUCKDB.build_select(DECISIONS)})


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Filter of a decision query.

    Attributes:
        identities: Agents and identities, of which one must match; None for all.
        agent: Agent, empty for all.
        effect: Effect, empty for all.
        reason: Reason, empty for all.
        before: Time and id of an event that they precede; (0, b"") for all.
    """

    identities: frozenset[str] | None = None
    agent: str = ""
    effect: str = ""
    reason: str = ""
    before: tuple[int, bytes] = (0, b"")

    def where_sql(self) -> tuple[str, list[object]]:
        """Build the SQL condition of the filter and its parameters."""
        parts, values = ["decision_id <> ''"], list[object]()
        for column, value in (
            ("agent", self.agent),
            (build_fact_sql("effect", "''"), self.effect),
            (build_fact_sql("reason", "''"), self.reason),
        ):
            if value:
                parts.append(f"{column} = ?")
                values.append(value)
        if self.identities is not None:
            listed = ", ".join("?" * len(self.identities)) or "NULL"
            parts.append(f"(agent IN ({listed}) OR identity IN ({listed}))")
            values += 2 * sorted(self.identities)
        if self.before[0]:
            parts.append("(event_time, event_id) < (?, ?)")
            values += self.before
        return " AND ".join(parts), values


def find_newest_decisions(
    store: "EvidenceStore", decision_filter: DecisionFilter, *, since: int, limit: int
) -> list[AuditEvent]:
    """Find the newest decisions, newest first.

    Args:
        store: The evidence store.
        decision_filter: The filter.
        since: UTC nanoseconds, inclusive.
        limit: Maximum rows.
    """
    where, values = decision_filter.where_sql()
    query = (
        f"SELECT {PLACE_COLUMNS} FROM skimmed e WHERE {where} AND event_time >= ? "  # noqa: S608 - ours
        "ORDER BY event_time DESC, event_id DESC LIMIT ?"
    )
    rows = store.run_query(query, [*values, since, limit])
    return store.read_events_at(cast("list[EventPlace]", rows))


def count_decisions_by_effect(
    store: "EvidenceStore", decision_filter: DecisionFilter, *, since: int
) -> dict[str, int]:
    """Count decisions by effect (allow, deny, ...).

    Args:
        store: The evidence store.
        decision_filter: The filter.
        since: UTC nanoseconds, inclusive.
    """
    where, values = decision_filter.where_sql()
    query = (
        f"SELECT {build_fact_sql('effect', chr(39) * 2)}, count(*) FROM skimmed e "  # noqa: S608 - ours
        f"WHERE {where} AND event_time >= ? GROUP BY ALL"
    )
    rows = store.run_query(query, [*values, since])
    return {str(effect): cast("int", count) for effect, count in rows}


def count_decisions(store: "EvidenceStore", decision_filter: DecisionFilter) -> int:
    """Count the decisions that match a filter."""
    where, values = decision_filter.where_sql()
    query = f"SELECT count(*) FROM skimmed e WHERE {where}"  # noqa: S608 - ours
    ((count,),) = store.run_query(query, values)
    return cast("int", count)


def find_decisions_by_prefix(store: "EvidenceStore", prefix: str) -> list[AuditEvent]:
    """Find decisions by id prefix, oldest first; at most a few."""
    query = (
        f"SELECT {PLACE_COLUMNS} FROM skimmed WHERE starts_with(decision_id, ?) "  # noqa: S608 - ours
        "ORDER BY event_time, event_id LIMIT ?"
    )
    rows = store.run_query(query, [prefix, _MAX_PREFIX_MATCHES])
    return store.read_events_at(cast("list[EventPlace]", rows))


@dataclass(frozen=True, slots=True)
class BlockedCallGroup:
    """Group of decisions that blocked the same action of one agent.

    Attributes:
        agent: Values of the newest event, also for the next five fields.
        target: Kind of the named thing.
        arguments: SHA-256 of the arguments, hex.
        decision_id: Id of the newest decision.
        at: Its time, UTC nanoseconds.
        event_id: Id of its event.
        reason: Its reason.
        written_by: Its author class.
        first: Time of the first decision.
        count: Number of decisions.
    """

    agent: str
    resource_prefix: str
    tool: str
    resource: str
    target: str
    arguments: str
    decision_id: str
    at: int
    event_id: bytes
    reason: str
    written_by: str
    first: int
    count: int


def list_blocked_calls(
    store: "EvidenceStore",
    reasons: Collection[str],
    *,
    since: int,
    limit: int,
    from_mediators: bool,
    agent: str = "",
) -> list[BlockedCallGroup]:
    """List calls that were blocked for one of some reasons, grouped, newest first.

    Args:
        store: The evidence store.
        reasons: Reasons as spelled in facts.
        since: UTC nanoseconds, inclusive.
        limit: Maximum groups.
        from_mediators: Records of mediators; False for self-reported ones.
        agent: Agent, empty for all.
    """
    sign = "<>" if from_mediators else "="
    one = "AND agent = ?" if agent else ""
    named = ", ".join("?" * len(reasons))
    # What was held back is logged as denied: the column spares reading most facts.
    query = (
        "SELECT agent, resource_prefix, tool, resource, target, arguments, "  # noqa: S608 - ours
        "arg_max(decision_id, place), max(event_time), arg_max(event_id, place), "
        "arg_max(reason, place), arg_max(written_by, place), min(event_time), count(*) "
        "FROM (SELECT agent, resource_prefix, tool, resource, decision_id, event_time, "
        "event_id, written_by, (event_time, event_id) AS place, "
        f"{build_fact_sql('target', BLANK)} AS target, {build_fact_sql('arguments', BLANK)} AS arguments, "
        f"{build_fact_sql('reason', BLANK)} AS reason, {build_fact_sql('effect', BLANK)} AS effect, "
        f"{build_fact_sql('ended', BLANK)} AS ended FROM skimmed e WHERE decision_id <> '' "
        f"AND outcome = 'denied' AND event_time >= ? AND written_by {sign} "
        f"'self-reported' {one}) WHERE reason IN ({named}) "
        "AND effect IN ('ask', 'deny') AND ended = '' "
        "GROUP BY agent, resource_prefix, tool, resource, target, arguments "
        "ORDER BY max(event_time) DESC, arg_max(event_id, place) DESC LIMIT ?"
    )
    values = [since, *filter(None, [agent]), *sorted(reasons), limit]
    rows = cast("list[tuple[Any, ...]]", store.run_query(query, values))
    return [BlockedCallGroup(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class CalledTarget:
    """Decisions about one named target of one agent.

    Attributes:
        resource_prefix: `tool:mcp/SERVER/`, for a tool.
        target: Kind of the named thing; empty for none.
        source: Source of the records: `gateway` or `hook`.
        count: Number of decisions.
        refused: Number of decisions with an effect other than allow.
        last: Time of the newest decision, UTC nanoseconds.
    """

    agent: str
    resource_prefix: str
    tool: str
    resource: str
    target: str
    source: str
    count: int
    refused: int
    last: int


def list_called_targets(
    store: "EvidenceStore",
    *,
    since: int,
    agent: str = "",
    from_mediators: bool = False,
) -> list[CalledTarget]:
    """List the targets of the decisions about agents, with counts.

    Args:
        store: The evidence store.
        since: UTC nanoseconds, inclusive.
        agent: Agent, empty for all.
        from_mediators: Leave out self-reported records.
    """
    one = "AND agent = ?" if agent else ""
    if from_mediators:
        one += " AND written_by <> 'self-reported'"
    query = (
        "SELECT agent, resource_prefix, tool, resource, target, source, count(*), "  # noqa: S608 - ours
        "count(*) FILTER (WHERE effect <> 'allow'), max(event_time) FROM ("
        "SELECT agent, resource_prefix, tool, resource, source, event_time, "
        f"{build_fact_sql('target', BLANK)} AS target, "
        f"{build_fact_sql('effect', BLANK)} AS effect FROM skimmed e "
        f"WHERE decision_id <> '' AND agent <> '' AND event_time >= ? {one}) "
        "GROUP BY ALL ORDER BY ALL"
    )
    rows = store.run_query(query, [since, *filter(None, [agent])])
    return [CalledTarget(*row) for row in cast("list[tuple[Any, ...]]", rows)]


def find_digests_of_stored_events(
    store: "EvidenceStore", events: Sequence[AuditEvent]
) -> frozenset[bytes]:
    """Return the raw digests of those events that are already stored."""
    if not events:
        return frozenset()
    begin = min(each.event_time for each in events)
    listed = ", ".join("?" * len(events))
    query = (
        "SELECT raw_sha256 FROM events WHERE event_time >= ? AND event_time <= ? "  # noqa: S608 - ours
        f"AND event_id IN ({listed})"
    )
    end = max(each.event_time for each in events)
    rows = store.run_query(query, [begin, end, *(each.event_id for each in events)])
    return frozenset(cast("bytes", row[0]) for row in rows)


def find_persons_of_run(
    store: "EvidenceStore", agent: AgentId, run: str
) -> tuple[str, ...]:
    """List the persons for whom an agent's run acted, as gateways recorded.

    Args:
        store: The evidence store.
        agent: Agent of the run.
        run: Run id.

    Returns:
        Usually one; an empty text for a run without a person.
    """
    query = (
        "SELECT DISTINCT person FROM skimmed WHERE agent = ? AND run = ? "
        "AND decision_id <> '' AND written_by <> 'self-reported' ORDER BY person"
    )
    rows = store.run_query(query, [agent, run])
    return tuple(str(person) for (person,) in rows)
