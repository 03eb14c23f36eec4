"""Nodes and edges of the graph that paths are found in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from answerable.model.ids import IdentityId
from answerable.reach.estate.clauses import Gap
from answerable.reach.verdict.formula import FALSE, TRUE, Formula, chained
from answerable.reach.verdict.request import Answer, Determining

Only = frozenset[IdentityId] | None  # identities that are asked about; None for all


class Node(NamedTuple):
    """An identity, and what it gained on the way: nothing, `*`, or a group.

    `session` says that it still is the session that a stated policy limits, `bare`
    that its boundary was taken off.
    """

    identity: IdentityId
    extra: str = ""
    session: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """A step from a node.

    Attributes:
        to: Where it leads.
        via: The calls that make it, joined by ` + `.
        formula: When.
        determining: The statements that decided.
        gaps: What was not read and could change it.
        new_name: ARN under which the policies let an identity be made that is not there
            yet; empty where it is there.
    """

    to: Node
    via: str
    formula: Formula
    determining: tuple[Determining, ...]
    gaps: tuple[Gap, ...]
    new_name: str = ""


def make_edge(
    to: Node, via: str, *answers: Answer, new_name: str = ""
) -> Iterator[Edge]:
    """Make an edge of the answers to its calls; they are calls of their own."""
    if any(answer.formula == FALSE for answer in answers):
        return
    determining = dict.fromkeys(d for a in answers for d in a.determining)
    gaps = dict.fromkeys(g for a in answers for g in a.gaps)
    formula = chained(*(answer.formula for answer in answers))
    yield Edge(to, via, formula, tuple(determining), tuple(gaps), new_name)


def asked_about(only: Only, identity: IdentityId) -> bool:
    """Tell whether steps to an identity are asked about."""
    return only is None or identity in only


def is_sure(best: Mapping[Node, Edge], node: Node) -> bool:
    """Tell whether a sure step to a node was found already."""
    held = best.get(node)
    return held is not None and held.formula == TRUE
