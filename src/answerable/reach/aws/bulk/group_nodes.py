"""Graph nodes of users that join IAM groups: one for each user and group."""

from collections.abc import Iterable, Iterator

from answerable.reach.aws.bulk.bitset import VerdictBits, build_bitset, list_positions
from answerable.reach.aws.bulk.graph_compiler import CompiledGraph
from answerable.reach.aws.paths.identity_edges import IdentityNode

# Nodes of a user, and whether unconditionally; many actors share one list.
UserNodes = tuple[tuple[IdentityNode, bool], ...]
NodesByUser = tuple[UserNodes, ...]
GroupJoins = Iterable[tuple[int, NodesByUser]]


def union_verdicts(rows: Iterable[VerdictBits]) -> VerdictBits:
    """Union rows of reachable nodes: one bitset for always, one for possibly."""
    sure = some = 0
    for row in rows:
        sure |= row.sure
        some |= row.some
    return VerdictBits(sure, some)


class GroupNodes:
    """Nodes of the users of a graph that join groups; equal lists are one object."""

    def __init__(self, realm: CompiledGraph) -> None:
        self._realm = realm
        self._known: dict[
            VerdictBits, dict[tuple[int, bool, bool, bool, bool], UserNodes]
        ] = {}

    def list_nodes(
        self,
        users: VerdictBits,
        groups: VerdictBits,
        removable_boundaries: VerdictBits,
        *,
        bare: bool = False,
    ) -> NodesByUser:
        """List a node per user and new group, also without the user's boundary."""
        free = removable_boundaries
        known = self._known.setdefault(groups, {})
        found: list[UserNodes] = []
        for user in list_positions(users.some):
            certain = bool(users.sure >> user & 1)
            freed, surely = bool(free.some >> user & 1), bool(free.sure >> user & 1)
            key = user, certain, bare, freed, surely
            nodes = known.get(key)
            if nodes is None:
                listed = self._list_user_nodes(user, groups, certain=certain, bare=bare)
                nodes = known[key] = tuple(
                    _add_nodes_without_boundary(listed, surely=surely)
                    if freed
                    else listed
                )
            found.append(nodes)
        return tuple(found)

    def _list_user_nodes(
        self, user: int, groups: VerdictBits, *, certain: bool, bare: bool
    ) -> Iterator[tuple[IdentityNode, bool]]:
        """Yield the node of a user for each group that it is not in."""
        realm = self._realm
        own, identity = realm.index.actors[user].groups, realm.nodes[user].identity
        for group in list_positions(groups.some):
            name = realm.groups.arn_index.texts[group]
            if name not in own:
                sure = certain and bool(groups.sure >> group & 1)
                yield IdentityNode(identity, name, bare=bare), sure


def _add_nodes_without_boundary(
    nodes: Iterator[tuple[IdentityNode, bool]], *, surely: bool
) -> Iterator[tuple[IdentityNode, bool]]:
    """Yield each node, and the same node without its boundary."""
    for node, sure in nodes:
        yield node, sure
        yield node._replace(bare=True), sure and surely


def list_distinct_nodes(group_joins: GroupJoins) -> Iterator[IdentityNode]:
    """Yield the nodes of all lists, those of a shared list once."""
    shared = {id(joined): joined for _, joined in group_joins}
    by_user = {id(nodes): nodes for joined in shared.values() for nodes in joined}
    return (node for nodes in by_user.values() for node, _ in nodes)


class NodeBitsets:
    """Bitsets of the lists of nodes of one graph, each built once."""

    def __init__(self, realm: CompiledGraph) -> None:
        self._numbers, self._size = realm.numbers, len(realm.nodes)
        self._by_list: dict[int, VerdictBits] = {}
        self._by_user: dict[int, VerdictBits] = {}

    def encode(self, joined: NodesByUser) -> VerdictBits:
        """Encode nodes as bitsets: certain ones, and all of them."""
        found = self._by_list.get(id(joined))
        if found is None:
            found = union_verdicts(map(self._encode_nodes_of_user, joined))
            self._by_list[id(joined)] = found
        return found

    def _encode_nodes_of_user(self, nodes: UserNodes) -> VerdictBits:
        found = self._by_user.get(id(nodes))
        if found is None:
            known = [(self._numbers[node], sure) for node, sure in nodes]
            found = self._by_user[id(nodes)] = VerdictBits(
                build_bitset((n for n, sure in known if sure), self._size),
                build_bitset((n for n, _ in known), self._size),
            )
        return found
