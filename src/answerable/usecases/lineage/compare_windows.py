"""Compare two time windows of the logs (`trace --first-seen`, `trace --compare`).

The absence of a value in a window counts only if the logs that recorded the value
elsewhere also recorded that window. Self-reported records are compared with each other
alone, and their changes are never known: their writer may omit some.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from answerable.lineage.window_comparison import (
    RecordedWindow,
    ValueChange,
    describe_gaps,
)
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import FirstSeenItem, WindowChangeItem
from answerable.model.errors import UsageError
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.time_input import TimeWindow
from answerable.services.lineage.event_counts import build_count_fields, parse_fields
from answerable.services.lineage.lineage_search import SearchScope
from answerable.services.lineage.query_validation import require_known_action
from answerable.services.lineage.trace_rows import (
    TraceQuery,
    format_command_with_larger_limit,
    validate_trace_query,
)
from answerable.services.lineage.window_counts import (
    FieldValues,
    WindowCounter,
    WindowGroup,
    WindowGroups,
    WindowValues,
)
from answerable.store.store import EvidenceStore

_FIRST_SEEN_FIELDS = "action,identity,resource"
_SELF_REPORTED = "only self-reported records contain the value"
_ORDER = tuple(ValueChange)


@dataclass(frozen=True, slots=True)
class _Compared:
    """One value in both windows, with its change."""

    values: FieldValues
    before: WindowGroup
    after: WindowGroup
    state: ValueChange
    why: str = ""


def list_first_seen(
    store: EvidenceStore,
    query: TraceQuery,
    field_names: str,
    earlier: TimeWindow | None,
    *,
    now: int,
    loaded: SearchScope | None = None,
) -> Document:
    """List the values of a window that had not occurred before it.

    Args:
        store: Store of the events.
        query: Events of the window; it needs a start.
        field_names: Fields, each compared on its own; empty for action, identity and
            resource.
        earlier: The earlier window; None for all records before the window.
        now: UTC nanoseconds.
        loaded: Inventory and chains, if they are loaded already.

    Raises:
        UsageError: The window has no start, or a name is unknown.
    """
    later = _require_windows(query, earlier, now, "--first-seen")
    earlier = earlier or TimeWindow(0, later.since)
    counter = WindowCounter(store, query, now, loaded)
    recorded = counter.read_recorded_window(earlier.since, earlier.until)
    items: list[FirstSeenItem] = []
    values: set[tuple[str, FieldValues]] = set()
    for name in parse_fields(field_names or _FIRST_SEEN_FIELDS):
        before, after = counter.compare_values(
            name, (earlier.since, earlier.until), (later.since, later.until)
        )
        found = sorted(_list_new_values(before, after, recorded), key=_order_of_first)
        items += [_build_first_seen_item(name, each) for each in found]
        values |= {(name, each) for each in (*after.trusted, *after.self_reported)}
    items.sort(key=lambda item: item["state"])  # stable: new, then not known
    if not values:
        require_known_action(store, query.action)
    more = len(items) > query.limit
    searched = f"all {len(values):,} values in that window were recorded before"
    if not items:
        searched = _describe_window(
            counter, later, recorded, searched if values else ""
        )
    return Document(
        "trace-first-seen",
        items[: query.limit],
        counter.build_coverage(now),
        next=format_command_with_larger_limit(query, "--first-seen") if more else "",
        searched="" if items else searched,
        total=len(items) if more else -1,
    )


def _describe_window(
    counter: WindowCounter, later: TimeWindow, earlier: RecordedWindow, found: str
) -> str:
    """Describe the events of a window; not known if a log of before lacks a day."""
    window = counter.read_recorded_window(later.since, later.until)
    logs = ((source, scope, "", "") for source, scope in sorted(earlier.days_by_log))
    gap = next(
        filter(None, (window.describe_gap(each, days_only=True) for each in logs)), ""
    )
    parts = [found or "no event in that window", f"not known: {gap}" if gap else ""]
    return "; ".join(filter(None, parts))


def compare_windows(
    store: EvidenceStore,
    query: TraceQuery,
    field_names: str,
    earlier: TimeWindow,
    *,
    now: int,
    loaded: SearchScope | None = None,
) -> Document:
    """List the groups of events that are new, gone or changed since another window.

    Args:
        store: Store of the events.
        query: Events of the later window; it needs a start.
        field_names: Fields whose values make a group; empty for action.
        earlier: The earlier window.
        now: UTC nanoseconds.
        loaded: Inventory and chains, if they are loaded already.

    Raises:
        UsageError: The windows overlap, or a name is unknown.
    """
    later = _require_windows(query, earlier, now, "--compare")
    fields = parse_fields(field_names or "action")
    counter = WindowCounter(store, query, now, loaded)
    before = counter.count(fields, earlier.since, earlier.until)
    after = counter.count(fields, later.since, later.until)
    windows = (
        counter.read_recorded_window(earlier.since, earlier.until),
        counter.read_recorded_window(later.since, later.until),
    )
    changes = sorted(_list_changes(before, after, windows), key=_order_of_change)
    if not changes:
        require_known_action(store, query.action)
    more = len(changes) > query.limit
    equal = f"{len(after.trusted):,} groups with equal counts in both windows"
    return Document(
        "trace-compare",
        [_build_change_item(fields, each) for each in changes[: query.limit]],
        counter.build_coverage(now),
        next=format_command_with_larger_limit(query, "--by", ",".join(fields))
        if more
        else "",
        searched=""
        if changes
        else _describe_window(
            counter, later, windows[0], equal if after.trusted else ""
        ),
        total=len(changes) if more else -1,
    )


def _require_windows(
    query: TraceQuery, earlier: TimeWindow | None, now: int, option: str
) -> TimeWindow:
    """Return the later window; refuse one without a start, or an overlap."""
    validate_trace_query(query)
    if not query.since:
        raise UsageError(
            f"{option} requires the start of the later window",
            f"for example: {option} --since 1d",
        )
    if earlier is not None and earlier.until > query.since:
        raise UsageError(
            "the windows overlap (expected the end of --compare before --since)",
            "for example: --since 7d --compare 14d..7d",
        )
    return TimeWindow(query.since, query.until or now)


def _list_new_values(
    before: WindowValues, after: WindowGroups, recorded: RecordedWindow
) -> Iterator[_Compared]:
    """List the values that the earlier window does not have."""
    nothing = WindowGroup()
    for values, group in after.trusted.items():
        if values not in before.trusted and None not in values:
            why = describe_gaps(recorded, group.streams)
            state = ValueChange.NOT_KNOWN if why else ValueChange.NEW
            yield _Compared(values, nothing, group, state, why)
    for values, group in after.self_reported.items():
        if (
            values not in after.trusted
            and values not in before.trusted
            and values not in before.self_reported
            and None not in values
        ):
            yield _Compared(
                values, nothing, group, ValueChange.NOT_KNOWN, _SELF_REPORTED
            )


def _list_changes(
    before: WindowGroups,
    after: WindowGroups,
    windows: tuple[RecordedWindow, RecordedWindow],
) -> Iterator[_Compared]:
    """List the groups whose counts differ between the windows."""
    nothing = WindowGroup()
    for values in {**before.trusted, **after.trusted}:
        earlier = before.trusted.get(values, nothing)
        later = after.trusted.get(values, nothing)
        if _count_of(earlier) == _count_of(later):
            continue
        streams = earlier.streams | later.streams
        in_earlier = describe_gaps(windows[0], streams)
        in_later = describe_gaps(windows[1], streams)
        if earlier.counts and later.counts:
            state, why = ValueChange.CHANGED, in_earlier or in_later
        elif later.counts:
            state, why = ValueChange.NEW, in_earlier
        else:
            state, why = ValueChange.GONE, in_later
        yield _Compared(
            values, earlier, later, ValueChange.NOT_KNOWN if why else state, why
        )
    for values in {**before.self_reported, **after.self_reported}:
        earlier = before.self_reported.get(values, nothing)
        later = after.self_reported.get(values, nothing)
        if _count_of(earlier) != _count_of(later):
            why = "self-reported records may omit events"
            yield _Compared(values, earlier, later, ValueChange.NOT_KNOWN, why)


def _count_of(group: WindowGroup) -> int:
    """Return the number of events of a group."""
    return group.counts.events if group.counts else 0


def _order_of_change(change: _Compared) -> tuple[int, int, tuple[str, ...]]:
    """Return a key that sorts by state, then by difference, largest first."""
    difference = abs(_count_of(change.after) - _count_of(change.before))
    return (
        _ORDER.index(change.state),
        -difference,
        tuple(each or "" for each in change.values),
    )


def _order_of_first(change: _Compared) -> tuple[int, FieldValues]:
    """Return a key that sorts by the time of the first event."""
    counts = change.after.counts
    return counts.first if counts else 0, change.values


def _build_first_seen_item(name: str, change: _Compared) -> FirstSeenItem:
    """Build the item of a value that the earlier window does not have."""
    counts = change.after.counts
    fields = build_count_fields(counts) if counts else {}
    item = {
        "state": change.state.value,
        "field": name,
        "value": change.values[0] or "",
        **fields,
        "why": change.why,
    }
    return cast("FirstSeenItem", item)


def _build_change_item(fields: Sequence[str], change: _Compared) -> WindowChangeItem:
    """Build the item of a changed group."""
    counts = change.after.counts
    item = {
        "state": change.state.value,
        **dict(zip(fields, change.values, strict=True)),
        "events_before": _count_of(change.before),
        "events": _count_of(change.after),
        "first": format_time(counts.first) if counts else None,
        "last": format_time(counts.last) if counts else None,
        "why": change.why,
    }
    return cast("WindowChangeItem", item)
