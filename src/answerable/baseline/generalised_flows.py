"""Layers L2 and L3 from counts: entities and flow edges, generalised."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from answerable.baseline.counts import EdgeKey, Seen, Tallies, together
from answerable.baseline.generalisation import climbed, exact
from answerable.model.baseline import Edge, Entity, Level, Pattern, Terms
from answerable.model.behaviour import EntityKind, OriginKind

Days = dict[str, frozenset[int]]
Selector = tuple[tuple[str, Pattern], ...]
_WORDS = 64  # from which on an argument takes no words of a set
_ANY_NAME = Pattern(EntityKind.NAME, Level.TYPE, "")


class Firmness:
    """Threshold of runs, days and persons from which a rule is firm, not provisional.

    If all runs together span fewer days or persons, those suffice.
    """

    def __init__(self, terms: Terms, days: int, persons: int) -> None:
        self._runs = terms.min_runs
        self._days = min(terms.min_days, days)
        self._persons = min(terms.min_persons, persons)

    def holds(self, seen: Seen) -> bool:
        """Tell whether counts reach the threshold."""
        return (
            seen.runs >= self._runs
            and len(seen.days) >= self._days
            and len(seen.persons) >= self._persons
        )


def entities(tallies: Tallies, terms: Terms, firmness: Firmness) -> tuple[Entity, ...]:
    """Generalise L2; sensitive entities stay exact.

    Plain names are kept if an argument takes few of them and the agent never chose
    freely.
    """
    groups: dict[tuple[str, str, EntityKind, bool], dict[str, Seen]]
    groups = defaultdict(dict)
    for key, seen in tallies.entities.items():
        groups[key.tool, key.path, key.kind, key.sensitive][key.text] = seen
    free = {(e.tool, e.path) for e in tallies.edges if e.kind is OriginKind.NONE}
    found = []
    for (tool, path, kind, sensitive), by_text in groups.items():
        is_named = kind is EntityKind.NAME and not sensitive
        if is_named and ((tool, path) in free or len(by_text) > _WORDS):
            continue
        patterns = _patterns(by_text, kind, terms, climbs=not sensitive)
        members: dict[Pattern, list[Seen]] = defaultdict(list)
        for text, pattern in patterns.items():
            members[pattern].append(by_text[text])
        for pattern, parts in members.items():
            seen = together(parts)
            found.append(
                Entity(
                    tool, path, pattern, sensitive, firmness.holds(seen), seen.tally()
                )
            )
    return tuple(sorted(found, key=_entity_order))


def _entity_order(entity: Entity) -> tuple[str, ...]:
    pattern = entity.pattern
    sensitive = str(entity.sensitive)
    return (
        entity.tool, entity.path, pattern.kind, pattern.level, pattern.text, sensitive
    )  # fmt: skip


def _patterns(
    by_text: Mapping[str, Seen], kind: EntityKind, terms: Terms, climbs: bool
) -> dict[str, Pattern]:
    if not climbs:
        return {text: exact(kind, text) for text in by_text}
    days = {text: seen.days for text, seen in by_text.items()}
    return climbed(days, kind, terms)


def edges(tallies: Tallies, terms: Terms, firmness: Firmness) -> tuple[Edge, ...]:
    """Generalise the selectors of L3 and merge edges that become equal."""
    groups: dict[tuple[object, ...], dict[EdgeKey, Seen]] = defaultdict(dict)
    for key, seen in tallies.edges.items():
        names = tuple(name for name, _ in key.selector)
        groups[(*key[:4], *key[5:], names)][key] = seen
    found: list[Edge] = []
    for group in groups.values():
        found += _of_group(group, terms, firmness)
    return tuple(sorted(found, key=edge_order))


def edge_order(edge: Edge) -> tuple[str, ...]:
    """Return the sort key of an edge in a document."""
    selector = [f"{name} {p.kind} {p.level} {p.text}" for name, p in edge.selector]
    flags = f"{edge.whole}{edge.trusted}{edge.sensitive}"
    return (
        edge.tool, edge.path, edge.kind, edge.source, edge.field, flags, *selector
    )  # fmt: skip


def _of_group(
    group: Mapping[EdgeKey, Seen], terms: Terms, firmness: Firmness
) -> Iterable[Edge]:
    trusted = next(iter(group)).trusted
    patterns = _selectors(group, terms, trusted)
    members: dict[Selector, list[Seen]] = defaultdict(list)
    for key, seen in group.items():
        selector = tuple((name, patterns[name, token]) for name, token in key.selector)
        members[selector].append(seen)
    key = next(iter(group))
    for selector, parts in members.items():
        seen = together(parts)
        yield Edge(
            key.tool, key.path, key.kind, key.source, selector, key.field, key.whole,
            key.trusted, key.sensitive, firmness.holds(seen), seen.tally(),
        )  # fmt: skip


def _selectors(
    group: Mapping[EdgeKey, Seen], terms: Terms, trusted: bool
) -> dict[tuple[str, str], Pattern]:
    """Return the pattern of each token of each argument.

    For a trusted field, tokens with the same origin are equal. For an untrusted field
    the value matters: the file name tells bills from mail. Values without a common
    pattern are replaced by their origin.
    """
    told: dict[tuple[str, EntityKind, str], list[str]] = defaultdict(list)
    values: dict[tuple[str, EntityKind], Days] = defaultdict(dict)
    found: dict[tuple[str, str], Pattern] = {}
    for key, seen in group.items():
        for name, token in key.selector:
            origin, kind, text = parsed(token)
            if origin and trusted:
                found[name, token] = _explained(origin)
                continue
            days = values[name, kind]
            days[text] = days.get(text, frozenset()) | seen.days
            told[name, kind, text].append(token)
    for (name, kind), days in values.items():
        for text, pattern in _climbed(days, kind, terms, trusted).items():
            for token in told[name, kind, text]:
                found[name, token] = pattern
    return found if trusted else _freed(found, values, terms)


def _explained(origin: str) -> Pattern:
    return Pattern(EntityKind.NAME, Level.ORIGIN, origin)


def _freed(
    found: dict[tuple[str, str], Pattern],
    values: Mapping[tuple[str, EntityKind], Days],
    terms: Terms,
) -> dict[tuple[str, str], Pattern]:
    """Replace values without a common pattern by their origin."""
    patterns: dict[tuple[str, str], set[Pattern]] = defaultdict(set)
    days: dict[tuple[str, str], frozenset[int]] = defaultdict(frozenset)
    for (name, token), pattern in found.items():
        origin, kind, text = parsed(token)
        patterns[name, origin].add(pattern)
        days[name, origin] |= values[name, kind][text]
    freed = {
        key
        for key, distinct in patterns.items()
        if key[1]
        and len(distinct) >= terms.children
        and len(days[key]) >= terms.climb_days
    }
    return {
        (name, token): _explained(parsed(token)[0])
        if (name, parsed(token)[0]) in freed
        else pattern
        for (name, token), pattern in found.items()
    }


def _climbed(
    days: Days, kind: EntityKind, terms: Terms, trusted: bool
) -> dict[str, Pattern]:
    patterns = climbed(days, kind, terms)
    if kind is not EntityKind.NAME or not trusted:
        return patterns
    # No stranger writes the field, so by which name it was asked for matters less.
    everyday = frozenset().union(*days.values())
    distinct = set(patterns.values())
    if len(distinct) < terms.children or len(everyday) < terms.climb_days:
        return patterns
    return dict.fromkeys(patterns, _ANY_NAME)


def parsed(token: str) -> tuple[str, EntityKind, str]:
    """Parse a selector token into origin, kind and text."""
    origin, _, said = token.partition("=")
    kind, _, text = said.partition(":")
    return origin, EntityKind(kind), text
