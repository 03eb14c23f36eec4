"""Count audit events by values of their chain and by event columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import cast

from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.chain_stitching import derive_lineage_chains
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.errors import UsageError
from answerable.model.lineage import HopStatus, LineageChain
from answerable.model.time_units import EPOCH
from answerable.presentation.answer_coverage import format_time
from answerable.services.lineage.trace_rows import HOPS
from answerable.store import event_count_queries
from answerable.store.chain_tables import JointInterval
from answerable.store.event_count_queries import EventCounts
from answerable.store.investigation_queries import InvestigationFilter
from answerable.store.store import EvidenceStore

FIELDS = (*HOPS, "credential", "action", "resource", "outcome", "source", "day")

GroupKey = tuple[object, ...]


@dataclass(slots=True)
class _ChainGroups:
    """Chains grouped by key: numbered keys and their intervals."""

    values: list[GroupKey]
    intervals: list[tuple[int, JointInterval]]


def build_count_fields(counts: EventCounts) -> dict[str, object]:
    """Build the counts of an item, and the times of its first and last event."""
    return {
        "events": counts.events,
        "denied": counts.denied,
        "outcome_unknown": counts.outcome_unknown,
        "first": format_time(counts.first),
        "last": format_time(counts.last),
    }


def parse_fields(field_names: str) -> tuple[str, ...]:
    """Parse comma-separated field names; `chain` means the four actor hops.

    Raises:
        UsageError: A name is unknown or repeated.
    """
    given = [name.strip().lower() for name in field_names.split(",")]
    names = [each for name in given for each in (HOPS if name == "chain" else (name,))]
    for name in names:
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, 1)
            raise UsageError(
                f"unknown field for --by (got {name[:80]!r}, "
                f"expected {', '.join(FIELDS)} or chain)",
                f"did you mean {near[0]}?" if near else "for example --by agent,action",
            )
    if len(set(names)) < len(names):
        raise UsageError(
            f"--by names a field twice (got {field_names[:200]!r})",
            "name each field once, for example --by agent,action",
        )
    return tuple(names)


def split_fields(fields: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split fields into hops of the chain and columns of the event, in order."""
    hops = [name for name in fields if name in HOPS]
    return hops, [name for name in fields if name not in HOPS]


def count_by_chain_values(
    store: EvidenceStore,
    chains: Sequence[ChainTimeline],
    event_filter: InvestigationFilter,
    get_chain_values: Callable[[LineageChain], GroupKey] | None,
    columns: Sequence[str],
) -> dict[GroupKey, EventCounts]:
    """Count matching events by chain values and by columns.

    Args:
        store: Store of the events.
        chains: Stitched chains. An event that came later has a chain of its own.
        get_chain_values: Returns the values of a chain; None for none.
        columns: Columns of the events, names in `event_count_queries.COLUMNS`.
    """
    grouped = _ChainGroups([], [])
    if get_chain_values is not None:
        grouped = _group_chains_by_value(
            _drop_excluded_chains(chains, event_filter), get_chain_values
        )
    counts: dict[GroupKey, EventCounts] = {}
    for each in event_count_queries.count_events_by_group(
        store, event_filter, grouped.intervals, columns
    ):
        values: GroupKey = ()
        if each.joint is not None and get_chain_values is not None:
            values = get_chain_values(
                derive_lineage_chains([each.joint], ())[0].chains[0]
            )
        elif get_chain_values is not None:
            values = grouped.values[each.number]
        key = (*values, *each.values)
        before = counts.get(key)
        counts[key] = each.counts if before is None else before + each.counts
    return counts


def _drop_excluded_chains(
    chains: Sequence[ChainTimeline], event_filter: InvestigationFilter
) -> Sequence[ChainTimeline]:
    """Drop delegation chains that no event of the filter can have."""
    if any(part.keys is None for part in event_filter.alternatives):
        return chains
    by_joint = ChainIndex.wrap_chains(chains).chains_by_key
    joints = {
        joint for part in event_filter.alternatives for joint, _, _ in part.keys or ()
    }
    return [ChainTimeline(joint, by_joint[joint]) for joint in joints]


def _group_chains_by_value(
    chains: Sequence[ChainTimeline],
    get_chain_values: Callable[[LineageChain], GroupKey],
) -> _ChainGroups:
    """Group chains by key, and join consecutive intervals."""
    numbers: dict[GroupKey, int] = {}
    intervals: list[tuple[int, JointInterval]] = []
    for each in chains:
        for chain in each.chains:
            number = numbers.setdefault(get_chain_values(chain), len(numbers))
            since = chain.valid_from
            if intervals:
                last, (joint, start, end) = intervals[-1]
                if last == number and joint is each.chain_key and end == since:
                    intervals.pop()
                    since = start
            intervals.append((number, (each.chain_key, since, chain.valid_to)))
    return _ChainGroups(list(numbers), intervals)


def get_hop_value_and_status(chain: LineageChain, name: str) -> tuple[str, HopStatus]:
    """Return value and status of a chain's hop, by the hop's name."""
    match name:
        case "person":
            hop = chain.person
        case "agent":
            hop = chain.agent
        case "tool":
            hop = chain.tool
        case _:
            hop = chain.identity
    return hop.value, hop.status


def mixed_type_sort_key(values: GroupKey) -> tuple[str, ...]:
    """Return a key that sorts values of mixed types as text."""
    return tuple(map(str, values))


def format_group_value(name: str, value: object) -> str | None:
    """Format a value of a group: a day as a date, empty text as None."""
    if name == "day":
        return (EPOCH + timedelta(days=cast("int", value))).date().isoformat()
    return str(value) or None
