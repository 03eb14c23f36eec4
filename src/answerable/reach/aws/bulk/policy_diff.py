"""Difference between two sets of policies, and whether it can change a step.

Policies are compared by text and attachment; nothing is evaluated.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from operator import is_not

from answerable.model.ids import PolicyId
from answerable.model.policy import Attachment, Effect, Layer, Policy
from answerable.model.sighting import Facts
from answerable.reach.aws.compiled.statement_interning import Interner
from answerable.reach.aws.compiled.statements import Clause, Grant
from answerable.reach.aws.escalation_rules.registry import actions

ASKED = frozenset(action.lower() for action in actions())
_SERVICES = frozenset(action.partition(":")[0] for action in ASKED)


@dataclass(slots=True)
class Edited:
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

    texts: dict[Layer, dict[PolicyId, list[Grant]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    targets: dict[Layer, set[str]] = field(default_factory=lambda: defaultdict(set))
    hung: dict[tuple[Layer, str], set[PolicyId]] = field(
        default_factory=lambda: defaultdict(set)
    )
    fencing: Mapping[str, Sequence[PolicyId]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    written: Mapping[str, str] = field(default_factory=dict)
    stepping: bool = False


class Hanging:
    """Index of attachments by policy; built once for facts with equal attachments."""

    def __init__(self, attachments: tuple[Attachment, ...]) -> None:
        """Index attachments by policy."""
        self.attachments = attachments
        self._by_policy: dict[PolicyId, list[Attachment]] = defaultdict(list)
        fencing: dict[str, set[PolicyId]] = defaultdict(set)
        for one in attachments:
            self._by_policy[one.policy].append(one)
            if one.layer is Layer.RCP:
                fencing[one.target].add(one.policy)
        self.fencing = {target: sorted(found) for target, found in fencing.items()}

    def of(self, policy: PolicyId) -> Iterable[Attachment]:
        """List the attachments of a policy."""
        return self._by_policy.get(policy, ())


def edited(before: Facts, after: Facts, hanging: Hanging) -> Edited | None:
    """Compare the policies of two sets of facts; None where other facts differ too.

    Args:
        before: Facts before the edit.
        after: Facts after the edit.
        hanging: Attachments after the edit.
    """
    pairs = _pairs(before, after)
    if pairs is None:
        return None
    policies = {now.id: (was, now) for was, now in pairs}
    found, interner = Edited(), Interner()
    for one in (one for policy in policies for one in hanging.of(policy)):
        layer = one.layer
        if layer is Layer.RESOURCE and not _apart(one.target):
            return None
        if one.policy not in found.texts[layer]:
            was, now = policies[one.policy]
            old, gaps = interner.compile(was, layer)
            new, more = interner.compile(now, layer)
            stepping = _stepping(layer, old, new)
            if gaps or more or stepping is None:
                return None
            found.texts[layer][one.policy] = new
            found.stepping |= stepping
        _hang(found, one)
    found.written, found.fencing = interner.written, hanging.fencing
    return found


def _pairs(before: Facts, after: Facts) -> list[tuple[Policy, Policy]] | None:
    old, new = before.policies, after.policies
    if len(old) != len(new):
        return None
    if replace(before, policies=()) != replace(after, policies=()):
        return None
    places = compress(range(len(old)), map(is_not, old, new))
    pairs = [(old[place], new[place]) for place in places]
    return pairs if all(was.id == now.id for was, now in pairs) else None


def _apart(resource: str) -> bool:
    """Tell whether a resource belongs to a service that no escalation rule uses."""
    parts = resource.split(":", 3)
    return len(parts) == 4 and parts[2] not in _SERVICES


def _hang(found: Edited, one: Attachment) -> None:
    found.targets[one.layer].add(one.target)
    found.hung[one.layer, one.target].add(one.policy)
    if one.layer is Layer.IDENTITY:
        found.groups |= {one.via, one.target}


def _stepping(layer: Layer, old: list[Grant], new: list[Grant]) -> bool | None:
    """Tell whether new statements can change a step; None where that is not known.

    Without old statements the position of the new ones among others is not known. Trust
    and resource policies and RCPs are no policies of an actor's own.
    """
    if layer in (Layer.RESOURCE, Layer.TRUST, Layer.RCP):
        return False
    if not old and layer is not Layer.BOUNDARY:
        return None
    return _on_steps(old) != _on_steps(new)


def _on_steps(grants: Iterable[Grant]) -> set[tuple[str, Clause | None]]:
    """Pair each action of the rules with the statements that match it.

    Further allows do not change what an unconditional allow on every resource grants.
    """
    clauses = [grant.clause for grant in grants]
    found: set[tuple[str, Clause | None]] = set()
    for action in ASKED:
        mine = [one for one in clauses if _speaks(one, action)]
        allows = {one for one in mine if one.effect is Effect.ALLOW}
        wide = any(one.wide for one in allows)
        found |= {(action, one) for one in mine if not (wide and one in allows)}
        found |= {(action, None)} if wide else set()
    return found


def _speaks(clause: Clause, action: str) -> bool:
    return clause.takes_action(action)
