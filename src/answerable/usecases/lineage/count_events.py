"""Counts over a trace, by fields of the lineage row and by hop status."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import cast

from answerable.lineage.chain_index import Chains
from answerable.lineage.stitch import stitch
from answerable.lineage.stitch_inputs import JointChains
from answerable.model.documents.core import Document
from answerable.model.documents.trace import CountItem
from answerable.model.errors import UsageError
from answerable.model.lineage import Chain, HopStatus
from answerable.services.inventory import snapshots
from answerable.services.lineage.filter_checks import check_trail_action
from answerable.services.lineage.stitched_chains import stitched
from answerable.services.lineage.trace_rows import (
    HOPS,
    Question,
    asking_more,
    check,
    coverage_of,
    searched,
    wanted_of,
)
from answerable.services.lineage.trail_identities import trail_identity
from answerable.store import investigation_queries
from answerable.store.chain_queries import Interval
from answerable.store.investigation_queries import Wanted
from answerable.store.store import Store

FIELDS = (*HOPS, "action", "resource", "outcome", "day")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Values = tuple[object, ...]


@dataclass(slots=True)
class _Grouped:
    """Chains grouped by key: numbered keys and their intervals."""

    values: list[Values]
    intervals: list[tuple[int, Interval]]


def count_by(store: Store, question: Question, by: str, *, now: int) -> Document:
    """Count the events of a query by fields, largest count first.

    Args:
        store: Store of the events.
        question: Events to count; its limit is the most rows.
        by: Names in `FIELDS`, separated by commas.
        now: UTC nanoseconds.

    Returns:
        Items with each field, null if it is missing, and `events`.

    Raises:
        UsageError: A field or a name is unknown, or nothing matches.
    """
    check(question)
    fields = fields_of(by)
    inventory = snapshots.load(store, now=now)
    chains = stitched(store, inventory)
    identity = trail_identity(store, inventory, chains, question.identity)
    question = replace(question, identity=identity)
    wanted = wanted_of(inventory, chains, question)
    hops = [name for name in fields if name in HOPS]
    columns = [name for name in fields if name not in HOPS]

    def values_of(chain: Chain) -> Values:
        return tuple(_hop(chain, name)[0] for name in hops)

    counts = count_chains(store, chains, wanted, values_of if hops else None, columns)
    ordered = sorted(counts.items(), key=lambda each: (-each[1], _order(each[0])))
    items: list[CountItem] = []
    for values, events in ordered[: question.limit]:
        told = dict(zip((*hops, *columns), values, strict=True))
        row = {name: _shown(name, told[name]) for name in fields}
        items.append(cast("CountItem", {**row, "events": events}))
    if not items:
        check_trail_action(store, question.action)
    more = len(ordered) > len(items)
    return Document(
        "trace-by",
        items,
        coverage_of(inventory, chains, now, question),
        next=asking_more(question, "--by", ",".join(fields)) if more else "",
        searched="" if items else searched(store, inventory, chains, question),
        total=len(ordered) if more else -1,
    )


def fields_of(text: str) -> tuple[str, ...]:
    """Parse comma-separated field names.

    Raises:
        UsageError: A name is unknown or repeated.
    """
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, 1)
            raise UsageError(
                f"unknown field for --by (got {name[:80]!r}, "
                f"expected {', '.join(FIELDS)})",
                f"did you mean {near[0]}?" if near else "as in --by agent,action",
            )
    if len(set(names)) < len(names):
        raise UsageError(f"--by names a field twice (got {text[:200]!r})")
    return tuple(names)


def hop_counts(
    store: Store, chains: Sequence[JointChains], wanted: Wanted
) -> dict[str, Counter[HopStatus]]:
    """Count the events in each status, per actor hop."""
    counts = count_chains(
        store, chains, wanted, lambda chain: tuple(_hop(chain, n)[1] for n in HOPS), ()
    )
    told: dict[str, Counter[HopStatus]] = {name: Counter() for name in HOPS}
    for values, events in counts.items():
        for name, status in zip(HOPS, values, strict=True):
            told[name][cast("HopStatus", status)] += events
    return told


def count_chains(
    store: Store,
    chains: Sequence[JointChains],
    wanted: Wanted,
    values_of: Callable[[Chain], Values] | None,
    columns: Sequence[str],
) -> dict[Values, int]:
    """Count matching events by chain values and by columns.

    Args:
        store: Store of the events.
        chains: Stitched chains. An event that came later has a chain of its own.
        values_of: Returns the values of a chain; None for none.
        columns: Columns of the events, names in `finding.COLUMNS`.
    """
    grouped = _Grouped([], [])
    if values_of is not None:
        grouped = _group(_near(chains, wanted), values_of)
    counts: dict[Values, int] = defaultdict(int)
    for each in investigation_queries.count_groups(
        store, wanted, grouped.intervals, columns
    ):
        if not each.events:  # a chain without events
            continue
        values: Values = ()
        if each.joint is not None and values_of is not None:
            values = values_of(stitch([each.joint], ())[0].chains[0])
        elif values_of is not None:
            values = grouped.values[each.number]
        counts[(*values, *each.values)] += each.events
    return dict(counts)


def _near(chains: Sequence[JointChains], wanted: Wanted) -> Sequence[JointChains]:
    """Drop chains that the keys of a query exclude."""
    if any(part.keys is None for part in wanted.parts):
        return chains
    by_joint = Chains.of(chains).by_joint
    joints = {joint for part in wanted.parts for joint, _, _ in part.keys or ()}
    return [JointChains(joint, by_joint[joint]) for joint in joints]


def _group(
    chains: Sequence[JointChains], values_of: Callable[[Chain], Values]
) -> _Grouped:
    """Group chains by key, and join consecutive intervals."""
    numbers: dict[Values, int] = {}
    intervals: list[tuple[int, Interval]] = []
    for each in chains:
        for chain in each.chains:
            number = numbers.setdefault(values_of(chain), len(numbers))
            since = chain.valid_from
            if intervals:
                last, (joint, start, end) = intervals[-1]
                if last == number and joint is each.joint and end == since:
                    intervals.pop()
                    since = start
            intervals.append((number, (each.joint, since, chain.valid_to)))
    return _Grouped(list(numbers), intervals)


def _hop(chain: Chain, name: str) -> tuple[str, HopStatus]:
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


def _order(values: Values) -> tuple[str, ...]:
    return tuple(map(str, values))


def _shown(name: str, value: object) -> str | None:
    if name == "day":
        return (_EPOCH + timedelta(days=cast("int", value))).date().isoformat()
    return str(value) or None
