"""Reach of one subject in one graph: identities, and permission levels of rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import positions
from answerable.reach.aws.bulk.caller_side import Verdicts
from answerable.reach.aws.bulk.closure import Whole, whole_of
from answerable.reach.aws.paths.edges import Node
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.paths.search import Reached, reached
from answerable.reach.aws.patterns.arns import EVERYTHING, Parts
from answerable.reach.aws.patterns.globs import is_literal
from answerable.reach.aws.patterns.terms import (
    ACTIONS,
    RESOURCES,
    Term,
    covers,
    parts_text,
)
from answerable.reach.aws.permission_rows.row_types import Filter, Row
from answerable.reach.formula import TRUE, Verdict
from answerable.reach.queries import Extent, principal_rows

# Most identities whose rows are searched for a pattern; beyond that it is not known.
MOST_SEARCHED = 64


_RANK = {Verdict.NEVER: 0, Verdict.NOT_KNOWN: 1, Verdict.ONLY_IF: 2, Verdict.ALWAYS: 3}


@dataclass(frozen=True, slots=True)
class Standing:
    """Verdict of a subject on a pattern over all paths, and the share it covers.

    Attributes:
        covers: Share of the pattern.
    """

    verdict: Verdict
    covers: Extent

    @property
    def rank(self) -> tuple[int, bool]:
        """Sort key: more permissions are greater."""
        return _RANK[self.verdict], self.covers is Extent.ALL

    @property
    def is_whole(self) -> bool:
        """Tell whether all of the pattern is allowed unconditionally."""
        return self.verdict is Verdict.ALWAYS and self.covers is Extent.ALL


NONE = Standing(Verdict.NEVER, Extent.NONE)
UNKNOWN = Standing(Verdict.NOT_KNOWN, Extent.PART)


def standing_of(found: Verdict | None) -> Standing:
    """Build the level of a verdict on one resource; None means never."""
    return Standing(found, Extent.ALL) if found else NONE


@dataclass(eq=False, slots=True)
class Side:
    """Reach of a subject in one of two compared graphs.

    Attributes:
        start: Identity that the subject acts as.
        absent: Whether the subject cannot act as that identity in this graph.
    """

    graph: Graph
    start: IdentityId
    absent: bool = False
    whole: Whole = field(init=False)
    number: int = field(init=False)
    reach: Verdicts = field(init=False)
    _ways: dict[Node, Reached] = field(default_factory=dict)
    _searched: dict[tuple[Term[str], Term[Parts]], Standing] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        """Look up the identities that the subject can become."""
        self.whole = whole_of(self.graph)
        self.number = self.whole.number(self.graph.start(self.start))
        own = 0 if self.absent else 1 << self.number
        if self.absent or self.number >= self.whole.size:
            self.reach = Verdicts(own, own)
        else:
            self.reach = Verdicts(
                self.whole.sure.beyond[self.number] | own,
                self.whole.some.beyond[self.number] | own,
            )

    def identities(self) -> dict[IdentityId, Verdict]:
        """Return the verdict on becoming each reachable identity."""
        found: dict[IdentityId, Verdict] = {}
        for number in positions(self.reach.some):
            name = self.whole.node(number).identity
            if self.reach.sure >> number & 1:
                found[name] = Verdict.ALWAYS
            else:
                found.setdefault(name, Verdict.ONLY_IF)
        return found

    def nodes(self, wanted: Iterable[IdentityId] | None) -> list[Node]:
        """List the nodes that the subject reaches, itself first.

        Args:
            wanted: Only nodes of these identities; None for all.
        """
        names = None if wanted is None else frozenset(wanted)
        numbers = (n for n in positions(self.reach.some) if n != self.number)
        first = () if self.absent else (self.number,)
        every = [self.whole.node(number) for number in (*first, *numbers)]
        return [node for node in every if names is None or node.identity in names]

    def nearest(self, name: IdentityId) -> Node:
        """Choose a reached node of an identity, an unconditional one if possible."""
        nodes = self.nodes([name])
        return min([node for node in nodes if self.is_sure(node)] or nodes)

    def ways(self, wanted: Iterable[Node]) -> dict[Node, Reached]:
        """Return a shortest path to each of some nodes."""
        left = {node for node in wanted if node not in self._ways}
        for way in reached(self.graph, self.graph.start(self.start)) if left else ():
            if way.node in left:
                self._ways[way.node] = way
                left.discard(way.node)
                if not left:
                    break
        return self._ways

    def is_sure(self, node: Node) -> bool:
        """Tell whether a node is reached unconditionally."""
        return bool(self.reach.sure >> self.whole.number(node) & 1)

    def standing(self, row: Row, by: Node | None = None) -> Standing:
        """Return the permission level of a row, over all paths.

        Args:
            row: The row.
            by: Node that has the row itself, or None.
        """
        key = row.actions, row.resources
        found = self._searched.get(key)
        if found is None:
            found = self._searched[key] = self._standing(row)
        if by is None or (is_one_call(row) and self.number < self.whole.size):
            return found  # exact for a single call
        return better(found, self._given_by(by, row, row))

    def _standing(self, row: Row) -> Standing:
        literal = _literal(row)
        if self.absent:
            return NONE
        if literal and self.number < self.whole.size:
            found = self.whole.leads(self.number, self.whole.goal(*literal))
            return Standing(found, Extent.NONE if found == "never" else Extent.ALL)
        nodes = self.nodes(None)
        best = NONE
        for node in nodes[:MOST_SEARCHED]:
            for one in self._touching(node, row):
                best = better(best, self._given_by(node, one, row))
                if best.is_whole:
                    return best
        return best if len(nodes) <= MOST_SEARCHED else _at_least(best)

    def _touching(self, node: Node, row: Row) -> Iterator[Row]:
        wanted = Filter(row.actions, row.resources)
        yield from principal_rows(self.graph, self.graph.principal(node), wanted)

    def _given_by(self, node: Node, one: Row, row: Row) -> Standing:
        """Return the level of a row that another row gives."""
        whole = covers(ACTIONS, one.actions, row.actions) and covers(
            RESOURCES, one.resources, row.resources
        )
        sure = one.formula == TRUE and self.is_sure(node)
        word = Verdict.ALWAYS if sure and whole else Verdict.ONLY_IF
        return Standing(word, Extent.ALL if whole else Extent.PART)


def is_one_call(row: Row) -> bool:
    """Tell whether a row is about one action on one resource."""
    return _literal(row) is not None


def _literal(row: Row) -> tuple[str, str] | None:
    """Return the single call of a row, None for several."""
    pattern = row.resources.pattern
    if row.actions.excluded or row.resources.excluded or pattern == EVERYTHING:
        return None
    if not is_literal(row.actions.pattern) or not all(map(is_literal, pattern)):
        return None
    # A name without an account means the caller's own account.
    if len(pattern) != 6 or (not pattern[4] and pattern[2] != "s3"):
        return None
    return row.actions.pattern, parts_text(pattern)


def better(one: Standing, other: Standing) -> Standing:
    """Return the higher level."""
    return max(one, other, key=lambda each: each.rank)


def _at_least(best: Standing) -> Standing:
    """Return `not-known` for a negative result of an incomplete search."""
    return UNKNOWN if best.verdict is Verdict.NEVER else best
