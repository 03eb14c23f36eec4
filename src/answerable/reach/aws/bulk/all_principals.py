"""Step table of all principals, computed at once or recomputed for some of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from answerable.reach.aws.bulk.adjacency import Joined, Some, union
from answerable.reach.aws.bulk.bitset import gathered, positions
from answerable.reach.aws.bulk.caller_side import NEVER, Verdicts
from answerable.reach.aws.bulk.edges import Realm, grown
from answerable.reach.aws.bulk.existing_resources import Existing


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Steps of every actor, as adjacency rows.

    Attributes:
        steps: By actor, the identities it can become in one step.
        written: By actor, those by a credential or trust policy that it may write.
        common: By actor, these and all others except by assuming a role.
        assumed: By actor, those by assuming a role alone.
        there: Resources that escalation rules act on.
        editors: Actors whose steps may depend on which identities are administrators.
        passers: Actors that may pass a role.
    """

    steps: list[Verdicts]
    written: list[Verdicts]
    common: list[Verdicts]
    assumed: list[Verdicts]
    there: Existing
    editors: int = 0
    passers: int = 0

    def anew(self, realm: Realm, actors: int) -> "Rows | None":
        """Recompute the rows of some actors.

        Args:
            realm: All actors, after the edit.
            actors: Actors whose rows may have changed, as a bitset.

        Returns:
            All rows; None where a node appeared that the graph does not have.
        """
        some = Some.of(realm, positions(actors), self.there)
        joined = list(some.joined())
        if any(node not in realm.numbers for _, nodes in joined for node, _ in nodes):
            return None
        new = replace(
            self.copied(),
            editors=self.editors & ~actors | some.editors,
            passers=self.passers & ~actors | some.passers,
        )
        new.put(some, joined)
        return new

    def copied(self) -> "Rows":
        """Return a shallow copy whose rows may be replaced."""
        return replace(
            self,
            steps=list(self.steps),
            written=list(self.written),
            common=list(self.common),
            assumed=list(self.assumed),
        )

    def assuming(self, role: int, now: Verdicts, actors: int) -> "Rows":
        """Replace the verdict on assuming one role in the rows of some actors.

        Args:
            role: Number of the role.
            now: Actors that may assume it after the edit.
            actors: Actors whose rows change; their other steps through the role must
                stay.
        """
        new, bit = self.copied(), 1 << role
        shared: dict[tuple[int, int, bool, bool], Verdicts] = {}

        def put(row: Verdicts, common: Verdicts, actor: int) -> Verdicts:
            sure, some = bool(now.sure >> actor & 1), bool(now.some >> actor & 1)
            key = id(row), id(common), sure, some
            if key not in shared:
                sure, some = (
                    sure or bool(common.sure & bit),
                    some or bool(common.some & bit),
                )
                shared[key] = Verdicts(
                    row.sure & ~bit | sure << role, row.some & ~bit | some << role
                )
            return shared[key]

        for actor in positions(actors):
            new.steps[actor] = put(self.steps[actor], self.common[actor], actor)
            new.assumed[actor] = put(self.assumed[actor], NEVER, actor)
        return new

    def put(self, some: Some, joined: Iterable[tuple[int, Joined]]) -> None:
        """Replace the rows of some actors."""
        for n, actor in enumerate(some.actors):
            self.steps[actor], self.assumed[actor] = some.steps[n], some.assumed[n]
            self.written[actor], self.common[actor] = some.written[n], some.common[n]
        bits: dict[int, Verdicts] = {}
        for actor, nodes in joined:
            if id(nodes) not in bits:
                bits[id(nodes)] = _numbered(some.realm, nodes)
            self.steps[actor] = union([self.steps[actor], bits[id(nodes)]])


def rows_of(realm: Realm) -> Rows:
    """Compute every row; joining a group adds nodes, which have rows of their own."""
    rows = Rows([], [], [], [], Existing(realm))
    actors = range(len(realm.nodes))
    while actors:
        some = Some.of(realm, actors, rows.there)
        joined = [(actor, nodes) for actor, nodes in some.joined() if nodes]
        shared = {id(nodes): nodes for _, nodes in joined}
        met = (node for nodes in shared.values() for node, _ in nodes)
        new = dict.fromkeys(node for node in met if node not in realm.numbers)
        more = grown(realm, list(new)) if new else range(0)
        rows.steps.extend(some.steps)
        rows.written.extend(some.written)
        rows.common.extend(some.common)
        rows.assumed.extend(some.assumed)
        rows = replace(
            rows,
            editors=rows.editors | some.editors,
            passers=rows.passers | some.passers,
        )
        rows.put(some, joined)
        actors = more
    realm.index.scope = realm.index.all
    realm.index.forget_members()
    return rows


def _numbered(realm: Realm, nodes: Joined) -> Verdicts:
    """Encode nodes as a bitset."""
    size = len(realm.nodes)
    sure = gathered((realm.numbers[node] for node, sure in nodes if sure), size)
    return Verdicts(sure, gathered((realm.numbers[node] for node, _ in nodes), size))
