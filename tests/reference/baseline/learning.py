"""Reference implementation of baseline learning: each count by its definition."""

from collections.abc import Callable, Mapping, Sequence

from answerable.baseline.entity_pattern_generalisation import (
    build_digit_pattern,
    build_exact_pattern,
    build_name_prefix_pattern,
    get_more_general_pattern,
)
from answerable.baseline.training_counts import (
    CapabilityKey,
    EdgeKey,
    EntityKey,
    KeyCount,
    LayerCounts,
    belongs_to_server,
    is_learned_as_entity,
    list_flow_edges,
    list_untrusted_source_edges,
)
from answerable.model.baseline import (
    BaselineSubject,
    BoundMeasure,
    EntityPattern,
    LearningParameters,
)
from answerable.model.behaviour import AgentRun, CallObservation, EntityKind
from answerable.model.time_units import DAY_NS

Key = CapabilityKey | EntityKey | EdgeKey


def list_call_keys(call: CallObservation) -> list[Key]:
    """Give what one call shows, each as often as it does."""
    shown: list[Key] = [CapabilityKey(call.tool, call.definition, call.is_write)]
    for value in call.values:
        if is_learned_as_entity(call, value):
            shown.append(
                EntityKey(
                    call.tool, value.path, value.kind, value.text, value.sensitive
                )
            )
        shown += list_flow_edges(call, value)
    shown += list_untrusted_source_edges(call)
    return shown


def count_key(runs: Sequence[AgentRun], key: Key) -> KeyCount:
    """Count one key."""
    times = [
        (run, call)
        for run in runs
        for call in run.calls
        for each in list_call_keys(call)
        if each == key and type(each) is type(key)
    ]
    return KeyCount(
        count=len(times),
        runs=len({run.id for run, _ in times}),
        days=frozenset(call.at // DAY_NS for _, call in times),
        persons=frozenset(run.person for run, _ in times if run.person),
        first=min(call.at for _, call in times),
        last=max((call.at, call.id) for _, call in times),
    )


def count_runs(runs: Sequence[AgentRun], subject: BaselineSubject) -> LayerCounts:
    """Count what runs did with the tools of one server."""
    shown = {
        key
        for run in runs
        for call in run.calls
        if belongs_to_server(subject, call.tool)
        for key in list_call_keys(call)
    }
    return LayerCounts(
        {key: count_key(runs, key) for key in shown if isinstance(key, CapabilityKey)},
        {key: count_key(runs, key) for key in shown if isinstance(key, EntityKey)},
        {key: count_key(runs, key) for key in shown if isinstance(key, EdgeKey)},
    )


Days = Mapping[str, frozenset[int]]
Shape = Callable[[EntityPattern], EntityPattern | None]


def generalise(
    text: str, seen: Days, kind: EntityKind, terms: LearningParameters
) -> EntityPattern:
    """Give the pattern that stands for an entity, climbing while it may."""
    here = build_exact_pattern(kind, text)
    above = get_more_general_pattern(here)
    while above is not None and _climbs(above, seen, kind, terms):
        here, above = above, get_more_general_pattern(above)
    for shape in (build_digit_pattern, build_name_prefix_pattern):
        shaped = shape(here)
        if shaped is not None and _alike(shaped, shape, seen, kind, terms):
            return shaped
    return here


def _alike(
    shaped: EntityPattern,
    shape: Shape,
    seen: Days,
    kind: EntityKind,
    terms: LearningParameters,
) -> bool:
    alike = [
        other
        for other in seen
        if shape(build_exact_pattern(kind, other)) == shaped
        and not _is_held(other, seen, kind, terms)
        and not (
            shape is build_name_prefix_pattern
            and _has_template(other, seen, kind, terms)
        )
    ]
    days = {day for other in alike for day in seen[other]}
    return len(alike) >= terms.children and len(days) >= terms.climb_days


def _has_template(
    text: str, seen: Days, kind: EntityKind, terms: LearningParameters
) -> bool:
    shaped = build_digit_pattern(build_exact_pattern(kind, text))
    return shaped is not None and _alike(shaped, build_digit_pattern, seen, kind, terms)


def _is_held(
    text: str, seen: Days, kind: EntityKind, terms: LearningParameters
) -> bool:
    above = get_more_general_pattern(build_exact_pattern(kind, text))
    return above is not None and _climbs(above, seen, kind, terms)


def _ancestors(kind: EntityKind, text: str) -> list[EntityPattern]:
    found = []
    node = get_more_general_pattern(build_exact_pattern(kind, text))
    while node is not None:
        found.append(node)
        node = get_more_general_pattern(node)
    return found


def _climbs(
    above: EntityPattern, seen: Days, kind: EntityKind, terms: LearningParameters
) -> bool:
    children: set[EntityPattern] = set()
    days: set[int] = set()
    for text in seen:
        node: EntityPattern | None = build_exact_pattern(kind, text)
        if above not in _ancestors(kind, text):
            continue
        while node is not None and get_more_general_pattern(node) != above:
            upper = get_more_general_pattern(node)
            climbs = upper is not None and _climbs(upper, seen, kind, terms)
            node = upper if climbs else None
        if node is not None:
            children.add(node)
            days |= seen[text]
    return len(children) >= terms.children and len(days) >= terms.climb_days


def measure_total(
    runs: Sequence[AgentRun],
    run: AgentRun,
    terms: LearningParameters,
    tool: str,
    measure: BoundMeasure,
    path: str,
) -> int:
    """Measure what a run did with a tool, with those begun shortly before it."""
    counted = [
        each for each in runs if run.started - terms.span <= each.started <= run.started
    ]
    calls = [c for each in counted for c in each.calls if c.tool == tool]
    if measure is BoundMeasure.COUNT:
        return sum(call.is_write for call in calls)
    if measure is BoundMeasure.SUM:
        return sum(n for c in calls if c.is_write for p, n in c.numbers if p == path)
    reads = [call for call in calls if not call.is_write]
    if measure is BoundMeasure.RECORDS:
        return sum(call.records for call in reads)
    return sum(call.size for call in reads)
