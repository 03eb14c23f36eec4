"""Compile policies, and group their statements by the target they are attached to."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from answerable.model.ids import PolicyId
from answerable.model.policy import PolicyAttachment, PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled.statement_interning import (
    StatementInterner,
    StatementNumbers,
)
from answerable.reach.aws.compiled.statements import (
    UNCOLLECTED,
    PolicyGap,
    PolicyStatement,
)


@dataclass(slots=True)
class AttachedPolicies:
    """Policies attached to one target at one layer.

    Attributes:
        grants: Statements.
        gaps: Policies not collected, and statements not read.
        policies: Ids, in order of attachment.
        collected: Whether at least one of the policies was collected.
    """

    grants: list[PolicyStatement] = field(default_factory=list)
    gaps: list[PolicyGap] = field(default_factory=list)
    policies: list[PolicyId] = field(default_factory=list)
    collected: bool = False


class AttachmentCompiler:
    """Compiler of policies into the targets and layers they are attached to."""

    def __init__(
        self, facts: SightedFacts, numbers: StatementNumbers | None = None
    ) -> None:
        """Start with the numbers of statements of earlier parts, if there are any."""
        self.interner = StatementInterner(numbers)
        self.policies = {policy.id: policy for policy in facts.policies}
        self.groups: dict[str, list[PolicyStatement]] = defaultdict(list)
        self.member_of: dict[str, list[str]] = defaultdict(list)
        self._held: dict[tuple[str, PolicyLayer], AttachedPolicies] = {}
        self._compiled: dict[
            tuple[PolicyId, PolicyLayer], tuple[list[PolicyStatement], list[PolicyGap]]
        ] = {}
        self._grouped: dict[str, set[tuple[PolicyId, str]]] = defaultdict(set)
        for group in facts.groups:
            self.groups[group.id] = []
            for member in group.members:
                self.member_of[member].append(group.id)

    def compile_attached_policy(self, attachment: PolicyAttachment) -> None:
        """Compile an attached policy, and add its statements to the target."""
        layer = attachment.layer
        grants, gaps = self._compile_policy_for_layer(attachment.policy, layer)
        place = attachment.target, layer
        held = self._held.get(place)
        if held is None:
            held = self._held[place] = AttachedPolicies()
        held.grants += grants
        held.gaps += gaps
        held.policies.append(attachment.policy)
        held.collected = held.collected or attachment.policy in self.policies
        if layer is PolicyLayer.IDENTITY:
            self._add_group_statements(attachment, grants)

    def get_policies_attached_to(
        self, target: str, layer: PolicyLayer
    ) -> AttachedPolicies | None:
        """Return the policies attached to a target at one layer, None if none."""
        return self._held.get((target, layer))

    def list_targets_with_policies(
        self, layer: PolicyLayer
    ) -> Iterator[tuple[str, AttachedPolicies]]:
        """List each target that has policies at a layer, with these policies."""
        for (target, place), held in self._held.items():
            if place is layer:
                yield target, held

    def _add_group_statements(
        self, attachment: PolicyAttachment, statements: list[PolicyStatement]
    ) -> None:
        """Record group membership, and add statements to the group once."""
        group = attachment.via
        if group:
            self.member_of[attachment.target].append(group)
        elif ":group/" in attachment.target:
            group = attachment.target
        if group:
            told = self._grouped[group]
            self.groups[group] += [
                g for g in statements if (g.policy, g.sid) not in told
            ]
            told |= {(g.policy, g.sid) for g in statements}

    def _compile_policy_for_layer(
        self, policy: PolicyId, layer: PolicyLayer
    ) -> tuple[list[PolicyStatement], list[PolicyGap]]:
        """Compile a policy for a layer; cached. A missing policy is a gap."""
        found = self._compiled.get((policy, layer))
        if found is None:
            document = self.policies.get(policy)
            if document:
                found = self.interner.compile_policy_for_layer(document, layer)
            else:
                found = [], [PolicyGap(UNCOLLECTED, layer, policy, "")]
            self._compiled[policy, layer] = found
        return found
