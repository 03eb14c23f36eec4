"""Difference of two profiles, by consequence.

Everything that the new profile allows and the old one did not has a line that is no
removal.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from answerable.baseline.findings import edge_text, pattern
from answerable.baseline.generalisation import covers
from answerable.baseline.judgement import MATURE
from answerable.baseline.tool_renames import rename_tools
from answerable.model.baseline import (
    Edge,
    Entity,
    Level,
    Profile,
    Tally,
)
from answerable.model.behaviour import OriginKind


class Consequence(StrEnum):
    """Consequence of a changed line, the gravest first."""

    UNTRUSTED_FLOW = "new-flow-from-untrusted-text"
    REACH = "new-reach"
    FLOW = "new-flow"
    WIDER = "wider"
    REMOVED = "removed"


_ORDER = tuple(Consequence)
NEVER = Tally()


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a profile diff.

    Attributes:
        tool: `SERVER/TOOL`, empty for the whole profile.
        path: Argument path, empty for none.
        text: The new, wider or removed rule.
    """

    consequence: Consequence
    tool: str
    path: str
    text: str
    tally: Tally = NEVER


def compare(old: Profile, new: Profile) -> list[Change]:
    """List the changes between two profiles, the gravest first.

    A renamed tool has one line; its other rules are compared under the new name.
    """
    known = set(old.renames)
    pairs = tuple(each for each in new.renames if each not in known)
    if pairs:
        definitions = {each.tool: each.definition for each in new.capabilities}
        old = rename_tools(
            old, pairs, {name: definitions.get(name, "") for _, name in pairs}
        )
    changes = [
        *_renamed(new, pairs),
        *_capabilities(old, new),
        *_entities(old, new),
        *_edges(old, new),
        *_accepted(old, new),
        *_orders(old, new),
        *_bounds(old, new),
        *_surroundings(old, new),
        *_whole(old, new),
    ]
    return sorted(
        changes,
        key=lambda each: (
            _ORDER.index(each.consequence), each.tool, each.path, each.text
        ),
    )  # fmt: skip


def _renamed(new: Profile, pairs: Iterable[tuple[str, str]]) -> Iterator[Change]:
    tallies = {each.tool: each.tally for each in new.capabilities}
    for before, after in pairs:
        text = f"the tool, with what {before} was held to"
        yield Change(Consequence.REACH, after, "", text, tallies.get(after, NEVER))


def _capabilities(old: Profile, new: Profile) -> Iterator[Change]:
    before = {(each.tool, each.definition): each for each in old.capabilities}
    after = {(each.tool, each.definition): each for each in new.capabilities}
    for key in after.keys() - before.keys():
        text = f"definition {key[1][:12]}" if key[1] else "the tool"
        yield Change(Consequence.REACH, key[0], "", text, after[key].tally)
    for key in before.keys() - after.keys():
        yield Change(Consequence.REMOVED, key[0], "", "the tool", before[key].tally)


def _entities(old: Profile, new: Profile) -> Iterator[Change]:
    def key(each: Entity) -> tuple[object, ...]:
        return (each.tool, each.path, each.pattern, each.sensitive, each.firm)

    before = {key(each): each for each in old.entities}
    after = {key(each): each for each in new.entities}
    narrow = [e for e in old.entities if e.pattern.level is Level.EXACT]
    for this in after.keys() - before.keys():
        entity = after[this]
        is_wider = any(
            each.tool == entity.tool
            and each.path == entity.path
            and covers(entity.pattern, each.pattern.kind, each.pattern.text)
            for each in narrow
        )
        consequence = Consequence.WIDER if is_wider else Consequence.REACH
        yield _of_entity(consequence, entity)
    for this in before.keys() - after.keys():
        yield _of_entity(Consequence.REMOVED, before[this])


def _of_entity(consequence: Consequence, entity: Entity) -> Change:
    text = pattern(entity.pattern) + ("" if entity.firm else " (provisional)")
    return Change(consequence, entity.tool, entity.path, text, entity.tally)


def _edges(old: Profile, new: Profile) -> Iterator[Change]:
    def key(each: Edge) -> tuple[object, ...]:
        flags = (each.whole, each.trusted, each.sensitive, each.firm)
        return (*_way(each), each.field, each.selector, flags)

    before = {key(each): each for each in old.edges}
    after = {key(each): each for each in new.edges}
    ways = {_way(each) for each in old.edges}
    for this in after.keys() - before.keys():
        edge = after[this]
        consequence = Consequence.WIDER if _way(edge) in ways else Consequence.FLOW
        strangers = (OriginKind.EARLIER, OriginKind.BEFORE)
        if edge.kind in strangers and not edge.trusted:
            consequence = Consequence.UNTRUSTED_FLOW
        yield _of_edge(consequence, edge)
    for this in before.keys() - after.keys():
        yield _of_edge(Consequence.REMOVED, before[this])


def _way(edge: Edge) -> tuple[str, ...]:
    return (edge.tool, edge.path, edge.kind, edge.source)


def _of_edge(consequence: Consequence, edge: Edge) -> Change:
    text = f"from {edge_text(edge)}" + ("" if edge.firm else " (provisional)")
    return Change(consequence, edge.tool, edge.path, text, edge.tally)


def _accepted(old: Profile, new: Profile) -> Iterator[Change]:
    for each in set(new.accepted) - set(old.accepted):
        untrusted = Consequence.UNTRUSTED_FLOW
        consequence = untrusted if each.source else Consequence.REACH
        text = f"accepted: {each.value}" + (f" from {each.source}" * bool(each.source))
        yield Change(consequence, each.tool, each.path, text)
    for each in set(old.accepted) - set(new.accepted):
        text = f"accepted: {each.value}"
        yield Change(Consequence.REMOVED, each.tool, each.path, text)


def _orders(old: Profile, new: Profile) -> Iterator[Change]:
    after = {each.tool: each.reads for each in new.orders}
    for order in old.orders:
        before = [set(reads) for reads in order.reads]
        for reads in after.get(order.tool, ((),)):
            if not any(each <= set(reads) for each in before):
                text = f"after reading {' and '.join(reads) or 'nothing'}"
                yield Change(Consequence.WIDER, order.tool, "", text)


def _bounds(old: Profile, new: Profile) -> Iterator[Change]:
    after = {(each.tool, each.measure, each.path): each.most for each in new.bounds}
    for each in old.bounds:
        most = after.get((each.tool, each.measure, each.path))
        if most is None or most > each.most:
            text = f"{each.measure.value} {each.most} -> {most or 'without bound'}"
            yield Change(Consequence.WIDER, each.tool, each.path, text)


def _surroundings(old: Profile, new: Profile) -> Iterator[Change]:
    one, other = old.surroundings, new.surroundings
    for name in ("network", "workload", "region"):
        before = {getattr(each, name) for each in one.seen}
        after = {getattr(each, name) for each in other.seen}
        if before and "" not in before and (not after or after - before):
            more = ", ".join(sorted(after - before)) or "any"
            yield Change(Consequence.WIDER, "", "", f"{name} {more}")
    if old.runs < MATURE:
        return
    for name, had, has in (
        ("hours", {hour for hour, _ in one.hours}, {hour for hour, _ in other.hours}),
        ("rates", {rate for rate, _ in one.rates}, {rate for rate, _ in other.rates}),
    ):
        if had and (has - had or not has or new.runs < MATURE):
            yield Change(Consequence.WIDER, "", "", name)


def _whole(old: Profile, new: Profile) -> Iterator[Change]:
    if old.stance != new.stance:
        yield Change(Consequence.WIDER, "", "", "strictness of enforcement")
    if old.runs and not new.runs:
        yield Change(Consequence.WIDER, "", "", "it has learned nothing")
