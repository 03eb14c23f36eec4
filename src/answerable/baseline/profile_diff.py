"""Compare two baseline profiles: list changes by how dangerous they are.

Everything that the new profile allows and the old one did not has a line that is no
removal.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from answerable.baseline.call_judgement import MIN_RUNS_FOR_ADVICE
from answerable.baseline.deviation_explanations import (
    describe_entity_pattern,
    describe_flow_source,
)
from answerable.baseline.entity_pattern_generalisation import pattern_covers
from answerable.baseline.tool_renames import rename_tools
from answerable.model.baseline import (
    BaselineProfile,
    EntityEntry,
    FlowEntry,
    GeneralisationLevel,
    ObservationCounts,
)
from answerable.model.behaviour import OriginKind


class ChangeConsequence(StrEnum):
    """Consequence of a changed line, the most severe first."""

    UNTRUSTED_FLOW = "new-flow-from-untrusted-text"
    REACH = "new-reach"
    FLOW = "new-flow"
    WIDER = "wider"
    REMOVED = "removed"


_ORDER = tuple(ChangeConsequence)
NO_TALLY = ObservationCounts()


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """One line of a profile diff.

    Attributes:
        tool: `SERVER/TOOL`, empty for the whole profile.
        path: Argument path, empty for none.
        text: The new, wider or removed rule.
    """

    consequence: ChangeConsequence
    tool: str
    path: str
    text: str
    tally: ObservationCounts = NO_TALLY


def diff_profiles(old: BaselineProfile, new: BaselineProfile) -> list[ProfileChange]:
    """List the changes between two profiles, the most dangerous first.

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
        *_list_rename_changes(new, pairs),
        *_list_tool_changes(old, new),
        *_list_entity_changes(old, new),
        *_list_flow_changes(old, new),
        *_list_accepted_deviation_changes(old, new),
        *_list_dropped_read_orders(old, new),
        *_list_bound_changes(old, new),
        *_list_network_and_time_changes(old, new),
        *_list_strictness_changes(old, new),
    ]
    return sorted(
        changes,
        key=lambda each: (
            _ORDER.index(each.consequence),
            each.tool,
            each.path,
            each.text,
        ),
    )


def _list_rename_changes(
    new: BaselineProfile, pairs: Iterable[tuple[str, str]]
) -> Iterator[ProfileChange]:
    """Yield a change for each renamed tool."""
    tallies = {each.tool: each.tally for each in new.capabilities}
    for before, after in pairs:
        text = f"the tool, with the rules learned for {before}"
        yield ProfileChange(
            ChangeConsequence.REACH, after, "", text, tallies.get(after, NO_TALLY)
        )


def _list_tool_changes(
    old: BaselineProfile, new: BaselineProfile
) -> Iterator[ProfileChange]:
    """Yield the tools, or tool definitions, added and removed."""
    before = {(each.tool, each.definition): each for each in old.capabilities}
    after = {(each.tool, each.definition): each for each in new.capabilities}
    for key in after.keys() - before.keys():
        text = f"definition {key[1][:12]}" if key[1] else "the tool"
        yield ProfileChange(ChangeConsequence.REACH, key[0], "", text, after[key].tally)
    for key in before.keys() - after.keys():
        yield ProfileChange(
            ChangeConsequence.REMOVED, key[0], "", "the tool", before[key].tally
        )


def _list_entity_changes(
    old: BaselineProfile, new: BaselineProfile
) -> Iterator[ProfileChange]:
    """Yield the entity patterns added, widened and removed."""

    def key(each: EntityEntry) -> tuple[object, ...]:
        return (each.tool, each.path, each.pattern, each.sensitive, each.firm)

    before = {key(each): each for each in old.entities}
    after = {key(each): each for each in new.entities}
    narrow = [e for e in old.entities if e.pattern.level is GeneralisationLevel.EXACT]
    for this in after.keys() - before.keys():
        entity = after[this]
        is_wider = any(
            each.tool == entity.tool
            and each.path == entity.path
            and pattern_covers(entity.pattern, each.pattern.kind, each.pattern.text)
            for each in narrow
        )
        consequence = ChangeConsequence.WIDER if is_wider else ChangeConsequence.REACH
        yield _build_entity_change(consequence, entity)
    for this in before.keys() - after.keys():
        yield _build_entity_change(ChangeConsequence.REMOVED, before[this])


def _build_entity_change(
    consequence: ChangeConsequence, entity: EntityEntry
) -> ProfileChange:
    """Build the difference of one learned argument value between profiles."""
    text = describe_entity_pattern(entity.pattern) + (
        "" if entity.firm else " (provisional)"
    )
    return ProfileChange(consequence, entity.tool, entity.path, text, entity.tally)


def _list_flow_changes(
    old: BaselineProfile, new: BaselineProfile
) -> Iterator[ProfileChange]:
    """Yield the flow edges added, widened and removed."""

    def key(each: FlowEntry) -> tuple[object, ...]:
        flags = (each.whole, each.trusted, each.sensitive, each.firm)
        return (*_get_flow_endpoints(each), each.field, each.selector, flags)

    before = {key(each): each for each in old.edges}
    after = {key(each): each for each in new.edges}
    ways = {_get_flow_endpoints(each) for each in old.edges}
    for this in after.keys() - before.keys():
        edge = after[this]
        consequence = (
            ChangeConsequence.WIDER
            if _get_flow_endpoints(edge) in ways
            else ChangeConsequence.FLOW
        )
        strangers = (OriginKind.EARLIER, OriginKind.BEFORE)
        if edge.kind in strangers and not edge.trusted:
            consequence = ChangeConsequence.UNTRUSTED_FLOW
        yield _build_flow_change(consequence, edge)
    for this in before.keys() - after.keys():
        yield _build_flow_change(ChangeConsequence.REMOVED, before[this])


def _get_flow_endpoints(edge: FlowEntry) -> tuple[str, ...]:
    """Return origin and argument of a flow edge, for comparison."""
    return (edge.tool, edge.path, edge.kind, edge.source)


def _build_flow_change(
    consequence: ChangeConsequence, edge: FlowEntry
) -> ProfileChange:
    """Build the difference of one learned value flow between profiles."""
    text = f"from {describe_flow_source(edge)}" + (
        "" if edge.firm else " (provisional)"
    )
    return ProfileChange(consequence, edge.tool, edge.path, text, edge.tally)


def _list_accepted_deviation_changes(
    old: BaselineProfile, new: BaselineProfile
) -> Iterator[ProfileChange]:
    """Yield the owner-accepted deviations added and removed."""
    for each in set(new.accepted) - set(old.accepted):
        untrusted = ChangeConsequence.UNTRUSTED_FLOW
        consequence = untrusted if each.source else ChangeConsequence.REACH
        text = f"accepted: {each.value}" + (f" from {each.source}" * bool(each.source))
        yield ProfileChange(consequence, each.tool, each.path, text)
    for each in set(old.accepted) - set(new.accepted):
        text = f"accepted: {each.value}"
        yield ProfileChange(ChangeConsequence.REMOVED, each.tool, each.path, text)


def _list_dropped_read_orders(
    old: BaselineProfile, new: BaselineProfile
) -> Iterator[ProfileChange]:
    """Yield each "read A before B" rule that the new profile drops."""
    after = {each.tool: each.reads for each in new.orders}
    for order in old.orders:
        before = [set(reads) for reads in order.reads]
        for reads in after.get(order.tool, ((),)):
            if not any(each <= set(reads) for each in before):
                text = f"after reading {' and '.join(reads) or 'nothing'}"
                yield ProfileChange(ChangeConsequence.WIDER, order.tool, "", text)


def _list_bound_changes(
    old: BaselineProfile, new: BaselineProfile
) -> Iterator[ProfileChange]:
    """Yield the bounds that the new profile raises or drops."""
    after = {(each.tool, each.measure, each.path): each.most for each in new.bounds}
    for each in old.bounds:
        most = after.get((each.tool, each.measure, each.path))
        if most is None or most > each.most:
            text = f"{each.measure.value} {each.most} -> {most or 'without bound'}"
            yield ProfileChange(ChangeConsequence.WIDER, each.tool, each.path, text)


def _list_network_and_time_changes(
    old: BaselineProfile, new: BaselineProfile
) -> Iterator[ProfileChange]:
    """Yield the networks, workloads, regions and times added."""
    one, other = old.surroundings, new.surroundings
    for name in ("network", "workload", "region"):
        before = {getattr(each, name) for each in one.seen}
        after = {getattr(each, name) for each in other.seen}
        if before and "" not in before and (not after or after - before):
            more = ", ".join(sorted(after - before)) or "any"
            yield ProfileChange(ChangeConsequence.WIDER, "", "", f"{name} {more}")
    if old.runs < MIN_RUNS_FOR_ADVICE:
        return
    for name, had, has in (
        ("hours", {hour for hour, _ in one.hours}, {hour for hour, _ in other.hours}),
        ("rates", {rate for rate, _ in one.rates}, {rate for rate, _ in other.rates}),
    ):
        if had and (has - had or not has or new.runs < MIN_RUNS_FOR_ADVICE):
            yield ProfileChange(ChangeConsequence.WIDER, "", "", name)


def _list_strictness_changes(
    old: BaselineProfile, new: BaselineProfile
) -> Iterator[ProfileChange]:
    """Yield changes of the strictness, or that nothing is learned."""
    if old.stance != new.stance:
        yield ProfileChange(
            ChangeConsequence.WIDER, "", "", "strictness of enforcement"
        )
    if old.runs and not new.runs:
        yield ProfileChange(ChangeConsequence.WIDER, "", "", "it has learned nothing")
