"""Look up chains and their counts in the chain file, without loading the others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from answerable.lineage.chain_stitching_types import (
    ALL_TIME,
    ChainTimeline,
    SourcedChainKey,
)
from answerable.model.event import EventOutcome
from answerable.model.lineage import ChainKey, Hop, HopStatus, LineageChain
from answerable.store.chain_tables import JointInterval, build_chain_interval_table
from answerable.store.documented_views import HOPS, JOINED_CHAINS
from answerable.store.event_columns import ROW_NUMBER_SQL
from answerable.store.event_count_queries import COLUMNS, RAW_COLUMNS, EventCounts
from answerable.store.investigation_queries import (
    InvestigationFilter,
    build_investigation_scope,
    build_matching_query,
)
from answerable.store.query_tables import ColumnType, NamedTable, ParquetTable
from answerable.store.search_index import PLACE_COLUMNS
from answerable.store.segment_scope import NO_EVENTS

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_KEY = ("identity", "credential", "session", "person", "run", "agent", "tool")
_MAX_NUMBERED_ROWS = 20_000  # named one by one in a query
_COUNTED = 5  # columns of a row of counts before its values
_HOP_PARTS = ("hop", "status", "known_by")
_HOP_COLUMNS = tuple(f"{hop}_{part}" for hop in HOPS for part in _HOP_PARTS)
_KEY_COLUMNS = ("source", "believed", *_KEY)
_COLUMNS = (
    *_KEY_COLUMNS,
    "valid_from",
    "valid_to",
    *_HOP_COLUMNS,
    "agent_path",
    "identity_path",
    "credential_path",
    "coalesce(epoch_ns(credential_from), 0)",
    "coalesce(epoch_ns(credential_to), 0)",
    "delegation_id",
    "n",
)
# Places of the columns in a row.
_TIMES = len(_KEY_COLUMNS)
_FIRST_HOP = _TIMES + 2
_PATHS = _FIRST_HOP + len(_HOP_COLUMNS)
_NUMBER = -1
_SAME_KEY = " AND ".join(f"c.{name} = k.{name}" for name in _KEY_COLUMNS)
# Values of a chain that a name is compared with, by the field of a query. Texts are
# compared in columns, and in lists of a chain.
_VALUE_COLUMNS = {
    "person": ("person_hop",),
    "agent": (),
    "tool": ("tool_hop",),
    "identity": (),
    "credential": ("credential",),
}
_VALUE_LISTS = {
    "agent": "agent_path",
    "identity": "identity_path",
    "credential": "credential_path",
}


@dataclass(frozen=True, slots=True)
class NameCondition:
    """Condition on the values of one field of a chain.

    Attributes:
        field: `person`, `agent`, `tool`, `identity` or `credential`.
        values: Ids of which one is equal; empty for none.
        part: Text in lower case that the value contains; used without ids.
    """

    field: str
    values: tuple[str, ...] = ()
    part: str = ""


def read_chains_of_keys(
    store: "EvidenceStore", file: ParquetTable, keys: Sequence[SourcedChainKey]
) -> list[ChainTimeline]:
    """Read the chains of some chain keys.

    Their rows are found by two columns, and then read whole.
    """
    table = build_chain_interval_table([(each, 0, 0) for each in keys])
    found = store.run_query(
        f"SELECT filename, {ROW_NUMBER_SQL} FROM {file.build_rows_sql()} "  # noqa: S608 - quoted
        "WHERE credential IN (SELECT credential FROM wanted) "
        "AND identity IN (SELECT identity FROM wanted)",
        (),
        {"wanted": table},
        NO_EVENTS,
    )
    if len(found) > _MAX_NUMBERED_ROWS:
        condition = f"EXISTS (SELECT 1 FROM wanted k WHERE {_SAME_KEY})"  # noqa: S608 - ours
        return _read_chains(store, file, condition, [], {"wanted": table})
    wanted = frozenset(keys)
    chains = _read_chains_at(store, file, cast("list[tuple[str, int]]", found))
    return [each for each in chains if each.chain_key in wanted]


def _read_chains_at(
    store: "EvidenceStore", file: ParquetTable, places: Sequence[tuple[str, int]]
) -> list[ChainTimeline]:
    """Read the chains at places: name of the file, and number of the row."""
    rows: dict[str, list[int]] = {}
    for name, number in places:
        rows.setdefault(name, []).append(number)
    parts = " UNION ALL ".join(
        f"SELECT * FROM {ParquetTable((Path(name),)).build_rows_sql()} "  # noqa: S608 - quoted
        f"WHERE {ROW_NUMBER_SQL} IN ({', '.join(map(str, numbers))})"
        for name, numbers in rows.items()
    )
    return _read_chains(store, file, "true", [], {}, f"({parts})") if parts else []


def read_chains_with_names(
    store: "EvidenceStore", file: ParquetTable, conditions: Sequence[NameCondition]
) -> list[ChainTimeline]:
    """Read the chains of keys with a chain that meets all conditions."""
    tests: list[str] = []
    parameters: list[object] = []
    for each in conditions:
        test, values = _build_name_test(each)
        tests.append(test)
        parameters += values
    found = _find_chains(store, file, " AND ".join(tests), parameters)
    # A chain of all time is the only one of its key; most keys have no other.
    firsts = [(each.number, each.chains[0]) for each in found]
    parts = [{"n": n} for n, c in firsts if (c.valid_from, c.valid_to) != ALL_TIME]
    if not parts:
        return found
    wanted = NamedTable({"n": ColumnType.INT}, parts)
    condition = "c.n IN (SELECT n FROM wanted)"
    whole = _read_chains(store, file, condition, [], {"wanted": wanted})
    by_key = {each.chain_key: each for each in whole}
    return [by_key.get(each.chain_key, each) for each in found]


def _find_chains(
    store: "EvidenceStore", file: ParquetTable, test: str, parameters: Sequence[object]
) -> list[ChainTimeline]:
    """Find the chains that pass a test, each without the other chains of its key."""
    if " OR " not in test:  # one column after the other is tested, then the rest read
        return _read_chains(store, file, test, parameters, {})
    found = store.run_query(
        f"SELECT filename, {ROW_NUMBER_SQL} FROM {file.build_rows_sql()} c "  # noqa: S608 - quoted
        f"WHERE {test}",
        parameters,
        {},
        NO_EVENTS,
    )
    if len(found) > _MAX_NUMBERED_ROWS:
        return _read_chains(store, file, test, parameters, {})
    return _read_chains_at(store, file, cast("list[tuple[str, int]]", found))


def count_all_events_by_hops(
    store: "EvidenceStore",
    files: tuple[ParquetTable, ParquetTable],
    hops: Sequence[str],
    columns: Sequence[str],
) -> dict[tuple[object, ...], EventCounts]:
    """Count all events by hops of their chains, by source and by outcome.

    Args:
        store: The store.
        files: Chains, and the number of events of each.
        hops: Names of hops.
        columns: `source` and `outcome`, or one of them, or none.
    """
    shown = {"source": "c.source", "outcome": "o.outcome"}
    values = [*_list_hop_values(hops), *(shown[name] for name in columns)]
    counts = ", ".join(
        f"sum(o.events){only}"
        for only in (
            "",
            f" FILTER (o.outcome = '{EventOutcome.DENIED.value}')",
            f" FILTER (o.outcome = '{EventOutcome.UNKNOWN.value}')",
        )
    )
    query = (
        f"SELECT {counts}, min(o.first), max(o.last), {', '.join(values)} "  # noqa: S608 - our own names
        "FROM counts o JOIN chains c ON o.n = c.n AND o.valid_from = c.valid_from "
        f"GROUP BY {', '.join(values)}"
    )
    tables = {"chains": files[0], "counts": files[1]}
    return _decode_counts(store.run_query(query, (), tables, NO_EVENTS))


def list_hop_values_between(
    store: "EvidenceStore",
    files: tuple[ParquetTable, ParquetTable],
    hop: str,
    span: tuple[int, int],
    equal_columns: Mapping[str, str],
) -> list[tuple[str, bool]] | None:
    """List the values of a hop in the chains of all events of a time span.

    Args:
        store: The store.
        files: Chains, and the number of events of each.
        hop: Name of the hop.
        span: Start, and end that is not in it, UTC nanoseconds.
        equal_columns: Values of `source` and `outcome` that the events have.

    Returns:
        Values, each with whether a trusted record has it; None if only the events tell,
            for a span within a day.
    """
    since, until = span
    shown = {"source": "c.source", "outcome": "o.outcome"}
    only = "".join(f" AND {shown[name]} = ?" for name in equal_columns)
    (value,) = _list_hop_values([hop])
    # The events of a row are of one day. Its first and its last one are known.
    query = (
        f"SELECT {value}, c.believed, bool_or(o.first >= ? OR o.last < ?) "  # noqa: S608 - our own names
        "FROM counts o JOIN chains c ON o.n = c.n AND o.valid_from = c.valid_from "
        f"WHERE o.last >= ? AND o.first < ?{only} GROUP BY ALL"
    )
    tables = {"chains": files[0], "counts": files[1]}
    parameters = [since, until, since, until, *equal_columns.values()]
    rows = store.run_query(query, parameters, tables, NO_EVENTS)
    if not all(is_known for _, _, is_known in rows):
        return None
    return [(cast("str", name), bool(believed)) for name, believed, _ in rows]


def list_keys_of_hop_values(
    store: "EvidenceStore", file: ParquetTable, hop: str, values: Collection[str]
) -> list[JointInterval]:
    """List the chain keys and intervals of the chains with one of some hop values."""
    (value,) = _list_hop_values([hop])
    marks = ", ".join("?" * len(values))
    rows = store.run_query(
        f"SELECT {', '.join(_KEY_COLUMNS)}, valid_from, valid_to FROM chains c "  # noqa: S608 - our own names
        f"WHERE {value} IN ({marks})",
        [*values],
        {"chains": file},
        NO_EVENTS,
    )
    return [
        (
            SourcedChainKey(ChainKey(*map(str, names)), str(source), bool(believed)),
            cast("int", start),
            cast("int", end),
        )
        for source, believed, *names, start, end in rows
    ]


def count_events_by_hops(
    store: "EvidenceStore",
    file: ParquetTable,
    investigation: InvestigationFilter,
    hops: Sequence[str],
    columns: Sequence[str],
) -> dict[tuple[object, ...], EventCounts]:
    """Count matching events by hops of their chains, and by columns of the events.

    Args:
        store: The store.
        file: Chains.
        investigation: Events to count.
        hops: Names of hops.
        columns: Names in `event_count_queries.COLUMNS`.
    """
    names = [PLACE_COLUMNS, "action", "resource", "outcome", "source", "written_by"]
    names += [each for name in columns for each in RAW_COLUMNS.get(name, ())]
    query, parameters, tables = build_matching_query(
        investigation, ", ".join([*names, *_KEY])
    )
    values = [*_list_hop_values(hops), *(COLUMNS[name] for name in columns)]
    counting = (
        "SELECT count(*), count(*) FILTER (e.outcome = 'denied'), "  # noqa: S608 - our own names
        "count(*) FILTER (e.outcome = 'unknown'), min(e.event_time), "
        f"max(e.event_time), {', '.join(values)} FROM ({query}) e "
        f"LEFT JOIN chains c ON {JOINED_CHAINS} GROUP BY {', '.join(values)}"
    )
    scope = build_investigation_scope(investigation)
    all_tables: dict[str, NamedTable | ParquetTable] = {"chains": file, **tables}
    return _decode_counts(store.run_query(counting, parameters, all_tables, scope))


def _list_hop_values(hops: Sequence[str]) -> list[str]:
    """List the SQL of the values of hops; an event without a chain has none."""
    return [f"coalesce(c.{hop}_hop, '')" for hop in hops]


def _decode_counts(
    rows: Sequence[Sequence[object]],
) -> dict[tuple[object, ...], EventCounts]:
    """Decode rows of counts and the values that they are grouped by."""
    found: dict[tuple[object, ...], EventCounts] = {}
    for row in rows:
        events, denied, unknown, first, last = (
            int(cast("int", each or 0)) for each in row[:_COUNTED]
        )
        if events:
            counts = EventCounts(events, denied, unknown, first, last)
            found[tuple(row[_COUNTED:])] = counts
    return found


def _build_name_test(condition: NameCondition) -> tuple[str, list[object]]:
    """Build the SQL test of one condition, with its parameters."""
    columns = [f"c.{name}" for name in _VALUE_COLUMNS[condition.field]]
    listed = _VALUE_LISTS.get(condition.field)
    tests: list[str] = []
    parameters: list[object] = []
    if condition.values:
        marks = ", ".join("?" * len(condition.values))
        tests = [f"{column} IN ({marks})" for column in columns]
        parameters = [*condition.values] * len(columns)
        if listed:
            # Quicker than `list_has_any`.
            tests += [f"list_contains(c.{listed}, ?)"] * len(condition.values)
            parameters += condition.values
    else:
        tests = [f"contains(lower({column}), ?)" for column in columns]
        parameters = [condition.part] * len(columns)
        if listed:
            text = f"lower(array_to_string(c.{listed}, chr(10)))"
            tests.append(f"contains({text}, ?)")
            parameters.append(condition.part)
    return f"({' OR '.join(tests)})", parameters


def _read_chains(
    store: "EvidenceStore",
    file: ParquetTable,
    condition: str,
    parameters: Sequence[object],
    tables: dict[str, NamedTable],
    rows_sql: str = "chains",
) -> list[ChainTimeline]:
    """Read the chains that meet a condition, with all intervals of a key together."""
    query = (
        f"SELECT {', '.join(_COLUMNS)} FROM {rows_sql} c WHERE {condition} "  # noqa: S608 - our own names
        f"ORDER BY {', '.join(f'c.{name}' for name in _KEY_COLUMNS)}, c.valid_from"
    )
    rows = store.run_query(query, parameters, {"chains": file, **tables}, NO_EVENTS)
    found: list[tuple[SourcedChainKey, list[LineageChain], int]] = []
    hops: dict[tuple[object, ...], Hop] = {}
    for row in rows:
        key, chain = _decode_chain(row, hops)
        if found and found[-1][0] == key:
            found[-1][1].append(chain)
        else:
            found.append((key, [chain], cast("int", row[_NUMBER])))
    return [ChainTimeline(key, tuple(chains), n) for key, chains, n in found]


def _decode_chain(
    row: tuple[Any, ...], hops: dict[tuple[object, ...], Hop]
) -> tuple[SourcedChainKey, LineageChain]:
    """Decode a row with the columns of a chain.

    Args:
        row: The row.
        hops: Hops of other rows by their columns: most chains share them.
    """
    source, believed, *names = row[:_TIMES]
    key = ChainKey(*names)
    found: list[Hop] = []
    for at in range(_FIRST_HOP, _PATHS, len(_HOP_PARTS)):
        parts = row[at : at + len(_HOP_PARTS)]
        hop = hops.get(parts)
        if hop is None:
            value, status, known_by = parts
            hop = hops[parts] = Hop(value, HopStatus(status), known_by)
        found.append(hop)
    by_name = dict(zip(HOPS, found, strict=True))
    agents, identities, credentials, start, end, delegation = row[_PATHS:_NUMBER]
    chain = LineageChain(
        key=key,
        valid_from=row[_TIMES],
        valid_to=row[_TIMES + 1],
        person=by_name["person"],
        agent=by_name["agent"],
        agent_path=tuple(agents),
        tool=by_name["tool"],
        identity=by_name["identity"],
        identity_owner=by_name["identity_owner"],
        identity_path=tuple(identities),
        credential_path=tuple(credentials),
        credential_from=start,
        credential_to=end,
        delegation_id=delegation,
    )
    return SourcedChainKey(key, source, bool(believed)), chain
