"""The meet of two profiles: what both hold, for an agent that another one started.

A sub-agent never does what its parent may not. Whatever the meet allows, both allow;
where it cannot say both at once, it says less.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set

from msgspec.structs import replace

from answerable.baseline.bounds import minimal
from answerable.baseline.ladder import covers
from answerable.model.baseline import (
    Accepted,
    Bound,
    Edge,
    Entity,
    Level,
    Order,
    Pattern,
    Profile,
    Stance,
    Surroundings,
    Tables,
    Unexplained,
    Untrusted,
)
from answerable.model.behaviour import Envelope, OriginKind
from answerable.model.decision import Effect

_STRICT = (Effect.ALLOW, Effect.ASK, Effect.DENY, Effect.ERROR)
# What no place and no hour is: two sets with nothing in common hold nothing.
_NOWHERE = "\x00"
_NO_HOUR = -1_000


def intersect(parent: Profile, child: Profile) -> Profile:
    """Give the profile of the child, less what its parent does not hold."""
    known = {(each.tool, each.definition) for each in parent.capabilities}
    learned = child if child.runs else parent
    entities, edges = learned.entities, learned.edges
    capabilities = learned.capabilities
    if parent.runs and child.runs:
        entities = tuple(_entities(parent.entities, child.entities))
        edges = tuple(_edges(parent.edges, child.edges))
        capabilities = tuple(
            each for each in capabilities if (each.tool, each.definition) in known
        )
    else:
        # The cold one holds no constant and nobody's words to be an explanation.
        entities = tuple(each for each in entities if not each.sensitive)
        edges = tuple(each for each in edges if not each.sensitive or _is_given(each))
    return replace(
        child,
        runs=max(parent.runs, child.runs),
        until=min((each for each in (parent.until, child.until) if each), default=0),
        capabilities=capabilities,
        entities=entities,
        edges=edges,
        orders=_orders(parent, child),
        bounds=_bounds(parent, child),
        surroundings=_surroundings(parent.surroundings, child.surroundings),
        stance=_stance(parent.stance, child.stance),
        accepted=tuple(_accepted(parent.accepted, child.accepted)),
    )


def _is_given(edge: Edge) -> bool:
    return edge.kind is not OriginKind.NONE and edge.trusted


def _pattern(one: Pattern, other: Pattern) -> Pattern | None:
    """Give the narrower of two patterns of which one holds the other."""
    if Level.ORIGIN in (one.level, other.level):
        return one if one == other else None
    for narrow, wide in ((one, other), (other, one)):
        if narrow == wide or (narrow.kind is wide.kind and wide.level is Level.TYPE):
            return narrow
        if narrow.level is Level.EXACT and covers(wide, narrow.kind, narrow.text):
            return narrow
        is_below = narrow.level is wide.level and narrow.level is not Level.TEMPLATE
        if is_below and covers(wide, narrow.kind, narrow.text):
            return narrow
    return None


def _entities(these: Iterable[Entity], those: Iterable[Entity]) -> Iterator[Entity]:
    by_sink: dict[tuple[str, str], list[Entity]] = defaultdict(list)
    for each in these:
        by_sink[each.tool, each.path].append(each)
    for entity in those:
        for other in by_sink[entity.tool, entity.path]:
            pattern = _pattern(entity.pattern, other.pattern)
            if pattern is not None:
                yield replace(
                    entity,
                    pattern=pattern,
                    sensitive=entity.sensitive and other.sensitive,
                    firm=entity.firm and other.firm,
                )


def _edges(these: Iterable[Edge], those: Iterable[Edge]) -> Iterator[Edge]:
    by_way: dict[tuple[str, ...], list[Edge]] = defaultdict(list)
    for each in these:
        by_way[_way(each)].append(each)
    for edge in those:
        for other in by_way[_way(edge)]:
            selector = _selector(edge, other)
            if selector is not None:
                yield replace(
                    edge,
                    selector=selector,
                    whole=edge.whole or other.whole,
                    trusted=edge.trusted or other.trusted,
                    sensitive=edge.sensitive and other.sensitive,
                    firm=edge.firm and other.firm,
                )


def _way(edge: Edge) -> tuple[str, ...]:
    own = str(edge.sensitive) if edge.kind is OriginKind.NONE else ""
    names = (name for name, _ in edge.selector)
    return (edge.tool, edge.path, edge.kind, edge.source, edge.field, own, *names)


def _selector(one: Edge, other: Edge) -> tuple[tuple[str, Pattern], ...] | None:
    found = []
    for (name, a), (_, b) in zip(one.selector, other.selector, strict=True):
        pattern = _pattern(a, b)
        if pattern is None:
            return None
        found.append((name, pattern))
    return tuple(found)


def _orders(parent: Profile, child: Profile) -> tuple[Order, ...]:
    sets: dict[str, list[frozenset[str]]] = {}
    for order in (*parent.orders, *child.orders):
        here = [frozenset(reads) for reads in order.reads]
        known = sets.get(order.tool, [frozenset()])
        sets[order.tool] = minimal(a | b for a in known for b in here)
    return tuple(
        Order(tool, tuple(sorted(tuple(sorted(reads)) for reads in each)))
        for tool, each in sorted(sets.items())
    )


def _bounds(parent: Profile, child: Profile) -> tuple[Bound, ...]:
    found: dict[tuple[str, str, str], Bound] = {}
    for bound in (*child.bounds, *parent.bounds):
        known = found.setdefault((bound.tool, bound.measure, bound.path), bound)
        if bound.most < known.most:
            found[bound.tool, bound.measure, bound.path] = bound
    return tuple(found[key] for key in sorted(found))


def _surroundings(one: Surroundings, other: Surroundings) -> Surroundings:
    places = [
        _places(
            {getattr(e, name) for e in one.seen}, {getattr(e, name) for e in other.seen}
        )
        for name in ("network", "workload", "region")
    ]
    size = max(len(each) for each in places)
    rows = [[each[min(n, len(each) - 1)] for each in places] for n in range(size)]
    seen = tuple(Envelope(*row) for row in rows if any(row))
    hours = _common(dict(one.hours), dict(other.hours))
    top = min((max(dict(e.rates)) for e in (one, other) if e.rates), default=-1)
    rates = tuple(each for e in (one, other) for each in e.rates if each[0] == top)
    return Surroundings(seen, hours, rates[:1])


def _places(one: Set[str], other: Set[str]) -> list[str]:
    """Give the places of both; a set that holds an unknown place limits nothing."""
    limits = [each for each in (one, other) if each and "" not in each]
    if not limits:
        return [""]
    return sorted(frozenset(limits[0]).intersection(*limits[1:])) or [_NOWHERE]


def _common(one: dict[int, int], other: dict[int, int]) -> tuple[tuple[int, int], ...]:
    if not one or not other:
        return tuple(sorted((one or other).items()))
    both = sorted((hour, min(one[hour], other[hour])) for hour in one.keys() & other)
    return tuple(both) or ((_NO_HOUR, 0),)


def _stance(one: Stance, other: Stance) -> Stance:
    """Give a stance as strict as both; where they differ in kind, the strict one."""
    same = one.unexplained is other.unexplained
    signed = Untrusted.SIGNED in (one.untrusted, other.untrusted)
    required = Tables.REQUIRE in (one.tables, other.tables)
    return Stance(
        unexplained=one.unexplained if same else Unexplained.DENY,
        untrusted=Untrusted.SIGNED if signed else Untrusted.LEARNED,
        tables=Tables.REQUIRE if required else Tables.EXPLAIN,
        provisional=max(one.provisional, other.provisional, key=_STRICT.index),
        new=max(one.new, other.new, key=_STRICT.index),
    )


def _accepted(
    these: Iterable[Accepted], those: Iterable[Accepted]
) -> Iterator[Accepted]:
    sources: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for each in these:
        sources[each.tool, each.path, each.value].add(each.source)
    for each in those:
        for source in sources[each.tool, each.path, each.value]:
            if source in ("", each.source):
                yield each
            elif not each.source:
                yield replace(each, source=source)
