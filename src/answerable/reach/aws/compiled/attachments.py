"""Compiled policies by the target and layer that they are attached to."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from answerable.model.ids import PolicyId
from answerable.model.policy import Attachment, Layer, Policy
from answerable.model.sighting import Facts
from answerable.reach.aws.compiled.statement_interning import Interner
from answerable.reach.aws.compiled.statements import UNCOLLECTED, Gap, Grant


@dataclass(slots=True)
class Held:
    """Policies attached to one target at one layer.

    Attributes:
        grants: Statements.
        gaps: Policies not collected, and statements not read.
        policies: Ids, in order of attachment.
        collected: Whether at least one of the policies was collected.
    """

    grants: list[Grant] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    policies: list[PolicyId] = field(default_factory=list)
    collected: bool = False


class Builder:
    """Compiler of policies into the targets and layers they are attached to."""

    def __init__(self, facts: Facts) -> None:
        self.interner = Interner()
        self.policies = {policy.id: policy for policy in facts.policies}
        self.groups: dict[str, list[Grant]] = defaultdict(list)
        self.member_of: dict[str, list[str]] = defaultdict(list)
        self._held: dict[tuple[str, Layer], Held] = {}
        self._compiled: dict[tuple[PolicyId, Layer], tuple[list[Grant], list[Gap]]] = {}
        self._grouped: dict[str, set[tuple[PolicyId, str]]] = defaultdict(set)
        for group in facts.groups:
            self.groups[group.id] = []
            for member in group.members:
                self.member_of[member].append(group.id)

    def add(self, attachment: Attachment) -> None:
        """Compile one policy and attach it."""
        layer = attachment.layer
        grants, gaps = self._compile(attachment.policy, layer)
        place = attachment.target, layer
        held = self._held.get(place)
        if held is None:
            held = self._held[place] = Held()
        held.grants += grants
        held.gaps += gaps
        held.policies.append(attachment.policy)
        held.collected = held.collected or attachment.policy in self.policies
        if layer is Layer.IDENTITY:
            self._add_group(attachment, grants)

    def at(self, target: str, layer: Layer) -> Held | None:
        """Return the policies at a layer of a target, None for no attachment."""
        return self._held.get((target, layer))

    def targets(self, layer: Layer) -> Iterator[tuple[str, Held]]:
        """List the policies at a layer, by target."""
        for (target, place), held in self._held.items():
            if place is layer:
                yield target, held

    def stated(self, policy: Policy, layer: Layer) -> tuple[list[Grant], list[Gap]]:
        """Compile a policy that the question states."""
        return self.interner.compile(policy, layer)

    def _add_group(self, attachment: Attachment, grants: list[Grant]) -> None:
        group = attachment.via
        if group:
            self.member_of[attachment.target].append(group)
        elif ":group/" in attachment.target:
            group = attachment.target
        if group:
            told = self._grouped[group]
            self.groups[group] += [g for g in grants if (g.policy, g.sid) not in told]
            told |= {(g.policy, g.sid) for g in grants}

    def _compile(self, policy: PolicyId, layer: Layer) -> tuple[list[Grant], list[Gap]]:
        found = self._compiled.get((policy, layer))
        if found is None:
            document = self.policies.get(policy)
            if document:
                found = self.interner.compile(document, layer)
            else:
                found = [], [Gap(UNCOLLECTED, layer, policy, "")]
            self._compiled[policy, layer] = found
        return found
