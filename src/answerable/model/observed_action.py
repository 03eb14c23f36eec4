"""Types of actions that platform logs show for an identity."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObservedAction:
    """Successful calls of one action.

    Attributes:
        action: Action as policies name it, e.g. `s3:GetObject`.
        resource_sets: For each call, the resources that the log names, of types that
            the action takes; an empty set if it names none.
        count: Number of calls.
        last: Time of the latest call, UTC nanoseconds.
        via: Services that made calls on behalf of the identity.
    """

    action: str
    resource_sets: frozenset[frozenset[str]]
    count: int
    last: int
    via: frozenset[str] = frozenset()

    @property
    def resources(self) -> frozenset[str]:
        """Return the named resources of all calls."""
        return frozenset().union(*self.resource_sets)

    @property
    def has_unnamed(self) -> bool:
        """Return whether the log names no resource of some call."""
        return frozenset() in self.resource_sets
