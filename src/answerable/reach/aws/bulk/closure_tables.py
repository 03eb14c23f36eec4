"""Store the steps and the closure of a graph as tables, and restore them row by row.

Bitset rows repeat: ten thousand actors have about a thousand distinct rows, and each is
written once. A question reads only the rows and statements that it needs.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from answerable.model.inventory import DerivedTables
from answerable.reach.aws.bulk import actor_tables, stored_principals
from answerable.reach.aws.bulk.bitset import VerdictBits, build_bitset
from answerable.reach.aws.bulk.bitset_encoding import decode_bitset, encode_bitset
from answerable.reach.aws.bulk.closure import ActorSteps, GraphClosure
from answerable.reach.aws.bulk.stored_principals import StoredActors
from answerable.reach.aws.bulk.transitive_closure import TransitiveClosure
from answerable.reach.aws.paths.identity_edges import is_not_yet_created
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.lazy_tables import (
    LazySequence,
    decode_unsigned_numbers,
    encode_number_key,
    encode_unsigned_numbers,
)

if TYPE_CHECKING:
    from answerable.reach.aws.bulk.graph_compiler import CompiledGraph
    from answerable.reach.aws.bulk.step_table import StepTable

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

    def number_distinct_rows(self, rows: Iterable[int]) -> bytes:
        """Encode rows by number; equal rows share one number."""
        known = self._number
        return encode_unsigned_numbers(
            known.setdefault(row, len(known)) for row in rows
        )

    def list_distinct_rows(self) -> Iterator[tuple[str, bytes]]:
        """List each distinct row once, with its table key."""
        for row, number in self._number.items():
            yield encode_number_key(number), encode_bitset(row)


def encode_closure_tables(closure: GraphClosure) -> Tables:
    """Encode a graph's steps, closure and principals as storable tables."""
    numbering, rows = _RowNumbering(), closure.step_table
    nodes = closure.compiled_graph.nodes[: closure.size]
    head = _StepsHeader(
        plain=closure.plain,
        size=closure.size,
        made=encode_bitset(
            build_bitset(
                (
                    n
                    for n, each in enumerate(nodes)
                    if is_not_yet_created(each.identity)
                ),
                closure.size,
            )
        ),
        rows={
            kind: numbering.number_distinct_rows(
                bits for row in getattr(rows, kind) for bits in row[:2]
            )
            for kind in _KINDS
        },
        beyond=(
            numbering.number_distinct_rows(closure.sure.beyond),
            numbering.number_distinct_rows(closure.some.beyond),
        ),
        classes=(
            numbering.number_distinct_rows(
                bits for pair in closure.sure.classes for bits in pair
            ),
            numbering.number_distinct_rows(
                bits for pair in closure.some.classes for bits in pair
            ),
        ),
        editors=encode_bitset(rows.editors),
        passers=encode_bitset(rows.passers),
    )
    return {
        "head": [("", head)],
        "bits": numbering.list_distinct_rows(),
        **actor_tables.encode_principal_tables(closure.compiled_graph, nodes),
    }


def restore_closure_from_tables(
    graph: IdentityGraph, tables: DerivedTables
) -> GraphClosure:
    """Restore a graph's closure from stored tables; rows are read lazily.

    Args:
        graph: The graph.
        tables: Written by `encode_closure_tables` from a graph of the same facts.
    """
    head = tables.section("head", _StepsHeader)[""]
    read = _BitRows(tables, head)
    sure, some = read.read_transitive_closures()
    return GraphClosure(
        graph=graph,
        actors=StoredActors(graph, tables, head.size),
        table=ActorSteps(
            read.read_verdict_rows("steps"), read.read_verdict_rows("assumed")
        ),
        sure=sure,
        some=some,
        plain=head.plain,
        size=head.size,
        made=decode_bitset(head.made),
        find=lambda: _restore_compiled_graph(graph, tables, head, read),
    )


def _restore_compiled_graph(
    graph: IdentityGraph, tables: DerivedTables, header: _StepsHeader, rows: "_BitRows"
) -> "tuple[CompiledGraph, StepTable]":
    """Compile a graph, and read all its steps from stored tables."""
    from answerable.reach.aws.bulk.existing_resources import ExistingResources
    from answerable.reach.aws.bulk.graph_compiler import add_nodes, compile_graph
    from answerable.reach.aws.bulk.step_table import StepTable

    realm = compile_graph(graph)
    nodes = stored_principals.StoredNodes(tables, header.size)
    more = nodes[header.plain :]
    if more:
        add_nodes(realm, more)
    realm.index.scope = realm.index.all_principals
    realm.index.clear_member_caches()
    listed = {kind: list(rows.read_verdict_rows(kind)) for kind in _KINDS}
    return realm, StepTable(
        **listed,
        there=ExistingResources(realm),
        editors=decode_bitset(header.editors),
        passers=decode_bitset(header.passers),
    )


class _BitRows:
    """Bitset rows by number, decoded on first use."""

    def __init__(self, tables: DerivedTables, header: _StepsHeader) -> None:
        self._head = header
        self._kept = tables.section("bits", bytes)
        self._bits: dict[int, int] = {}
        self._shared: dict[tuple[int, int], VerdictBits] = {}

    def read_bitset_row(self, number: int) -> int:
        """Read one bitset row by its number; cached."""
        found = self._bits.get(number)
        if found is None:
            found = self._bits[number] = decode_bitset(
                self._kept[encode_number_key(number)]
            )
        return found

    def read_verdict_rows(self, kind: str) -> Sequence[VerdictBits]:
        """Return the verdict rows of one kind, by principal, read lazily."""
        numbers = decode_unsigned_numbers(self._head.rows[kind])
        return LazySequence(
            len(numbers) // 2, lambda n: self._read_verdict_row(numbers, n)
        )

    def _read_verdict_row(self, numbers: "array[int]", actor: int) -> VerdictBits:
        """Read the certain and the possible row of one principal."""
        pair = numbers[2 * actor], numbers[2 * actor + 1]
        found = self._shared.get(pair)
        if found is None:
            found = VerdictBits(
                self.read_bitset_row(pair[0]), self.read_bitset_row(pair[1])
            )
            self._shared[pair] = found
        return found

    def read_transitive_closures(self) -> Iterator[TransitiveClosure]:
        """Yield the closures over unconditional steps and over all steps."""
        head = self._head
        for packed, classes in zip(head.beyond, head.classes, strict=True):
            yield TransitiveClosure(
                self._decode_row_list(packed), self._decode_row_pair_list(classes)
            )

    def _decode_row_list(self, packed: bytes) -> Sequence[int]:
        """Decode row numbers into a lazy list of rows."""
        numbers = decode_unsigned_numbers(packed)
        return LazySequence(len(numbers), lambda n: self.read_bitset_row(numbers[n]))

    def _decode_row_pair_list(self, packed: bytes) -> Sequence[tuple[int, int]]:
        """Decode row numbers into a lazy list of pairs of rows."""
        numbers = decode_unsigned_numbers(packed)
        return LazySequence(
            len(numbers) // 2,
            lambda n: (
                self.read_bitset_row(numbers[2 * n]),
                self.read_bitset_row(numbers[2 * n + 1]),
            ),
        )
