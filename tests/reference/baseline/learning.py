"""Reference implementation of baseline learning: each count by its definition."""

from collections.abc import Callable, Mapping, Sequence

from answerable.baseline.counts import (
    DAY,
    CapabilityKey,
    EdgeKey,
    EntityKey,
    Seen,
    Tallies,
    context_keys,
    edge_keys,
    is_entity,
    is_of,
)
from answerable.baseline.generalisation import beginning, exact, parent, template
from answerable.model.baseline import Measure, Pattern, Subject, Terms
from answerable.model.behaviour import EntityKind, Observation, Run

Key = CapabilityKey | EntityKey | EdgeKey


def keys(call: Observation) -> list[Key]:
    """Give what one call shows, each as often as it does."""
    shown: list[Key] = [CapabilityKey(call.tool, call.definition, call.is_write)]
    for value in call.values:
        if is_entity(call, value):
            shown.append(
                EntityKey(
                    call.tool, value.path, value.kind, value.text, value.sensitive
                )
            )
        shown += edge_keys(call, value)
    shown += context_keys(call)
    return shown


def seen(runs: Sequence[Run], key: Key) -> Seen:
    """Count one key."""
    times = [
        (run, call)
        for run in runs
        for call in run.calls
        for each in keys(call)
        if each == key and type(each) is type(key)
    ]
    return Seen(
        count=len(times),
        runs=len({run.id for run, _ in times}),
        days=frozenset(call.at // DAY for _, call in times),
        persons=frozenset(run.person for run, _ in times if run.person),
        first=min(call.at for _, call in times),
        last=max((call.at, call.id) for _, call in times),
    )


def count(runs: Sequence[Run], subject: Subject) -> Tallies:
    """Count what runs did with the tools of one server."""
    shown = {
        key
        for run in runs
        for call in run.calls
        if is_of(subject, call.tool)
        for key in keys(call)
    }
    return Tallies(
        {key: seen(runs, key) for key in shown if isinstance(key, CapabilityKey)},
        {key: seen(runs, key) for key in shown if isinstance(key, EntityKey)},
        {key: seen(runs, key) for key in shown if isinstance(key, EdgeKey)},
    )


Days = Mapping[str, frozenset[int]]
Shape = Callable[[Pattern], Pattern | None]


def stands_for(text: str, seen: Days, kind: EntityKind, terms: Terms) -> Pattern:
    """Give the pattern that stands for an entity, climbing while it may."""
    here = exact(kind, text)
    above = parent(here)
    while above is not None and _climbs(above, seen, kind, terms):
        here, above = above, parent(above)
    for shape in (template, beginning):
        shaped = shape(here)
        if shaped is not None and _alike(shaped, shape, seen, kind, terms):
            return shaped
    return here


def _alike(
    shaped: Pattern, shape: Shape, seen: Days, kind: EntityKind, terms: Terms
) -> bool:
    alike = [
        other
        for other in seen
        if shape(exact(kind, other)) == shaped
        and not _is_held(other, seen, kind, terms)
        and not (shape is beginning and _has_template(other, seen, kind, terms))
    ]
    days = {day for other in alike for day in seen[other]}
    return len(alike) >= terms.children and len(days) >= terms.climb_days


def _has_template(text: str, seen: Days, kind: EntityKind, terms: Terms) -> bool:
    shaped = template(exact(kind, text))
    return shaped is not None and _alike(shaped, template, seen, kind, terms)


def _is_held(text: str, seen: Days, kind: EntityKind, terms: Terms) -> bool:
    above = parent(exact(kind, text))
    return above is not None and _climbs(above, seen, kind, terms)


def _ancestors(kind: EntityKind, text: str) -> list[Pattern]:
    found = []
    node = parent(exact(kind, text))
    while node is not None:
        found.append(node)
        node = parent(node)
    return found


def _climbs(above: Pattern, seen: Days, kind: EntityKind, terms: Terms) -> bool:
    children: set[Pattern] = set()
    days: set[int] = set()
    for text in seen:
        node: Pattern | None = exact(kind, text)
        if above not in _ancestors(kind, text):
            continue
        while node is not None and parent(node) != above:
            upper = parent(node)
            climbs = upper is not None and _climbs(upper, seen, kind, terms)
            node = upper if climbs else None
        if node is not None:
            children.add(node)
            days |= seen[text]
    return len(children) >= terms.children and len(days) >= terms.climb_days


def total(
    runs: Sequence[Run], run: Run, terms: Terms, tool: str, measure: Measure, path: str
) -> int:
    """Measure what a run did with a tool, with those begun shortly before it."""
    counted = [
        each for each in runs if run.started - terms.span <= each.started <= run.started
    ]
    calls = [c for each in counted for c in each.calls if c.tool == tool]
    if measure is Measure.COUNT:
        return sum(call.is_write for call in calls)
    if measure is Measure.SUM:
        return sum(n for c in calls if c.is_write for p, n in c.numbers if p == path)
    reads = [call for call in calls if not call.is_write]
    if measure is Measure.RECORDS:
        return sum(call.records for call in reads)
    return sum(call.size for call in reads)
