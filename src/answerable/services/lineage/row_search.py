"""Search of lineage rows, newest first and page by page."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import re2

from answerable.lineage.chain_index import Chains, texts_of
from answerable.lineage.search_query import Query
from answerable.lineage.stitch import chain_at, stitch
from answerable.lineage.stitch_inputs import Joint, JointChains
from answerable.model.documents.core import Document
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.inventory import Inventory
from answerable.model.lineage import Chain, HopStatus, LineageRow
from answerable.presentation.time_input import moment
from answerable.services.lineage import name_resolution
from answerable.services.lineage.filter_checks import (
    check_trail_action,
    check_trail_source,
)
from answerable.services.lineage.resource_filter import narrowed, number_of
from answerable.services.lineage.trace_rows import coverage_of, item_of
from answerable.store import investigation_queries
from answerable.store.chain_queries import Filter, Interval
from answerable.store.investigation_queries import Part, Wanted
from answerable.store.store import Store

PAGE = 50
# Ways to divide words between chain and event.
_MOST_PARTS = 32
_BARS = 60
_FINE = 20
_SECOND = 1_000_000_000

Only = Collection[str] | None
Test = Callable[[Chain], bool]


@dataclass(frozen=True, slots=True)
class Scene:
    """Inventory, chains and visibility that a search runs over.

    Attributes:
        only: Agents and identities whose events are visible; None for all.
    """

    inventory: Inventory
    chains: Sequence[JointChains]
    only: Only = None


@dataclass(frozen=True, slots=True)
class _Named:
    """Names of a query, in the form of `naming.Named`."""

    person: str
    agent: str
    tool: str
    identity: str
    credential: str


@dataclass(frozen=True, slots=True)
class Bar:
    """Events in one span of time.

    Attributes:
        at: Start of the span, UTC nanoseconds.
        events: Number of events by outcome.
    """

    at: int
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Times:
    """Histogram of events over time.

    Attributes:
        bars: Spans with events, oldest first.
        width: Length of a span, nanoseconds.
        since: Start of the first span, UTC nanoseconds.
        until: End of the last span.
    """

    bars: Sequence[Bar]
    width: int
    since: int
    until: int
    total: int


def wanted(scene: Scene, query: Query, *, now: int) -> Wanted:
    """Build the event filter of a query.

    Raises:
        UsageError: A name is unknown or ambiguous, or the span is invalid.
    """
    since, until = (
        moment(query.get(field), now, f"{field}:") if query.get(field) else 0
        for field in ("since", "until")
    )
    if since and until and since >= until:
        raise UsageError(
            "the span is empty: since: is not before until:",
            "a span is asked for as since:7d until:1d",
        )
    number = next(filter(None, map(number_of, query.words)), None)
    query = replace(query, words=tuple(w for w in query.words if not number_of(w)))
    equal = [(f, query.get(f)) for f in ("source", "outcome", "run") if query.get(f)]
    asked = Filter(
        actions=[query.get("action")] if query.get("action") else [],
        since=since,
        until=until,
        event=number or b"",
    )
    return Wanted(narrowed(asked, query.get("resource")), _ways(scene, query), equal)


def investigate(
    store: Store,
    scene: Scene,
    asked: Wanted,
    *,
    now: int,
    after: str = "",
    limit: int = PAGE,
    person: str = "",
) -> tuple[Document, str]:
    """Return lineage rows, newest first, and the cursor of the next page.

    Args:
        store: Store of the events.
        scene: Search scope.
        asked: Event filter from `wanted`.
        now: UTC nanoseconds.
        after: Cursor of the previous page, empty for the newest rows.
        person: Queried person; coverage lists doubtful aliases.

    Raises:
        UsageError: The cursor is malformed; or nothing matches, and no event, AWS
            action or source has the queried name.
    """
    asked = replace(asked, before=_place(after) if after else None)
    found = investigation_queries.find(store, asked, limit + 1)
    if not found and not after and scene.only is None:
        # A visitor with a partial view must not learn about other calls.
        for glob in asked.filter.actions:
            check_trail_action(store, glob)
        check_trail_source(store, dict(asked.equal).get("source", ""))
    items = [item_of(row) for row in rows_of(found[:limit], scene)]
    more = _cursor(found[limit - 1]) if len(found) > limit else ""
    covered = coverage_of(scene.inventory, scene.chains, now)
    if person:
        said = _Named(person, "", "", "", "")
        doubted = name_resolution.doubted(scene.inventory, _named(scene).chains, said)
        covered["not_collected"] = [*covered["not_collected"], *doubted]
    return Document("trace", items, covered), more


def times(
    store: Store, asked: Wanted, known: Sequence[TraceItem] | None = None
) -> Times:
    """Count events over time, in at most sixty spans.

    Args:
        store: Store of the events.
        known: Rows if they are complete, otherwise None.
    """
    first, last = investigation_queries.first_and_last(store)
    since = asked.filter.since or first
    until = asked.filter.until or last + 1
    if known is not None:
        fine, counts = _counted_of(known)
    else:
        fine, counts = _counted(store, asked, since, until)
    if known is None and counts and len({count.at for count in counts}) < _BARS:
        # All events are in a small part of the time: count again in finer steps.
        since, until = counts[0].at, min(counts[-1].at + fine, until)
        if fine > _SECOND:
            inner = replace(asked.filter, since=since, until=until)
            narrow = replace(asked, filter=inner)
            fine, counts = _counted(store, narrow, since, until)
    if not counts:
        return Times((), _SECOND, since, until, 0)
    since, until = counts[0].at, counts[-1].at + fine
    width = -(-(until - since) // (_BARS * fine)) * fine
    bars: dict[int, dict[str, int]] = defaultdict(dict)
    for count in counts:
        bar = bars[since + (count.at - since) // width * width]
        bar[count.outcome] = bar.get(count.outcome, 0) + count.events
    return Times(
        [Bar(at, events) for at, events in sorted(bars.items())],
        width,
        since,
        since + -(-(until - since) // width) * width,
        sum(count.events for count in counts),
    )


def _counted_of(
    items: Sequence[TraceItem],
) -> tuple[int, Sequence[investigation_queries.Count]]:
    """Count the given rows by the second."""
    counts = Counter(
        (moment(item["event_time"], 0, "event_time"), item["outcome"]) for item in items
    )
    return _SECOND, [
        investigation_queries.Count(at, outcome, events)
        for (at, outcome), events in sorted(counts.items())
    ]


def _counted(
    store: Store, asked: Wanted, since: int, until: int
) -> tuple[int, Sequence[investigation_queries.Count]]:
    fine = max((until - since) // (_BARS * _FINE) // _SECOND, 1) * _SECOND
    return fine, investigation_queries.count_over_time(store, asked, fine)


def rows_of(events: Sequence[AuditEvent], scene: Scene) -> Iterator[LineageRow]:
    """Join events with their chains; stitch a chain for an event that has none yet."""
    joints = {name_resolution.joint_of(event) for event in events}
    stitched = Chains.of(scene.chains).by_joint
    known = {joint: stitched[joint] for joint in joints if joint in stitched}
    new = [joint for joint in joints if joint not in known]
    for each in stitch(new, ()) if new else ():
        known[each.joint] = each.chains
    for event in events:
        chain = chain_at(known[name_resolution.joint_of(event)], event.event_time)
        yield LineageRow(event, chain)


def may_tell(chain: Chain, only: Only) -> bool:
    """Return whether events of a chain are visible to a caller."""
    if only is None:
        return True
    return any(each in only for each in (*chain.agent_path, *chain.identity_path))


def _named(scene: Scene) -> Scene:
    """Drop invisible chains, so that no completion names them."""
    if scene.only is None:
        return scene
    told = (
        JointChains(
            each.joint, tuple(c for c in each.chains if may_tell(c, scene.only))
        )
        for each in scene.chains
    )
    return replace(scene, chains=Chains.of(each for each in told if each.chains))


def _ways(scene: Scene, query: Query) -> list[Part]:
    """Build the alternatives of a filter: by actor, or by touched resource."""
    scene = _named(scene)
    asked = _Named(*(query.get(f) for f in name_resolution.FIELDS))
    identity = asked.identity
    others = replace(asked, identity="")
    beside = _tests(scene, others, query)
    if not identity:
        return ways(_near(scene, others), beside, query.words)
    by_name = _tests(scene, asked, query)
    parts = ways(_near(scene, asked), by_name, query.words)
    if not name_resolution.is_pattern(identity):
        about = name_resolution.identity(scene.inventory, scene.chains, identity)
        touched = ways(_near(scene, others), beside, query.words)
        parts += [replace(part, about=about) for part in touched]
    return parts


def _near(scene: Scene, asked: _Named) -> Sequence[JointChains]:
    """Drop chains that do not hold a requested id."""
    chains = scene.chains
    if scene.only is not None or not isinstance(chains, Chains):
        return chains  # made for this query only: scanning them is cheaper
    found = name_resolution.ids(scene.inventory, chains, asked)
    return min(
        (chains.standing_in.get(each, ()) for each in found), key=len, default=chains
    )


def _tests(scene: Scene, asked: _Named, query: Query) -> list[Test]:
    tests = name_resolution.tests(scene.inventory, scene.chains, asked)
    if query.get("status"):
        tests.append(_status(query.get("status")))
    if scene.only is not None:
        tests.append(lambda chain: may_tell(chain, scene.only))
    return tests


def _status(text: str) -> Test:
    hop, _, status = text.rpartition("=")
    wanted_status = HopStatus(status)
    if hop:
        return lambda chain: statuses(chain)[hop] is wanted_status
    return lambda chain: wanted_status in statuses(chain).values()


def statuses(chain: Chain) -> Mapping[str, HopStatus]:
    """Return the status of each actor hop."""
    return {
        "person": chain.person.status,
        "agent": chain.agent.status,
        "tool": chain.tool.status,
        "identity": chain.identity.status,
    }


def ways(
    chains: Sequence[JointChains], tests: Sequence[Test], words: Sequence[str]
) -> list[Part]:
    """Split a filter by the words a chain holds: the event has to hold the others."""
    if not tests and not words:
        return [Part()]
    holds = [_holder(word) for word in words]
    if not tests:
        chains = _speaking(chains, words)
    keys: dict[frozenset[int], list[Interval]] = defaultdict(list)
    for each in chains:
        for chain in each.chains:
            if all(test(chain) for test in tests):
                held = frozenset(n for n, h in enumerate(holds) if h(chain))
                _join(keys[held], each.joint, chain)
    if not tests:
        keys.pop(frozenset(), None)
    if len(keys) > _MOST_PARTS:
        raise UsageError(
            f"the words fit chains in too many ways (got {len(keys)}, expected at most "
            f"{_MOST_PARTS})",
            "name the hop that each is for: action:*Delete* resource:*warehouse*",
        )
    parts = [Part(found, _left(words, held)) for held, found in keys.items()]
    return parts if tests else [Part(words=words), *parts]


def _speaking(
    chains: Sequence[JointChains], words: Sequence[str]
) -> Sequence[JointChains]:
    """Drop chains that hold none of some words."""
    if not isinstance(chains, Chains) or any(map(name_resolution.is_pattern, words)):
        return chains
    return chains.speaking(words)


def _join(keys: list[Interval], joint: Joint, chain: Chain) -> None:
    """Add an interval, or extend the previous one."""
    if keys and keys[-1][0] is joint and keys[-1][2] == chain.valid_from:
        keys[-1] = (joint, keys[-1][1], chain.valid_to)
    else:
        keys.append((joint, chain.valid_from, chain.valid_to))


def _left(words: Sequence[str], held: frozenset[int]) -> tuple[str, ...]:
    return tuple(word for n, word in enumerate(words) if n not in held)


def _holder(word: str) -> Test:
    folded = word.lower()
    if not name_resolution.is_pattern(word):
        return lambda chain: any(folded in value.lower() for value in texts_of(chain))
    spelled = "".join({"*": ".*", "?": "."}.get(c) or re2.escape(c) for c in word)
    pattern = re2.compile(f"(?is).*{spelled}.*")

    @cache
    def holds(value: str) -> bool:
        return pattern.fullmatch(value) is not None

    return lambda chain: any(holds(value) for value in texts_of(chain))


def _cursor(event: AuditEvent) -> str:
    return f"{event.event_time}-{event.event_id.hex()}"


def _place(after: str) -> tuple[int, bytes]:
    at, dash, key = after.partition("-")
    try:
        place = int(at), bytes.fromhex(key)
    except ValueError:
        place = 0, b""
    if not dash or len(place[1]) != 16 or not at.isdecimal() or len(at) > 19:
        raise UsageError(
            f"not a place in the answer (got {after[:80]!r})",
            "begin at the newest: leave `after` out",
        )
    return place
