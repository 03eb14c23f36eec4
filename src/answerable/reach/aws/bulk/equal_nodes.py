"""Comparison of the numbered identity nodes of two closures."""

from answerable.reach.aws.bulk.closure import GraphClosure


def have_same_nodes(one: GraphClosure, other: GraphClosure) -> bool:
    """Tell whether two closures number the same nodes alike; the answer is kept.

    Stored closures are compared without compiling their graphs.
    """
    if one.compared is None or one.compared[0] is not other:
        mine, theirs = one.actors.nodes, other.actors.nodes
        same = one.size == other.size and (
            mine is theirs or list(mine[: one.size]) == list(theirs[: one.size])
        )
        one.compared = other, same
    return one.compared[1]
