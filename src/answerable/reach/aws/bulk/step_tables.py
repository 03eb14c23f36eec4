"""Tables of steps and closure: computed once, stored, read by row.

Bitset rows repeat: ten thousand actors have about a thousand distinct rows, and each is
written once. A question reads only the rows and statements that it needs.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from answerable.model.inventory import DerivedTables
from answerable.reach.aws.bulk import actor_tables, stored_actors
from answerable.reach.aws.bulk.all_principals import StepTable
from answerable.reach.aws.bulk.bitset import build_bitset
from answerable.reach.aws.bulk.bitset_encoding import decode_bitset, encode_bitset
from answerable.reach.aws.bulk.caller_side import VerdictBits
from answerable.reach.aws.bulk.closure import ActorSteps, GraphClosure
from answerable.reach.aws.bulk.edges import CompiledGraph, add_nodes, compile_graph
from answerable.reach.aws.bulk.existing_resources import ExistingResources
from answerable.reach.aws.bulk.stored_actors import StoredActors
from answerable.reach.aws.bulk.transitive_closure import TransitiveClosure
from answerable.reach.aws.paths.created_identities import is_uncreated
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.lazy_tables import (
    LazySequence,
    decode_numbers,
    encode_number_key,
    encode_numbers,
)

Tables = Mapping[str, Iterable[tuple[str, object]]]
_KINDS = ("steps", "written", "common", "assumed")


class _StepsHeader(msgspec.Struct, array_like=True):
    """Header of the tables of a `GraphClosure`.

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


class _RowNumbering:
    """Numbers of distinct bitset rows, in order of appearance."""

    def __init__(self) -> None:
        self._number: dict[int, int] = {}

    def encode_rows(self, rows: Iterable[int]) -> bytes:
        known = self._number
        return encode_numbers(known.setdefault(row, len(known)) for row in rows)

    def list_rows(self) -> Iterator[tuple[str, bytes]]:
        for row, number in self._number.items():
            yield encode_number_key(number), encode_bitset(row)


def encode_steps(whole: GraphClosure) -> Tables:
    """Encode steps, closure and actors as tables."""
    numbering, rows = _RowNumbering(), whole.step_table
    nodes = whole.compiled_graph.nodes[: whole.size]
    head = _StepsHeader(
        plain=whole.plain,
        size=whole.size,
        made=encode_bitset(
            build_bitset(
                (n for n, each in enumerate(nodes) if is_uncreated(each.identity)),
                whole.size,
            )
        ),
        rows={
            kind: numbering.encode_rows(
                bits for row in getattr(rows, kind) for bits in row[:2]
            )
            for kind in _KINDS
        },
        beyond=(
            numbering.encode_rows(whole.sure.beyond),
            numbering.encode_rows(whole.some.beyond),
        ),
        classes=(
            numbering.encode_rows(bits for pair in whole.sure.classes for bits in pair),
            numbering.encode_rows(bits for pair in whole.some.classes for bits in pair),
        ),
        editors=encode_bitset(rows.editors),
        passers=encode_bitset(rows.passers),
    )
    return {
        "head": [("", head)],
        "bits": numbering.list_rows(),
        **actor_tables.encode_actors(whole.compiled_graph, nodes),
    }


def restore_closure(graph: IdentityGraph, tables: DerivedTables) -> GraphClosure:
    """Restore the closure of an equal graph; rows are read lazily.

    Args:
        graph: The graph.
        tables: Written by `encode_steps` from a graph of the same facts.
    """
    head = tables.section("head", _StepsHeader)[""]
    read = _BitRows(tables, head)
    sure, some = read.read_closures()
    return GraphClosure(
        graph=graph,
        actors=StoredActors(graph, tables, head.size),
        table=ActorSteps(read.read_verdicts("steps"), read.read_verdicts("assumed")),
        sure=sure,
        some=some,
        plain=head.plain,
        size=head.size,
        made=decode_bitset(head.made),
        find=lambda: _restore_graph(graph, tables, head, read),
    )


def _restore_graph(
    graph: IdentityGraph, tables: DerivedTables, head: _StepsHeader, read: "_BitRows"
) -> tuple[CompiledGraph, StepTable]:
    """Compile the actors of a graph, and read every row of their steps."""
    realm = compile_graph(graph)
    nodes = stored_actors.read_nodes(tables, head.size)
    more = nodes[head.plain :]
    if more:
        add_nodes(realm, more)
    realm.index.scope = realm.index.all
    realm.index.clear_member_caches()
    listed = {kind: list(read.read_verdicts(kind)) for kind in _KINDS}
    return realm, StepTable(
        **listed,
        there=ExistingResources(realm),
        editors=decode_bitset(head.editors),
        passers=decode_bitset(head.passers),
    )


class _BitRows:
    """Bitset rows by number, decoded on first use."""

    def __init__(self, tables: DerivedTables, head: _StepsHeader) -> None:
        self._head = head
        self._kept = tables.section("bits", bytes)
        self._bits: dict[int, int] = {}
        self._shared: dict[tuple[int, int], VerdictBits] = {}

    def read_row(self, number: int) -> int:
        found = self._bits.get(number)
        if found is None:
            found = self._bits[number] = decode_bitset(
                self._kept[encode_number_key(number)]
            )
        return found

    def read_verdicts(self, kind: str) -> Sequence[VerdictBits]:
        numbers = decode_numbers(self._head.rows[kind])
        return LazySequence(len(numbers) // 2, lambda n: self._read_pair(numbers, n))

    def _read_pair(self, numbers: "array[int]", actor: int) -> VerdictBits:
        pair = numbers[2 * actor], numbers[2 * actor + 1]
        found = self._shared.get(pair)
        if found is None:
            found = VerdictBits(self.read_row(pair[0]), self.read_row(pair[1]))
            self._shared[pair] = found
        return found

    def read_closures(self) -> Iterator[TransitiveClosure]:
        head = self._head
        for packed, classes in zip(head.beyond, head.classes, strict=True):
            yield TransitiveClosure(self._read_list(packed), self._read_pairs(classes))

    def _read_list(self, packed: bytes) -> Sequence[int]:
        numbers = decode_numbers(packed)
        return LazySequence(len(numbers), lambda n: self.read_row(numbers[n]))

    def _read_pairs(self, packed: bytes) -> Sequence[tuple[int, int]]:
        numbers = decode_numbers(packed)
        return LazySequence(
            len(numbers) // 2,
            lambda n: (
                self.read_row(numbers[2 * n]),
                self.read_row(numbers[2 * n + 1]),
            ),
        )
