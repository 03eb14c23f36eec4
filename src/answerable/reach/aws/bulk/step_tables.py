"""Tables of steps and closure: computed once, stored, read by row.

Bitset rows repeat: ten thousand actors have about a thousand distinct rows, and each is
written once. A question reads only the rows and statements that it needs.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from answerable.model.inventory import DerivedTables
from answerable.reach.aws.bulk import actor_tables
from answerable.reach.aws.bulk.actor_tables import StoredActors
from answerable.reach.aws.bulk.all_principals import Rows
from answerable.reach.aws.bulk.bitset import gathered
from answerable.reach.aws.bulk.bitset_encoding import pack_set, unpack_set
from answerable.reach.aws.bulk.caller_side import Verdicts
from answerable.reach.aws.bulk.closure import Steps, Whole
from answerable.reach.aws.bulk.edges import Realm, grown, make_realm
from answerable.reach.aws.bulk.existing_resources import Existing
from answerable.reach.aws.bulk.transitive_closure import Closure
from answerable.reach.aws.paths.created_identities import is_made
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.lazy_tables import (
    ReadSequence,
    number_key,
    pack_numbers,
    unpack_numbers,
)

Tables = Mapping[str, Iterable[tuple[str, object]]]
_KINDS = ("steps", "written", "common", "assumed")


class _Head(msgspec.Struct, array_like=True):
    """Header of the tables of a `Whole`.

    Attributes:
        plain: Number of nodes without group memberships gained.
        size: Number of nodes.
        made: Nodes that are identities not yet created.
        rows: By kind, row numbers: pairs (sure, some), by actor.
        beyond: Row numbers of the closures over unconditional and over all steps.
        classes: Pairs (reached, members) of each closure.
        editors: Actors whose steps may depend on which identities are administrators.
        passers: Actors that may pass a role.
    """

    plain: int
    size: int
    made: bytes
    rows: dict[str, bytes]
    beyond: tuple[bytes, bytes]
    classes: tuple[bytes, bytes]
    editors: bytes
    passers: bytes


class _Numbering:
    """Numbers of distinct bitset rows, in order of appearance."""

    def __init__(self) -> None:
        self._number: dict[int, int] = {}

    def numbers(self, rows: Iterable[int]) -> bytes:
        known = self._number
        return pack_numbers(known.setdefault(row, len(known)) for row in rows)

    def rows(self) -> Iterator[tuple[str, bytes]]:
        for row, number in self._number.items():
            yield number_key(number), pack_set(row)


def tables_of(whole: Whole) -> Tables:
    """Encode steps, closure and actors as tables."""
    numbering, rows = _Numbering(), whole.rows
    nodes = whole.realm.nodes[: whole.size]
    head = _Head(
        plain=whole.plain,
        size=whole.size,
        made=pack_set(
            gathered(
                (n for n, each in enumerate(nodes) if is_made(each.identity)),
                whole.size,
            )
        ),
        rows={
            kind: numbering.numbers(
                bits for row in getattr(rows, kind) for bits in row[:2]
            )
            for kind in _KINDS
        },
        beyond=(
            numbering.numbers(whole.sure.beyond),
            numbering.numbers(whole.some.beyond),
        ),
        classes=(
            numbering.numbers(bits for pair in whole.sure.classes for bits in pair),
            numbering.numbers(bits for pair in whole.some.classes for bits in pair),
        ),
        editors=pack_set(rows.editors),
        passers=pack_set(rows.passers),
    )
    return {
        "head": [("", head)],
        "bits": numbering.rows(),
        **actor_tables.tables_of(whole.realm, nodes),
    }


def restore(graph: Graph, tables: DerivedTables) -> Whole:
    """Restore the closure of an equal graph; rows are read lazily.

    Args:
        graph: The graph.
        tables: Written by `tables_of` from a graph of the same facts.
    """
    head = tables.section("head", _Head)[""]
    read = _Rows(tables, head)
    sure, some = read.closures()
    return Whole(
        graph=graph,
        actors=StoredActors(graph, tables, head.size),
        table=Steps(read.verdicts("steps"), read.verdicts("assumed")),
        sure=sure,
        some=some,
        plain=head.plain,
        size=head.size,
        made=unpack_set(head.made),
        find=lambda: _found(graph, tables, head, read),
    )


def _found(
    graph: Graph, tables: DerivedTables, head: _Head, read: "_Rows"
) -> tuple[Realm, Rows]:
    """Compile the actors of a graph, and read every row of their steps."""
    realm = make_realm(graph)
    nodes = actor_tables.nodes_of(tables, head.size)
    more = nodes[head.plain :]
    if more:
        grown(realm, more)
    realm.index.scope = realm.index.all
    realm.index.forget_members()
    listed = {kind: list(read.verdicts(kind)) for kind in _KINDS}
    return realm, Rows(
        **listed,
        there=Existing(realm),
        editors=unpack_set(head.editors),
        passers=unpack_set(head.passers),
    )


class _Rows:
    """Bitset rows by number, decoded on first use."""

    def __init__(self, tables: DerivedTables, head: _Head) -> None:
        self._head = head
        self._kept = tables.section("bits", bytes)
        self._bits: dict[int, int] = {}
        self._shared: dict[tuple[int, int], Verdicts] = {}

    def bits(self, number: int) -> int:
        found = self._bits.get(number)
        if found is None:
            found = self._bits[number] = unpack_set(self._kept[number_key(number)])
        return found

    def verdicts(self, kind: str) -> Sequence[Verdicts]:
        numbers = unpack_numbers(self._head.rows[kind])
        return ReadSequence(len(numbers) // 2, lambda n: self._pair(numbers, n))

    def _pair(self, numbers: "array[int]", actor: int) -> Verdicts:
        pair = numbers[2 * actor], numbers[2 * actor + 1]
        found = self._shared.get(pair)
        if found is None:
            found = Verdicts(self.bits(pair[0]), self.bits(pair[1]))
            self._shared[pair] = found
        return found

    def closures(self) -> Iterator[Closure]:
        head = self._head
        for packed, classes in zip(head.beyond, head.classes, strict=True):
            yield Closure(self._listed(packed), self._pairs(classes))

    def _listed(self, packed: bytes) -> Sequence[int]:
        numbers = unpack_numbers(packed)
        return ReadSequence(len(numbers), lambda n: self.bits(numbers[n]))

    def _pairs(self, packed: bytes) -> Sequence[tuple[int, int]]:
        numbers = unpack_numbers(packed)
        return ReadSequence(
            len(numbers) // 2,
            lambda n: (self.bits(numbers[2 * n]), self.bits(numbers[2 * n + 1])),
        )
