"""Index a statement's action patterns, to look up one action quickly."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from answerable.reach.aws.patterns.glob_matching import (
    encode_glob,
    has_no_wildcard,
    matches_glob,
)


@dataclass(frozen=True, slots=True)
class ActionSet:
    """Index of action patterns, for lookup of one action.

    Attributes:
        exact: Patterns without wildcards.
        wild: Other patterns by service, under an empty text for any service.
    """

    exact: frozenset[str]
    wild: Mapping[str, tuple[str, ...]]

    def matches_action(self, action: str) -> bool:
        """Return whether some pattern matches an action given in lower case."""
        if action in self.exact:
            return True
        if not self.wild:
            return False
        service = action.partition(":")[0]
        return any(
            matches_glob(pattern, action)
            for key in (service, "")
            for pattern in self.wild.get(key, ())
        )


NO_ACTIONS = ActionSet(frozenset(), {})


@lru_cache(maxsize=1 << 16)
def encode_action_in_lower_case(action: str) -> str:
    """Convert an action to lower case and encode its wildcards."""
    return encode_glob(action.lower())


@lru_cache(maxsize=1 << 16)
def build_action_pattern_index(patterns: tuple[str, ...]) -> ActionSet:
    """Build the index from encoded action patterns in lower case."""
    wild: dict[str, list[str]] = {}
    for pattern in patterns:
        if not has_no_wildcard(pattern):
            service, colon, _ = pattern.partition(":")
            known = colon and has_no_wildcard(service)
            wild.setdefault(service if known else "", []).append(pattern)
    return ActionSet(
        frozenset(p for p in patterns if has_no_wildcard(p)),
        {service: tuple(listed) for service, listed in wild.items()},
    )
