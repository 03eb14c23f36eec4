"""Find the paths of AWS identities to given identities, of some callers or of all."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import build_bitset, list_positions
from answerable.reach.aws.bulk.caller_policies import VerdictBits
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.compiled.external_callers import parse_caller
from answerable.reach.aws.external_caller_queries import (
    build_role_entry_hop,
    list_roles_trusting_caller,
)
from answerable.reach.aws.paths.identity_creation import is_not_yet_created
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import (
    iterate_paths,
    search_backward_from_targets,
)
from answerable.reach.platform import PathHop, SubjectIdentity


def find_paths(
    graph: IdentityGraph,
    starts: Sequence[SubjectIdentity],
    targets: Collection[IdentityId],
) -> Iterator[SubjectIdentity]:
    """Find the paths of some identities to targets that they are or can become.

    An outside caller begins in the roles whose trust policies admit it.
    """
    nodes = _select_nodes(graph, targets)
    for start in starts:
        found: set[IdentityId] = set()
        if start.identity in targets:
            found.add(start.identity)
            yield start
        for node, hops in _list_first_nodes(graph, start.identity):
            for path in iterate_paths(graph, node, end_bits=nodes):
                target = path.target.identity
                if target in targets and target not in found:
                    found.add(target)
                    steps = (*start.hops, *hops, *path.hops)
                    yield replace(start, identity=target, hops=steps)


def _list_first_nodes(
    graph: IdentityGraph, identity: IdentityId
) -> Iterator[tuple[IdentityNode, tuple[PathHop, ...]]]:
    """Yield the node of an identity, or the roles that an outside caller enters."""
    if identity in graph.accounts.principals:
        yield graph.get_start_node(identity), ()
        return
    caller = parse_caller(identity, graph.accounts.accounts)
    for role, entry in list_roles_trusting_caller(graph, caller) if caller else ():
        yield (
            IdentityNode(role),
            (replace(build_role_entry_hop(entry, role), origin=identity),),
        )


def find_paths_of_all(
    graph: IdentityGraph, targets: Collection[IdentityId]
) -> Iterator[SubjectIdentity]:
    """Find the paths of all identities and outside callers to each target."""
    entered = _list_entered_targets(graph, _select_nodes(graph, targets))
    external = frozenset(graph.accounts.externally_trusted_roles)
    for target in targets:
        yield SubjectIdentity(target, target)
        if target in entered:
            yield from _find_paths_to_target(graph, target)
        elif target in external:
            for entry in graph.list_external_role_entries(target):
                hop = build_role_entry_hop(entry, target)
                yield SubjectIdentity(entry.principal, target, (hop,))


def _find_paths_to_target(
    graph: IdentityGraph, target: IdentityId
) -> Iterator[SubjectIdentity]:
    """Find the paths of all others to a target that some identity enters."""
    whole = get_graph_closure(graph)
    nodes = _select_nodes(graph, [target])
    search = search_backward_from_targets(graph, (), VerdictBits(nodes, nodes))
    for number, _, _ in search.list_nodes_reaching_target():
        node = whole.get_node_by_number(number)
        is_start = node == graph.get_start_node(node.identity)
        if node.identity == target or not is_start:
            continue
        path = (
            None
            if is_not_yet_created(node.identity)
            else search.find_path_to_target(node)
        )
        if path is not None:
            yield SubjectIdentity(node.identity, target, path.hops)
    for role in graph.accounts.externally_trusted_roles:
        path = search.find_path_to_target(IdentityNode(role))
        if path is None:
            continue
        for entry in graph.list_external_role_entries(role):
            hops = (build_role_entry_hop(entry, role), *path.hops)
            yield SubjectIdentity(entry.principal, target, hops)


def _list_entered_targets(graph: IdentityGraph, nodes: int) -> frozenset[IdentityId]:
    """List the identities of some nodes that another identity enters in one step.

    Nodes with gained permissions count only where an identity gains them.
    """
    whole = get_graph_closure(graph)
    starts = (
        number
        for number, node in enumerate(whole.actors.nodes)
        if node == graph.get_start_node(node.identity)
    )
    front = build_bitset(starts, whole.node_count)
    seen = found = 0
    while front:
        seen |= front
        ahead = 0
        for number in list_positions(front):
            ahead |= whole.get_next_nodes(number).some
        found |= ahead & nodes
        front = ahead & ~seen
    return frozenset(
        whole.get_node_by_number(number).identity for number in list_positions(found)
    )


def _select_nodes(graph: IdentityGraph, targets: Collection[IdentityId]) -> int:
    """Select the nodes of identities, with any gained permissions, as a bitset."""
    nodes = get_graph_closure(graph).actors.nodes
    numbers = (n for n, node in enumerate(nodes) if node.identity in targets)
    return build_bitset(numbers, len(nodes))
