"""Paths to the identities that may act on a part of a resource pattern."""

from answerable.reach.aws.bulk.closure import GraphClosure
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.path_search import BackwardSearch


class PatternPaths:
    """Identities that may act on part of a pattern, and paths to them.

    Attributes:
        some: Bitset of actors that may act on some of it; a superset.
        sure: Unconditional paths to actors that may act on all of it.
        stops: Bitset of actors at which a search can stop.
    """

    def __init__(
        self, closure: GraphClosure, some: int, sure: BackwardSearch, stops: int
    ) -> None:
        self.some, self.sure, self.stops = some, sure, stops
        self._whole = closure

    def may_reach_other_permitted_nodes(self, node: IdentityNode) -> bool:
        """Return whether others that a node can become may act on part of it."""
        number = self._whole.get_or_assign_node_number(node)
        return bool(self._whole.get_reachable(number) & self.some & ~(1 << number))

    def count_others(self, node: IdentityNode) -> int:
        """Count others that a node can become and that may act on part of it."""
        number = self._whole.get_or_assign_node_number(node)
        return (
            self._whole.get_reachable(number) & self.some & ~(1 << number)
        ).bit_count()

    def may_reach_permitted_node(self, node: IdentityNode) -> bool:
        """Return whether a node, or one it can become, may act on part of it."""
        return bool(
            self.some >> self._whole.get_or_assign_node_number(node) & 1
        ) or self.may_reach_other_permitted_nodes(node)
