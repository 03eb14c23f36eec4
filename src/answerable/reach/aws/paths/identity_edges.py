"""Nodes and edges of the graph of identities that can become one another."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.statements import PolicyGap
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.condition_formula import FALSE, TRUE, Formula, conjoin_hops
from answerable.reach.platform import DeterminingStatement

IdentityFilter = (
    frozenset[IdentityId] | None
)  # identities that are asked about; None for all


NOT_YET_CREATED = "to be made"


def mark_arn_as_not_yet_created(arn: str) -> str:
    """Mark an ARN as that of an identity which does not exist yet."""
    return f"{arn} ({NOT_YET_CREATED})"


def is_not_yet_created(identity: IdentityId) -> bool:
    """Return whether an identity is such a placeholder and does not exist yet."""
    return identity.endswith(f"({NOT_YET_CREATED})")


class IdentityNode(NamedTuple):
    """Identity with the permissions it gained on a path: none, `*`, or a group.

    `session`: it is the session that a stated policy limits. `bare`: its boundary was
    removed.
    """

    identity: IdentityId
    extra: str = ""
    session: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class IdentityEdge:
    """Edge from a node to another.

    Attributes:
        to: Target node.
        via: Calls that take the step, joined by ` + `.
        formula: Condition of the step.
        determining: Determining statements.
        gaps: Policies and statements not read that could change it.
        new_name: Allowed ARN of an identity that is created by the step; else empty.
    """

    to: IdentityNode
    via: str
    formula: Formula
    determining: tuple[DeterminingStatement, ...]
    gaps: tuple[PolicyGap, ...]
    new_name: str = ""


def build_identity_edge(
    target: IdentityNode, via: str, *answers: Evaluation, new_name: str = ""
) -> Iterator[IdentityEdge]:
    """Yield an edge under the conditions of all its calls, if none is denied."""
    if any(answer.formula == FALSE for answer in answers):
        return
    determining = dict.fromkeys(d for a in answers for d in a.determining)
    gaps = dict.fromkeys(g for a in answers for g in a.gaps)
    formula = conjoin_hops(*(answer.formula for answer in answers))
    yield IdentityEdge(target, via, formula, tuple(determining), tuple(gaps), new_name)


def does_filter_include_identity(targets: IdentityFilter, identity: IdentityId) -> bool:
    """Return whether a filter of targets (None for all) includes this identity."""
    return targets is None or identity in targets


def has_unconditional_edge(
    best_edges: Mapping[IdentityNode, IdentityEdge], node: IdentityNode
) -> bool:
    """Return whether an edge without conditions to a node was found already."""
    held = best_edges.get(node)
    return held is not None and held.formula == TRUE


class AdministratorGraph(Protocol):
    """Graph that knows which of its nodes are administrators."""

    accounts: CompiledAccounts

    def is_administrator(self, node: IdentityNode) -> bool:
        """Return whether a node has unrestricted permissions."""


def keep_best_edge(
    best_edges: dict[IdentityNode, IdentityEdge], edge: IdentityEdge
) -> None:
    """Keep the first edge to each node, or the first unconditional one."""
    held = best_edges.get(edge.to)
    if held is None or (edge.formula == TRUE and held.formula != TRUE):
        best_edges[edge.to] = edge
