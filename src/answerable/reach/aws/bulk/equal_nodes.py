"""Comparison of the numbered identity nodes of two closures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from answerable.reach.aws.bulk.bitset import list_positions
from answerable.reach.aws.bulk.closure import GraphClosure
from answerable.reach.aws.paths.identity_edges import IdentityNode


class _Run(NamedTuple):
    """Consecutive nodes of a closure that another closure numbers consecutively too.

    Attributes:
        start: First number.
        size: Number of nodes.
        target: First number among the shared nodes.
    """

    start: int
    size: int
    target: int


@dataclass(slots=True)
class SharedRows:
    """Rows of one closure, restricted to the nodes that another closure has.

    Attributes:
        runs: Runs of shared nodes.
    """

    runs: Sequence[_Run]
    _known: dict[int, int] = field(default_factory=dict)

    def restrict(self, row: int) -> int:
        """Return a bitset over the shared nodes."""
        found = self._known.get(row)
        if found is None:
            found = 0
            for start, size, target in self.runs:
                found |= (row >> start & (1 << size) - 1) << target
            self._known[row] = found
        return found

    def list_numbers(self, shared: int) -> list[int]:
        """Return the numbers in this closure of a bitset of shared nodes."""
        return [
            number
            for start, size, target in self.runs
            for number in list_positions((shared >> target & (1 << size) - 1) << start)
        ]


class SharedNodes(NamedTuple):
    """Nodes that two closures share.

    Attributes:
        before: Rows of the first closure.
        after: Rows of the second closure.
        removed: Nodes that only the first one has, as a bitset of it.
        added: Nodes that only the second one has, as a bitset of it.
    """

    before: SharedRows
    after: SharedRows
    removed: int
    added: int


@dataclass(slots=True)
class NodeComparison:
    """Comparison of the nodes of one closure with those of another.

    Attributes:
        other: The other closure.
        same: Whether both number the same nodes alike.
        shared: Nodes of both; None before the first use.
    """

    other: GraphClosure
    same: bool
    shared: SharedNodes | None = None


def have_same_nodes(one: GraphClosure, other: GraphClosure) -> bool:
    """Return whether two closures number the same nodes alike; the answer is kept.

    Stored closures are compared without compiling their graphs.
    """
    return _compare_nodes(one, other).same


def get_shared_nodes(old: GraphClosure, new: GraphClosure) -> SharedNodes:
    """Return the nodes that two closures share; the answer is kept."""
    compared = _compare_nodes(old, new)
    if compared.shared is None:
        compared.shared = _find_shared_nodes(old, new)
    return compared.shared


def _compare_nodes(one: GraphClosure, other: GraphClosure) -> NodeComparison:
    """Return the comparison of two closures; the last one is kept."""
    if one.compared is None or one.compared.other is not other:
        mine, theirs = one.actors.nodes, other.actors.nodes
        same = one.size == other.size and (
            mine is theirs or list(mine[: one.size]) == list(theirs[: one.size])
        )
        one.compared = NodeComparison(other, same)
    return one.compared


def _find_shared_nodes(old: GraphClosure, new: GraphClosure) -> SharedNodes:
    """Find the nodes that two closures share, whatever their numbers are."""
    nodes: list[IdentityNode] = list(new.actors.nodes[: new.size])
    numbers = {node: number for number, node in enumerate(nodes)}
    pairs = [
        (number, numbers[node])
        for number, node in enumerate(old.actors.nodes[: old.size])
        if node in numbers
    ]
    before: list[_Run] = []
    after: list[_Run] = []
    for target, (mine, theirs) in enumerate(pairs):
        if (
            before
            and mine == before[-1].start + before[-1].size
            and theirs == after[-1].start + after[-1].size
        ):
            before[-1] = before[-1]._replace(size=before[-1].size + 1)
            after[-1] = after[-1]._replace(size=after[-1].size + 1)
        else:
            before.append(_Run(mine, 1, target))
            after.append(_Run(theirs, 1, target))
    removed, added = _exclude_runs(old.size, before), _exclude_runs(new.size, after)
    return SharedNodes(SharedRows(before), SharedRows(after), removed, added)


def _exclude_runs(size: int, runs: Sequence[_Run]) -> int:
    """Return the nodes of a closure that are in no run, as a bitset."""
    found = (1 << size) - 1
    for start, length, _ in runs:
        found &= ~(((1 << length) - 1) << start)
    return found
