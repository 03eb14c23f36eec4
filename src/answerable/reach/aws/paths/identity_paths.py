"""Find the paths of AWS identities to given identities, of some callers or of all."""

from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import replace

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import VerdictBits, build_bitset, list_positions
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.compiled.external_callers import parse_caller
from answerable.reach.aws.external_caller_queries import (
    build_role_entry_hop,
    list_roles_trusting_caller,
)
from answerable.reach.aws.paths.identity_edges import IdentityNode, is_not_yet_created
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import (
    BackwardSearch,
    ReachPath,
    iterate_paths,
    search_backward_from_targets,
)
from answerable.reach.condition_formula import TRUE
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


def find_nearest_paths(
    graph: IdentityGraph, targets: Collection[IdentityId], skipped: Container[str]
) -> Iterator[SubjectIdentity]:
    """Find one path of each identity and outside caller to any of `targets`."""
    for target in targets:
        if target not in skipped:
            yield SubjectIdentity(target, target)
    nodes = _select_nodes(graph, targets)
    entered = _list_entered_nodes(graph, nodes)
    search = search_backward_from_targets(graph, (), VerdictBits(entered, entered))
    if entered:
        yield from _find_nearest_of_identities(graph, search, targets, skipped)
    outside: dict[str, SubjectIdentity] = {}
    for role in graph.accounts.externally_trusted_roles:
        path = search.find_path_to_target(IdentityNode(role))
        if path is None and role not in targets:
            continue
        for entry in graph.list_external_role_entries(role):
            if entry.principal in skipped:
                continue
            # A role that is a target itself needs no other step.
            end, more = (
                (role, ()) if role in targets or not path else _get_path_end(path)
            )
            hops = (build_role_entry_hop(entry, role), *more)
            found = SubjectIdentity(entry.principal, end, hops)
            known = outside.get(entry.principal)
            if known is None or (_is_sure(found) and not _is_sure(known)):
                outside[entry.principal] = found
    yield from outside.values()


def _find_nearest_of_identities(
    graph: IdentityGraph,
    search: BackwardSearch,
    targets: Collection[IdentityId],
    skipped: Container[str],
) -> Iterator[SubjectIdentity]:
    """Find one path of each identity besides the targets."""
    whole = get_graph_closure(graph)
    for number, _, _ in search.list_nodes_reaching_target():
        node = whole.get_node_by_number(number)
        identity = node.identity
        is_start = node == graph.get_start_node(identity)
        if not is_start or identity in targets or identity in skipped:
            continue
        path = (
            None if is_not_yet_created(identity) else search.find_path_to_target(node)
        )
        if path is not None:
            end, hops = _get_path_end(path)
            yield SubjectIdentity(identity, end, hops)


def _get_path_end(path: ReachPath) -> tuple[IdentityId, tuple[PathHop, ...]]:
    """Return the identity that a path ends at, and its hops."""
    return path.target.identity, path.hops


def _is_sure(path: SubjectIdentity) -> bool:
    """Return whether no step of a path has a condition."""
    return all(hop.formula == TRUE for hop in path.hops)


def _list_entered_nodes(graph: IdentityGraph, nodes: int) -> int:
    """List those of some nodes that another identity enters in one step, as a bitset.

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
    return found


def _select_nodes(graph: IdentityGraph, targets: Collection[IdentityId]) -> int:
    """Select the nodes of identities, with any gained permissions, as a bitset."""
    nodes = get_graph_closure(graph).actors.nodes
    numbers = (n for n, node in enumerate(nodes) if node.identity in targets)
    return build_bitset(numbers, len(nodes))
