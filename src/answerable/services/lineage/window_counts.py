"""Count the events of a time window by field and by recorded stream of a log."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.window_comparison import RecordedWindow, StreamKey
from answerable.model.documents.shared_shapes import CoverageRecord
from answerable.model.inventory import Inventory
from answerable.model.lineage import LineageChain
from answerable.model.time_units import DAY_NS
from answerable.services.inventory import snapshots
from answerable.services.lineage.audit_log_identities import resolve_audit_log_identity
from answerable.services.lineage.chain_cache import (
    load_or_compute_chains,
)
from answerable.services.lineage.event_counts import (
    GroupKey,
    count_by_chain_values,
    format_group_value,
    get_hop_value_and_status,
    split_fields,
)
from answerable.services.lineage.large_store_chains import build_index_without_chains
from answerable.services.lineage.large_store_counts import (
    count_hop_values,
    count_window,
    find_hop_values,
    find_missing_values,
    load_chains_of_windows,
)
from answerable.services.lineage.lineage_search import SearchScope
from answerable.services.lineage.log_data_coverage import list_recorded_days
from answerable.services.lineage.trace_rows import (
    HOPS,
    TraceQuery,
    build_event_filter,
    build_trace_coverage,
    describe_unread_logs,
)
from answerable.store.day_rollups import STREAM_FIELDS
from answerable.store.event_count_queries import EventCounts
from answerable.store.event_queries import END_OF_TIME
from answerable.store.large_stores import is_large_store
from answerable.store.recorded_days import LogStream, read_recorded_days
from answerable.store.store import EvidenceStore

# Values of the requested fields, None where one is missing.
FieldValues = tuple[str | None, ...]


@dataclass(slots=True)
class WindowGroup:
    """Events of one window with equal values.

    Attributes:
        counts: Their counts, None for no events.
        streams: Streams of the logs that recorded them.
    """

    counts: EventCounts | None = None
    streams: set[StreamKey] = field(default_factory=set)

    def add(self, counts: EventCounts, stream: StreamKey) -> None:
        """Add the events of one stream."""
        self.counts = counts if self.counts is None else self.counts + counts
        self.streams.add(stream)


@dataclass(frozen=True, slots=True)
class WindowGroups:
    """Groups of one window: of trusted records, and of self-reported ones."""

    trusted: Mapping[FieldValues, WindowGroup]
    self_reported: Mapping[FieldValues, WindowGroup]


@dataclass(frozen=True, slots=True)
class WindowValues:
    """Values in one window: in trusted records, and in self-reported ones."""

    trusted: Collection[FieldValues]
    self_reported: Collection[FieldValues]


class WindowCounter:
    """Counter of the events of a query in time windows of one store."""

    def __init__(
        self,
        store: EvidenceStore,
        query: TraceQuery,
        now: int,
        loaded: SearchScope | None = None,
    ) -> None:
        """Load the inventory and the chains, and resolve the names of the query.

        Args:
            now: UTC nanoseconds.
            loaded: Inventory and chains, if they are loaded already.

        Raises:
            UsageError: A name is unknown or ambiguous.
        """
        self._store = store
        self._without_chains = False
        if loaded is None:
            inventory = snapshots.load_inventory(store, now=now)
            loaded = SearchScope(inventory, self._load_chains(store, inventory, query))
        self.inventory: Inventory = loaded.inventory
        self.chains: ChainIndex = ChainIndex.wrap_chains(loaded.chains)
        identity = resolve_audit_log_identity(
            store, self.inventory, self.chains, query.identity
        )
        self.query = replace(query, identity=identity)
        self.recorded: dict[LogStream, frozenset[int]] = {}

    def _load_chains(
        self, store: EvidenceStore, inventory: Inventory, query: TraceQuery
    ) -> ChainIndex:
        """Load the chains of the query; of a large store, only the needed ones."""
        if not is_large_store(store):
            return load_or_compute_chains(store)
        chains = load_chains_of_windows(store, inventory, query)
        self._without_chains = chains is None
        return build_index_without_chains(store) if chains is None else chains

    def build_coverage(self, now: int) -> CoverageRecord:
        """Build the coverage of an answer, with the recorded days of its windows."""
        covered = build_trace_coverage(self.inventory, self.chains, now, self.query)
        covered["recorded"] = list_recorded_days(self.recorded)
        return covered

    def count(
        self,
        fields: Sequence[str],
        since: int,
        until: int,
    ) -> WindowGroups:
        """Count the events of a window by fields.

        Args:
            fields: Names in `FIELDS` of the event counts.
            since: UTC nanoseconds, inclusive, 0 for the beginning.
            until: UTC nanoseconds, exclusive.
        """
        hops, columns = split_fields(fields)
        query = replace(self.query, since=since, until=until)
        counted = self._count_groups(query, hops, columns)
        groups = _group_counts(counted, fields, (*hops, *columns))
        return WindowGroups(dict(groups[True]), dict(groups[False]))

    def compare_values(
        self, name: str, earlier: tuple[int, int], later: tuple[int, int]
    ) -> tuple[WindowValues, WindowGroups]:
        """Find the values of a field in two windows.

        Args:
            name: Name of the field.
            earlier: Start of the earlier window and its end, which is not in it, UTC
                nanoseconds.
            later: Those of the later window.

        Returns:
            The values of the earlier window, and the groups of the later one. Groups of
            values of both windows may be without counts.
        """
        if self._without_chains and name in HOPS:
            found = self._compare_hop_values(name, earlier, later)
            if found is not None:
                return found
        after = self.count([name], *later)
        known = self._find_values(name, earlier, after)
        if known is None:
            before = self.count([name], *earlier)
            known = WindowValues(before.trusted, before.self_reported)
        return known, after

    def _find_values(
        self, name: str, span: tuple[int, int], groups: WindowGroups
    ) -> WindowValues | None:
        """Find the values of groups that a window has; None if only a count tells."""
        if not self._without_chains:
            return None
        asked = {(each[0], True) for each in groups.trusted if each[0]}
        for values in groups.self_reported:
            if values[0]:
                asked |= {(values[0], False), (values[0], True)}
        query = replace(self.query, since=span[0], until=span[1])
        missing = find_missing_values(self._store, query, name, asked)
        if missing is None:
            return None
        found: dict[bool, set[FieldValues]] = {True: set(), False: set()}
        for value, trusted in asked - missing:
            found[trusted].add((value,))
        return WindowValues(found[True], found[False])

    def _compare_hop_values(
        self, hop: str, earlier: tuple[int, int], later: tuple[int, int]
    ) -> tuple[WindowValues, WindowGroups] | None:
        """Compare the values of a hop by counts; None if only the events tell."""
        store, inventory = self._store, self.inventory
        query = replace(self.query, since=later[0], until=later[1])
        before, after = (
            find_hop_values(
                store, inventory, replace(query, since=start, until=end), hop
            )
            for start, end in (earlier, later)
        )
        if before is None or after is None:
            return None
        new = {value for value, _ in {*after} - {*before} if value}
        counted = count_hop_values(store, inventory, query, (hop, STREAM_FIELDS), new)
        if counted is None:
            return None
        groups = _group_counts(counted, [hop], [hop])
        values: dict[bool, set[FieldValues]] = {True: set(), False: set()}
        for value, trusted in before:
            values[trusted].add((value or None,))
        for value, trusted in after:
            groups[trusted][value or None,]
        return (
            WindowValues(values[True], values[False]),
            WindowGroups(dict(groups[True]), dict(groups[False])),
        )

    def _count_groups(
        self,
        query: TraceQuery,
        hops: Sequence[str],
        columns: Sequence[str],
    ) -> Mapping[GroupKey, EventCounts]:
        """Count the events of a query by hops, columns and stream of the log."""
        named = [*columns, *STREAM_FIELDS]
        if self._without_chains:
            found = count_window(self._store, self.inventory, query, [*hops, *named])
            if found is not None:
                return found
            self.chains = load_or_compute_chains(self._store)
            self._without_chains = False

        def values_of(chain: LineageChain) -> GroupKey:
            return tuple(get_hop_value_and_status(chain, name)[0] for name in hops)

        return count_by_chain_values(
            self._store,
            self.chains,
            build_event_filter(self.inventory, self.chains, query),
            values_of if hops else None,
            named,
        )

    def read_recorded_window(self, since: int, until: int) -> RecordedWindow:
        """Read which streams of the logs recorded a window, and on which days.

        A day that the window contains in part is recorded if the stream has events on
        any part of that day.
        """
        days = read_recorded_days(self._store, since, until)
        start = since // DAY_NS * DAY_NS
        end = min(-(-until // DAY_NS) * DAY_NS, END_OF_TIME)
        if (start, end) != (since, until):
            edges = {start // DAY_NS, end // DAY_NS - 1}
            whole = read_recorded_days(self._store, start, end)
            days = {each: found | (whole[each] & edges) for each, found in days.items()}
        for stream, of_stream in days.items():
            self.recorded[stream] = self.recorded.get(stream, frozenset()) | of_stream
        return RecordedWindow(
            since,
            until,
            {
                (each.source, each.scope, each.region, each.data_service): found
                for each, found in days.items()
            },
            describe_unread_logs(self.inventory),
        )


def _group_counts(
    counted: Mapping[GroupKey, EventCounts], fields: Sequence[str], names: Sequence[str]
) -> dict[bool, dict[FieldValues, WindowGroup]]:
    """Group counts by the values of fields, of trusted and of other records.

    Args:
        counted: Counts by values and stream.
        fields: Fields of the groups.
        names: The fields in the order of the counted values.
    """
    groups: dict[bool, dict[FieldValues, WindowGroup]] = {
        True: defaultdict(WindowGroup),
        False: defaultdict(WindowGroup),
    }
    width = len(fields)
    for key, counts in counted.items():
        found = dict(zip(names, key[:width], strict=True))
        values = tuple(format_group_value(name, found[name]) for name in fields)
        trusted, *stream = key[width:]
        source, scope, region, service = map(str, stream)
        groups[bool(trusted)][values].add(counts, (source, scope, region, service))
    return groups
