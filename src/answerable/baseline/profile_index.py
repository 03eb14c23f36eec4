"""Indexes over a profile, built once and read by every judgement."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from answerable.baseline.argument_paths import key_paths
from answerable.baseline.generalisation import covers
from answerable.baseline.generalised_flows import parsed
from answerable.model.baseline import (
    Bound,
    Capability,
    Edge,
    Entity,
    Level,
    Pattern,
    Profile,
)
from answerable.model.behaviour import EntityKind, Origin, OriginKind, Value
from answerable.model.json_keys import KeyPath

FlowKey = tuple[OriginKind, str, str]


@dataclass(slots=True)
class Sink:
    """Rules of a profile for one argument.

    Attributes:
        flows: Edges by (origin kind, source, field).
        exact: Exact entities by kind, text and sensitivity.
        own: Edges for values without an origin, by sensitivity.
    """

    flows: dict[FlowKey, list[Edge]] = field(default_factory=dict)
    exact: dict[tuple[EntityKind, str, bool], Entity] = field(default_factory=dict)
    patterns: list[Entity] = field(default_factory=list)
    own: dict[bool, Edge] = field(default_factory=dict)

    def entity(self, value: Value) -> Entity | None:
        """Return the rule for an entity; a sensitive one needs an exact rule."""
        found = self.exact.get((value.kind, value.text, True))
        if value.sensitive or found is not None:
            return found
        found = self.exact.get((value.kind, value.text, False))
        if found is not None:
            return found
        return next(
            (e for e in self.patterns if covers(e.pattern, value.kind, value.text)),
            None,
        )

    def edge(self, value: Value, origin: Origin) -> Edge | None:
        """Return the edge by which a value came, preferably a firm one.

        An untrusted origin does not match a trusted edge. A name that is not sensitive
        may come from the same field whatever the selector.
        """
        found = None
        loose = value.kind is EntityKind.NAME and not value.sensitive
        for edge in self.flows.get((origin.kind, origin.source, origin.field), ()):
            if not _carries(edge, origin, loose):
                continue
            # An edge learned from untrusted text while the value was not sensitive.
            if value.sensitive and not (origin.trusted or edge.sensitive):
                continue
            if edge.firm:
                return edge
            found = found or edge
        return found


def _carries(edge: Edge, origin: Origin, loose: bool) -> bool:
    if not origin.trusted and edge.trusted:
        return False
    return loose or (
        (origin.whole or not edge.whole) and selects(edge.selector, origin.selector)
    )


def selects(
    held: tuple[tuple[str, Pattern], ...], said: tuple[tuple[str, str], ...]
) -> bool:
    """Tell whether a source tool was called exactly as an edge says."""
    if len(held) != len(said):
        return {name for name, _ in held} == {name for name, _ in said} and all(
            any(n == name and _is(p, token) for n, p in held) for name, token in said
        )
    return all(
        name == other and _is(pattern, token)
        for (name, pattern), (other, token) in zip(held, said, strict=True)
    )


def _is(pattern: Pattern, token: str) -> bool:
    origin, kind, text = parsed(token)
    if pattern.level is Level.ORIGIN:
        return pattern.text == origin
    return covers(pattern, kind, text)


NO_SINK = Sink()


@dataclass(frozen=True, slots=True)
class Held:
    """A profile with lookup tables.

    Attributes:
        sinks: Rules by (tool, argument).
        orders: Minimal read sets by write.
        accepted: Signed acceptances: sources by (tool, argument, value).
        names: Argument members that the profile reads, by tool.
    """

    profile: Profile
    tools: Mapping[str, tuple[Capability, ...]]
    sinks: Mapping[tuple[str, str], Sink]
    orders: Mapping[str, tuple[frozenset[str], ...]]
    bounds: Mapping[str, tuple[Bound, ...]]
    accepted: Mapping[tuple[str, str, str], frozenset[str]]
    names: Mapping[str, tuple[KeyPath, ...]]

    @classmethod
    def of(cls, profile: Profile) -> "Held":
        """Build the indexes of a profile."""
        tools: dict[str, list[Capability]] = defaultdict(list)
        for capability in profile.capabilities:
            tools[capability.tool].append(capability)
        bounds: dict[str, list[Bound]] = defaultdict(list)
        for bound in profile.bounds:
            bounds[bound.tool].append(bound)
        accepted: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for each in profile.accepted:
            accepted[each.tool, each.path, each.value].add(each.source)
        sinks = _sinks(profile)
        paths: dict[str, list[str]] = defaultdict(list)
        for tool, path in (*sinks, *((b.tool, b.path) for b in profile.bounds)):
            paths[tool].append(path)
        return cls(
            profile=profile,
            tools={tool: tuple(each) for tool, each in tools.items()},
            sinks=sinks,
            orders={
                order.tool: tuple(frozenset(reads) for reads in order.reads)
                for order in profile.orders
            },
            bounds={tool: tuple(each) for tool, each in bounds.items()},
            accepted={key: frozenset(each) for key, each in accepted.items()},
            names={tool: key_paths(each) for tool, each in paths.items()},
        )

    @property
    def is_cold(self) -> bool:
        """Tell whether nothing was learned, so that only origins are enforced."""
        return self.profile.runs == 0

    def sink(self, tool: str, path: str) -> Sink:
        """Return the rules for an argument."""
        return self.sinks.get((tool, path), NO_SINK)

    def accepts(self, tool: str, value: Value) -> bool:
        """Tell whether the owner signed this value at this argument."""
        sources = self.accepted.get((tool, value.path, value.text))
        if sources is None:
            return False
        return "" in sources or any(each.source in sources for each in value.origins)


def _sinks(profile: Profile) -> dict[tuple[str, str], Sink]:
    sinks: dict[tuple[str, str], Sink] = defaultdict(Sink)
    for edge in profile.edges:
        sink = sinks[edge.tool, edge.path]
        if edge.kind is OriginKind.NONE:
            sink.own[edge.sensitive] = edge
        else:
            way = (edge.kind, edge.source, edge.field)
            sink.flows.setdefault(way, []).append(edge)
    for entity in profile.entities:
        sink = sinks[entity.tool, entity.path]
        if entity.pattern.level is Level.EXACT:
            key = (entity.pattern.kind, entity.pattern.text, entity.sensitive)
            sink.exact[key] = entity
        else:
            sink.patterns.append(entity)
    return dict(sinks)
