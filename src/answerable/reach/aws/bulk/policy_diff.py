"""Compare two sets of policies, and tell whether the change affects escalation steps.

Policies are compared by text and attachment; nothing is evaluated.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from operator import is_not

from answerable.model.ids import PolicyId
from answerable.model.policy import Policy, PolicyAttachment, PolicyEffect, PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled.statement_interning import StatementInterner
from answerable.reach.aws.compiled.statements import CompiledStatement, PolicyStatement
from answerable.reach.aws.escalation_rules.registry import list_rule_actions

RULE_ACTIONS = frozenset(action.lower() for action in list_rule_actions())
_SERVICES = frozenset(action.partition(":")[0] for action in RULE_ACTIONS)


@dataclass(slots=True)
class PolicyDiff:
    """New statements of the edited policies, and their attachments.

    Attributes:
        texts: New statements by layer and policy.
        targets: By layer, the targets of the edited policies.
        hung: Edited policies by layer and target.
        fencing: By target, its resource control policies, in order.
        groups: Groups that edited identity policies are attached to.
        written: Actions as first written, by inner form.
        stepping: Whether a statement about a step changed.
    """

    texts: dict[PolicyLayer, dict[PolicyId, list[PolicyStatement]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    targets: dict[PolicyLayer, set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )
    hung: dict[tuple[PolicyLayer, str], set[PolicyId]] = field(
        default_factory=lambda: defaultdict(set)
    )
    fencing: Mapping[str, Sequence[PolicyId]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    written: Mapping[str, str] = field(default_factory=dict)
    stepping: bool = False


class AttachmentsByPolicy:
    """Index of attachments by policy; built once for facts with equal attachments."""

    def __init__(self, attachments: tuple[PolicyAttachment, ...]) -> None:
        """Index attachments by policy."""
        self.attachments = attachments
        self._by_policy: dict[PolicyId, list[PolicyAttachment]] = defaultdict(list)
        fencing: dict[str, set[PolicyId]] = defaultdict(set)
        for one in attachments:
            self._by_policy[one.policy].append(one)
            if one.layer is PolicyLayer.RCP:
                fencing[one.target].add(one.policy)
        self.fencing = {target: sorted(found) for target, found in fencing.items()}

    def list_policy_attachments(self, policy: PolicyId) -> Iterable[PolicyAttachment]:
        """List the identities, groups and targets that a policy is attached to."""
        return self._by_policy.get(policy, ())


def diff_policies(
    before: SightedFacts, after: SightedFacts, attachments: AttachmentsByPolicy
) -> PolicyDiff | None:
    """Return the policies that differ; None where other facts differ too.

    Args:
        before: Facts before the edit.
        after: Facts after the edit.
        attachments: Attachments after the edit.
    """
    pairs = _pair_changed_policies(before, after)
    if pairs is None:
        return None
    policies = {now.id: (was, now) for was, now in pairs}
    found, interner = PolicyDiff(), StatementInterner()
    for one in (
        one
        for policy in policies
        for one in attachments.list_policy_attachments(policy)
    ):
        layer = one.layer
        if layer is PolicyLayer.RESOURCE and not _is_in_service_without_rules(
            one.target
        ):
            return None
        if one.policy not in found.texts[layer]:
            was, now = policies[one.policy]
            old, gaps = interner.compile_policy_for_layer(was, layer)
            new, more = interner.compile_policy_for_layer(now, layer)
            stepping = _may_change_escalation_steps(layer, old, new)
            if gaps or more or stepping is None:
                return None
            found.texts[layer][one.policy] = new
            found.stepping |= stepping
        _record_attachment_target(found, one)
    found.written, found.fencing = interner.written, attachments.fencing
    return found


def _pair_changed_policies(
    before: SightedFacts, after: SightedFacts
) -> list[tuple[Policy, Policy]] | None:
    """Pair old and new versions of changed policies; None if other facts differ."""
    old, new = before.policies, after.policies
    if len(old) != len(new):
        return None
    if replace(before, policies=()) != replace(after, policies=()):
        return None
    places = compress(range(len(old)), map(is_not, old, new))
    pairs = [(old[place], new[place]) for place in places]
    return pairs if all(was.id == now.id for was, now in pairs) else None


def _is_in_service_without_rules(resource: str) -> bool:
    """Return whether a resource belongs to a service that no escalation rule uses."""
    parts = resource.split(":", 3)
    return len(parts) == 4 and parts[2] not in _SERVICES


def _record_attachment_target(diff: PolicyDiff, attachment: PolicyAttachment) -> None:
    """Record the target of an edited policy's attachment in the difference."""
    diff.targets[attachment.layer].add(attachment.target)
    diff.hung[attachment.layer, attachment.target].add(attachment.policy)
    if attachment.layer is PolicyLayer.IDENTITY:
        diff.groups |= {attachment.via, attachment.target}


def _may_change_escalation_steps(
    layer: PolicyLayer, old: list[PolicyStatement], new: list[PolicyStatement]
) -> bool | None:
    """Return whether new statements can change an escalation step; None if unknown.

    Without old statements the position of the new ones among others is not known. Trust
    and resource policies and RCPs are no policies of an actor's own.
    """
    if layer in (PolicyLayer.RESOURCE, PolicyLayer.TRUST, PolicyLayer.RCP):
        return False
    if not old and layer is not PolicyLayer.BOUNDARY:
        return None
    return _list_escalation_statements(old) != _list_escalation_statements(new)


def _list_escalation_statements(
    statements: Iterable[PolicyStatement],
) -> set[tuple[str, CompiledStatement | None]]:
    """Pair each action of the escalation rules with the statements that match it.

    Further allows do not change what an unconditional allow on every resource grants.
    """
    clauses = [grant.clause for grant in statements]
    found: set[tuple[str, CompiledStatement | None]] = set()
    for action in RULE_ACTIONS:
        mine = [one for one in clauses if one.matches_action(action)]
        allows = {one for one in mine if one.effect is PolicyEffect.ALLOW}
        wide = any(one.wide for one in allows)
        found |= {(action, one) for one in mine if not (wide and one in allows)}
        found |= {(action, None)} if wide else set()
    return found
