"""Build profile layers L2 (entities) and L3 (flows) from counts, as patterns."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from answerable.baseline.entity_pattern_generalisation import (
    build_exact_pattern,
    generalise_to_patterns,
)
from answerable.baseline.training_counts import (
    EdgeKey,
    KeyCount,
    LayerCounts,
    merge_counts,
)
from answerable.model.baseline import (
    EntityEntry,
    EntityPattern,
    FlowEntry,
    GeneralisationLevel,
    LearningParameters,
)
from answerable.model.behaviour import EntityKind, OriginKind

Days = dict[str, frozenset[int]]
EdgeSelector = tuple[tuple[str, EntityPattern], ...]
_MAX_WORDS = 64  # from which on an argument takes no words of a set
_ANY_NAME = EntityPattern(EntityKind.NAME, GeneralisationLevel.TYPE, "")


class FirmnessThreshold:
    """Threshold of runs, days and persons from which a rule is firm, not provisional.

    If all runs together span fewer days or persons, those suffice.
    """

    def __init__(self, parameters: LearningParameters, days: int, persons: int) -> None:
        self._runs = parameters.min_runs
        self._days = min(parameters.min_days, days)
        self._persons = min(parameters.min_persons, persons)

    def is_met(self, seen: KeyCount) -> bool:
        """Return whether a rule was seen often enough to be firm, not provisional."""
        return (
            seen.runs >= self._runs
            and len(seen.days) >= self._days
            and len(seen.persons) >= self._persons
        )


def generalise_entities(
    layer_counts: LayerCounts,
    parameters: LearningParameters,
    firmness: FirmnessThreshold,
) -> tuple[EntityEntry, ...]:
    """Build layer L2: entity patterns; sensitive entities stay exact.

    Plain names are kept if an argument takes few of them and the agent never chose
    freely.
    """
    groups: dict[tuple[str, str, EntityKind, bool], dict[str, KeyCount]]
    groups = defaultdict(dict)
    for key, seen in layer_counts.entities.items():
        groups[key.tool, key.path, key.kind, key.sensitive][key.text] = seen
    free = {(e.tool, e.path) for e in layer_counts.edges if e.kind is OriginKind.NONE}
    found = []
    for (tool, path, kind, sensitive), by_text in groups.items():
        is_named = kind is EntityKind.NAME and not sensitive
        if is_named and ((tool, path) in free or len(by_text) > _MAX_WORDS):
            continue
        patterns = _choose_entity_patterns(
            by_text, kind, parameters, generalises=not sensitive
        )
        members: dict[EntityPattern, list[KeyCount]] = defaultdict(list)
        for text, pattern in patterns.items():
            members[pattern].append(by_text[text])
        for pattern, parts in members.items():
            seen = merge_counts(parts)
            found.append(
                EntityEntry(
                    tool,
                    path,
                    pattern,
                    sensitive,
                    firmness.is_met(seen),
                    seen.to_profile_counts(),
                )
            )
    return tuple(sorted(found, key=_entity_sort_key))


def _entity_sort_key(entity: EntityEntry) -> tuple[str, ...]:
    """Return the key that sorts learned argument values in a profile."""
    pattern = entity.pattern
    sensitive = str(entity.sensitive)
    return (
        entity.tool, entity.path, pattern.kind, pattern.level, pattern.text, sensitive
    )  # fmt: skip


def _choose_entity_patterns(
    counts_by_text: Mapping[str, KeyCount],
    kind: EntityKind,
    parameters: LearningParameters,
    generalises: bool,
) -> dict[str, EntityPattern]:
    """Return the pattern of each entity; the exact one if not generalised."""
    if not generalises:
        return {text: build_exact_pattern(kind, text) for text in counts_by_text}
    days = {text: seen.days for text, seen in counts_by_text.items()}
    return generalise_to_patterns(days, kind, parameters)


def generalise_flow_edges(
    layer_counts: LayerCounts,
    parameters: LearningParameters,
    firmness: FirmnessThreshold,
) -> tuple[FlowEntry, ...]:
    """Build layer L3: data flows from results to arguments, as patterns."""
    groups: dict[tuple[object, ...], dict[EdgeKey, KeyCount]] = defaultdict(dict)
    for key, seen in layer_counts.edges.items():
        names = tuple(name for name, _ in key.selector)
        groups[(*key[:4], *key[5:], names)][key] = seen
    found: list[FlowEntry] = []
    for group in groups.values():
        found += _merge_edges_by_pattern(group, parameters, firmness)
    return tuple(sorted(found, key=flow_edge_sort_key))


def flow_edge_sort_key(edge: FlowEntry) -> tuple[str, ...]:
    """Return the key that sorts learned value flows in a profile document."""
    selector = [f"{name} {p.kind} {p.level} {p.text}" for name, p in edge.selector]
    flags = f"{edge.whole}{edge.trusted}{edge.sensitive}"
    return (
        edge.tool, edge.path, edge.kind, edge.source, edge.field, flags, *selector
    )  # fmt: skip


def _merge_edges_by_pattern(
    edge_counts: Mapping[EdgeKey, KeyCount],
    parameters: LearningParameters,
    firmness: FirmnessThreshold,
) -> Iterable[FlowEntry]:
    """Yield one flow entry for each pattern of edges with equal endpoints."""
    trusted = next(iter(edge_counts)).trusted
    patterns = _choose_selector_patterns(edge_counts, parameters, trusted)
    members: dict[EdgeSelector, list[KeyCount]] = defaultdict(list)
    for key, seen in edge_counts.items():
        selector = tuple((name, patterns[name, token]) for name, token in key.selector)
        members[selector].append(seen)
    key = next(iter(edge_counts))
    for selector, parts in members.items():
        seen = merge_counts(parts)
        yield FlowEntry(
            tool=key.tool, path=key.path, kind=key.kind, source=key.source, selector=selector, field=key.field, whole=key.whole,
            trusted=key.trusted, sensitive=key.sensitive, firm=firmness.is_met(seen), tally=seen.to_profile_counts(),
        )  # fmt: skip


def _choose_selector_patterns(
    edge_counts: Mapping[EdgeKey, KeyCount],
    parameters: LearningParameters,
    trusted: bool,
) -> dict[tuple[str, str], EntityPattern]:
    """Return the pattern of each argument that a source call had.

    For a trusted field, tokens with the same origin are equal. For an untrusted field
    the value matters: the file name tells bills from mail. Values without a common
    pattern are replaced by their origin.
    """
    told: dict[tuple[str, EntityKind, str], list[str]] = defaultdict(list)
    values: dict[tuple[str, EntityKind], Days] = defaultdict(dict)
    found: dict[tuple[str, str], EntityPattern] = {}
    for key, seen in edge_counts.items():
        for name, token in key.selector:
            origin, kind, text = parse_selector_token(token)
            if origin and trusted:
                found[name, token] = _build_origin_pattern(origin)
                continue
            days = values[name, kind]
            days[text] = days.get(text, frozenset()) | seen.days
            told[name, kind, text].append(token)
    for (name, kind), days in values.items():
        for text, pattern in _generalise_values(
            days, kind, parameters, trusted
        ).items():
            for token in told[name, kind, text]:
                found[name, token] = pattern
    return found if trusted else _replace_values_by_origin(found, values, parameters)


def _build_origin_pattern(origin: str) -> EntityPattern:
    """Return the pattern that allows any value from one origin, such as a tool."""
    return EntityPattern(EntityKind.NAME, GeneralisationLevel.ORIGIN, origin)


def _replace_values_by_origin(
    patterns_by_token: dict[tuple[str, str], EntityPattern],
    values: Mapping[tuple[str, EntityKind], Days],
    parameters: LearningParameters,
) -> dict[tuple[str, str], EntityPattern]:
    """Replace values without a common pattern by their origin."""
    patterns: dict[tuple[str, str], set[EntityPattern]] = defaultdict(set)
    days: dict[tuple[str, str], frozenset[int]] = defaultdict(frozenset)
    for (name, token), pattern in patterns_by_token.items():
        origin, kind, text = parse_selector_token(token)
        patterns[name, origin].add(pattern)
        days[name, origin] |= values[name, kind][text]
    freed = {
        key
        for key, distinct in patterns.items()
        if key[1]
        and len(distinct) >= parameters.children
        and len(days[key]) >= parameters.climb_days
    }
    return {
        (name, token): _build_origin_pattern(parse_selector_token(token)[0])
        if (name, parse_selector_token(token)[0]) in freed
        else pattern
        for (name, token), pattern in patterns_by_token.items()
    }


def _generalise_values(
    days: Days, kind: EntityKind, parameters: LearningParameters, trusted: bool
) -> dict[str, EntityPattern]:
    """Return a pattern per value; any name, if many names were seen."""
    patterns = generalise_to_patterns(days, kind, parameters)
    if kind is not EntityKind.NAME or not trusted:
        return patterns
    # No stranger writes the field, so by which name it was asked for matters less.
    everyday = frozenset().union(*days.values())
    distinct = set(patterns.values())
    if len(distinct) < parameters.children or len(everyday) < parameters.climb_days:
        return patterns
    return dict.fromkeys(patterns, _ANY_NAME)


def parse_selector_token(token: str) -> tuple[str, EntityKind, str]:
    """Parse a selector token `ORIGIN=KIND:TEXT` into its three parts."""
    origin, _, said = token.partition("=")
    kind, _, text = said.partition(":")
    return origin, EntityKind(kind), text
