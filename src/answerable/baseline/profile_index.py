"""Index a profile by tool and argument, to judge calls quickly."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from answerable.baseline.argument_paths import convert_to_member_paths
from answerable.baseline.entity_pattern_generalisation import pattern_covers
from answerable.baseline.flow_generalisation import parse_selector_token
from answerable.model.baseline import (
    BaselineProfile,
    BoundEntry,
    CapabilityEntry,
    EntityEntry,
    EntityPattern,
    FlowEntry,
    GeneralisationLevel,
)
from answerable.model.behaviour import (
    ArgumentValue,
    EntityKind,
    OriginKind,
    ValueOrigin,
)
from answerable.model.json_key_lookalikes import KeyPath

FlowKey = tuple[OriginKind, str, str]


@dataclass(slots=True)
class ArgumentRules:
    """Rules of a profile for one argument.

    Attributes:
        flows: Edges by (origin kind, source, field).
        exact: Exact entities by kind, text and sensitivity.
        own: Edges for values without an origin, by sensitivity.
    """

    flows: dict[FlowKey, list[FlowEntry]] = field(default_factory=dict)
    exact: dict[tuple[EntityKind, str, bool], EntityEntry] = field(default_factory=dict)
    patterns: list[EntityEntry] = field(default_factory=list)
    own: dict[bool, FlowEntry] = field(default_factory=dict)

    def find_entity_rule(self, value: ArgumentValue) -> EntityEntry | None:
        """Return the rule for a value; a sensitive one needs an exact rule."""
        found = self.exact.get((value.kind, value.text, True))
        if value.sensitive or found is not None:
            return found
        found = self.exact.get((value.kind, value.text, False))
        if found is not None:
            return found
        return next(
            (
                e
                for e in self.patterns
                if pattern_covers(e.pattern, value.kind, value.text)
            ),
            None,
        )

    def find_flow_rule(
        self, value: ArgumentValue, origin: ValueOrigin
    ) -> FlowEntry | None:
        """Return the learned flow of a value from its origin, firm ones first.

        An untrusted origin does not match a trusted edge. A name that is not sensitive
        may come from the same field by any selector.
        """
        found = None
        loose = value.kind is EntityKind.NAME and not value.sensitive
        for edge in self.flows.get((origin.kind, origin.source, origin.field), ()):
            if not _flow_matches_origin(edge, origin, loose):
                continue
            # An edge learned from untrusted text while the value was not sensitive.
            if value.sensitive and not (origin.trusted or edge.sensitive):
                continue
            if edge.firm:
                return edge
            found = found or edge
        return found


def _flow_matches_origin(
    edge: FlowEntry, origin: ValueOrigin, ignore_selector: bool
) -> bool:
    """Return whether a learned flow covers a value's origin."""
    if not origin.trusted and edge.trusted:
        return False
    return ignore_selector or (
        (origin.whole or not edge.whole)
        and matches_source_arguments(edge.selector, origin.selector)
    )


def matches_source_arguments(
    patterns: tuple[tuple[str, EntityPattern], ...], tokens: tuple[tuple[str, str], ...]
) -> bool:
    """Return whether the source tool was called as a learned flow requires."""
    if len(patterns) != len(tokens):
        return {name for name, _ in patterns} == {name for name, _ in tokens} and all(
            any(n == name and _pattern_covers_token(p, token) for n, p in patterns)
            for name, token in tokens
        )
    return all(
        name == other and _pattern_covers_token(pattern, token)
        for (name, pattern), (other, token) in zip(patterns, tokens, strict=True)
    )


def _pattern_covers_token(pattern: EntityPattern, token: str) -> bool:
    """Return whether a learned pattern covers an origin or value token."""
    origin, kind, text = parse_selector_token(token)
    if pattern.level is GeneralisationLevel.ORIGIN:
        return pattern.text == origin
    return pattern_covers(pattern, kind, text)


EMPTY_SINK = ArgumentRules()


@dataclass(frozen=True, slots=True)
class ProfileIndex:
    """A profile with lookup tables.

    Attributes:
        sinks: Rules by (tool, argument).
        orders: Minimal read sets by write.
        accepted: Signed acceptances: sources by (tool, argument, value).
        names: Argument members that the profile reads, by tool.
    """

    profile: BaselineProfile
    tools: Mapping[str, tuple[CapabilityEntry, ...]]
    sinks: Mapping[tuple[str, str], ArgumentRules]
    orders: Mapping[str, tuple[frozenset[str], ...]]
    bounds: Mapping[str, tuple[BoundEntry, ...]]
    accepted: Mapping[tuple[str, str, str], frozenset[str]]
    names: Mapping[str, tuple[KeyPath, ...]]

    @classmethod
    def build(cls, profile: BaselineProfile) -> "ProfileIndex":
        """Build the lookup tables to check calls against a baseline profile."""
        tools: dict[str, list[CapabilityEntry]] = defaultdict(list)
        for capability in profile.capabilities:
            tools[capability.tool].append(capability)
        bounds: dict[str, list[BoundEntry]] = defaultdict(list)
        for bound in profile.bounds:
            bounds[bound.tool].append(bound)
        accepted: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for each in profile.accepted:
            accepted[each.tool, each.path, each.value].add(each.source)
        sinks = _group_rules_by_argument(profile)
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
            names={tool: convert_to_member_paths(each) for tool, each in paths.items()},
        )

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was learned: only value origins are enforced."""
        return self.profile.runs == 0

    def get_argument_rules(self, tool: str, path: str) -> ArgumentRules:
        """Return the values and origins learned for a tool's argument."""
        return self.sinks.get((tool, path), EMPTY_SINK)

    def is_accepted_by_owner(self, tool: str, value: ArgumentValue) -> bool:
        """Return whether the owner signed this value for this argument."""
        sources = self.accepted.get((tool, value.path, value.text))
        if sources is None:
            return False
        return "" in sources or any(each.source in sources for each in value.origins)


def _group_rules_by_argument(
    profile: BaselineProfile,
) -> dict[tuple[str, str], ArgumentRules]:
    """Group flow and entity rules by (tool, argument path)."""
    sinks: dict[tuple[str, str], ArgumentRules] = defaultdict(ArgumentRules)
    for edge in profile.edges:
        sink = sinks[edge.tool, edge.path]
        if edge.kind is OriginKind.NONE:
            sink.own[edge.sensitive] = edge
        else:
            way = (edge.kind, edge.source, edge.field)
            sink.flows.setdefault(way, []).append(edge)
    for entity in profile.entities:
        sink = sinks[entity.tool, entity.path]
        if entity.pattern.level is GeneralisationLevel.EXACT:
            key = (entity.pattern.kind, entity.pattern.text, entity.sensitive)
            sink.exact[key] = entity
        else:
            sink.patterns.append(entity)
    return dict(sinks)
