"""Collect the action and resource names that policies use, to accept unknown names.

A name that the catalogue does not hold is accepted if a policy uses it.
"""

from collections.abc import Container
from dataclasses import dataclass

from answerable.model.sighting import SightedFacts
from answerable.reach.aws.patterns.arn_matching import ArnParts, overlaps_arn
from answerable.reach.aws.patterns.glob_matching import (
    ANY_TEXT,
    do_globs_overlap,
    encode_glob,
    has_no_wildcard,
    matches_glob,
)

_SERVICE, _RESOURCE = 2, 5  # parts of an ARN


@dataclass(frozen=True, slots=True)
class PolicyNames:
    """Names that collected policies use, by service; patterns are in encoded form.

    Attributes:
        actions: Action patterns in lower case whose service has no wildcard.
        resources: ARN patterns whose service has no wildcard and whose last part names
            something.
    """

    actions: frozenset[str]
    resources: frozenset[ArnParts]

    def names_service(self, service: str) -> bool:
        """Return whether some policy names actions of a service (lower case)."""
        return any(one.startswith(f"{service}:") for one in self.actions)

    def names_action(self, action: str) -> bool:
        """Return whether a policy names exactly this action (lower case)."""
        return action in self.actions

    def matches_action_pattern(self, pattern: str, known: Container[str]) -> bool:
        """Return whether an encoded action pattern overlaps one in a policy.

        Args:
            pattern: In lower case.
            known: Services of which every action is known: of them only whole names
                count, for `s3:*` in a policy makes no name right.
        """
        for one in self.actions:
            if has_no_wildcard(one):
                if matches_glob(pattern, one):
                    return True
            elif one.partition(":")[0] not in known and do_globs_overlap(pattern, one):
                return True
        return False

    def overlaps_resource_pattern(self, pattern: ArnParts) -> bool:
        """Return whether an ARN pattern overlaps one in a policy."""
        return any(overlaps_arn(pattern, one) for one in self.resources)


def collect_policy_names(facts: SightedFacts) -> PolicyNames:
    """Collect the action and resource patterns that a snapshot's policies name."""
    actions: set[str] = set()
    resources: set[ArnParts] = set()
    for policy in facts.iterate_policies():
        for statement in policy.statements:
            actions |= _collect_actions_by_service(
                statement.actions + statement.not_actions
            )
            resources |= _collect_resource_patterns(
                statement.resources + statement.not_resources
            )
    return PolicyNames(frozenset(actions), frozenset(resources))


def _collect_actions_by_service(patterns: tuple[str, ...]) -> set[str]:
    """Return the actions of patterns, by service."""
    found = (encode_glob(action.lower()) for action in patterns)
    return {
        one for one in found if ":" in one and has_no_wildcard(one.partition(":")[0])
    }


def _collect_resource_patterns(patterns: tuple[str, ...]) -> set[ArnParts]:
    """Return the ARN patterns that name a service and a resource prefix."""
    found = (tuple(encode_glob(text).split(":", _RESOURCE)) for text in set(patterns))
    return {
        parts
        for parts in found
        if len(parts) == _RESOURCE + 1
        and has_no_wildcard(parts[_SERVICE])
        and parts[_RESOURCE].partition(ANY_TEXT)[0]
    }
