"""Actions and resources that collected policies name.

A name that the catalogue does not hold is accepted if a policy uses it.
"""

from collections.abc import Container
from dataclasses import dataclass

from answerable.model.sighting import Facts
from answerable.reach.aws.patterns.arns import Parts, overlaps_parts
from answerable.reach.aws.patterns.globs import (
    STAR,
    inward,
    is_literal,
    matches,
    overlaps,
)

_SERVICE, _RESOURCE = 2, 5  # parts of an ARN


@dataclass(frozen=True, slots=True)
class UsedNames:
    """Names that collected policies use, by service; patterns are in inner form.

    Attributes:
        actions: Action patterns in lower case whose service has no wildcard.
        resources: ARN patterns whose service has no wildcard and whose last part names
            something.
    """

    actions: frozenset[str]
    resources: frozenset[Parts]

    def has_service(self, service: str) -> bool:
        """Tell whether some action pattern belongs to a service in lower case."""
        return any(one.startswith(f"{service}:") for one in self.actions)

    def has_action(self, action: str) -> bool:
        """Tell whether some policy names an action in lower case without wildcards."""
        return action in self.actions

    def matched_by(self, pattern: str, known: Container[str]) -> bool:
        """Tell whether an action pattern in inner form overlaps one of a policy.

        Args:
            pattern: In lower case.
            known: Services of which every action is known: of them only whole names
                count, for `s3:*` in a policy makes no name right.
        """
        for one in self.actions:
            if is_literal(one):
                if matches(pattern, one):
                    return True
            elif one.partition(":")[0] not in known and overlaps(pattern, one):
                return True
        return False

    def overlaps_resource(self, pattern: Parts) -> bool:
        """Tell whether an ARN pattern overlaps one of a policy."""
        return any(overlaps_parts(pattern, one) for one in self.resources)


def used_names(facts: Facts) -> UsedNames:
    """Collect the names that policies of a snapshot use."""
    actions: set[str] = set()
    resources: set[Parts] = set()
    for policy in facts.policies:
        for statement in policy.statements:
            actions |= _actions(statement.actions + statement.not_actions)
            resources |= _resources(statement.resources + statement.not_resources)
    return UsedNames(frozenset(actions), frozenset(resources))


def _actions(written: tuple[str, ...]) -> set[str]:
    found = (inward(action.lower()) for action in written)
    return {one for one in found if ":" in one and is_literal(one.partition(":")[0])}


def _resources(written: tuple[str, ...]) -> set[Parts]:
    found = (tuple(inward(text).split(":", _RESOURCE)) for text in set(written))
    return {
        parts
        for parts in found
        if len(parts) == _RESOURCE + 1
        and is_literal(parts[_SERVICE])
        and parts[_RESOURCE].partition(STAR)[0]
    }
