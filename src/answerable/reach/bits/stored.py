"""Steps and closure of every actor as bytes: found once, kept, restored in milliseconds.

Rows of bits repeat: ten thousand actors have some thousand different ones, and each is
written once.
"""

import sys
from array import array
from collections.abc import Iterable, Sequence

import msgspec

from answerable.reach.bits.closure import Closure
from answerable.reach.bits.everybody import Rows
from answerable.reach.bits.existing import Existing
from answerable.reach.bits.rights import Verdicts
from answerable.reach.bits.ways import grown, make_realm
from answerable.reach.bits.whole import Whole, joined_whole
from answerable.reach.paths.graph import Graph
from answerable.reach.paths.steps import Node

_KINDS = ("steps", "written", "common", "assumed")


class _Stored(msgspec.Struct, array_like=True):
    """All of a `Whole` but its graph.

    Attributes:
        plain: How many nodes the graph has by itself.
        nodes: All of them, in order.
        bits: Each different row of bits, little-endian.
        rows: By kind, numbers in `bits`: pairs (sure, some), by actor.
        beyond: Numbers in `bits`, along sure steps and along any.
        classes: Pairs (reached, members) of each closure.
        editors: Actors whose steps may depend on who is an admin already.
        passers: Actors that may pass a role.
    """

    plain: int
    nodes: list[tuple[str, str, bool, bool]]
    bits: list[bytes]
    rows: dict[str, bytes]
    beyond: tuple[bytes, bytes]
    classes: tuple[bytes, bytes]
    editors: bytes
    passers: bytes


_DECODER = msgspec.msgpack.Decoder(_Stored)


class _Table:
    """Numbers of different rows of bits, in the order they are met."""

    def __init__(self) -> None:
        self._number: dict[int, int] = {}

    def numbers(self, rows: Iterable[int]) -> bytes:
        known = self._number
        found = array("I", (known.setdefault(row, len(known)) for row in rows))
        if sys.byteorder == "big":
            found.byteswap()
        return found.tobytes()

    def bits(self) -> list[bytes]:
        return [_bytes(row) for row in self._number]


def encode(whole: Whole) -> bytes:
    """Write steps and closure as bytes."""
    table, rows = _Table(), whole.rows
    stored = {
        kind: table.numbers(bits for row in getattr(rows, kind) for bits in row[:2])
        for kind in _KINDS
    }
    beyond = table.numbers(whole.sure.beyond), table.numbers(whole.some.beyond)
    classes = (
        table.numbers(bits for pair in whole.sure.classes for bits in pair),
        table.numbers(bits for pair in whole.some.classes for bits in pair),
    )
    return msgspec.msgpack.encode(
        _Stored(
            plain=whole.plain,
            nodes=[_plain(node) for node in whole.realm.nodes[: whole.size]],
            bits=table.bits(),
            rows=stored,
            beyond=beyond,
            classes=classes,
            editors=_bytes(rows.editors),
            passers=_bytes(rows.passers),
        )
    )


def decode(graph: Graph, data: bytes) -> Whole | None:
    """Restore what was found of an equal graph.

    Args:
        graph: The graph.
        data: As `encode` wrote it.

    Returns:
        All of the graph; None where the bytes speak of other actors.
    """
    try:
        stored = _DECODER.decode(data)
    except msgspec.MsgspecError:
        return None
    realm = make_realm(graph)
    nodes = [Node(*node) for node in stored.nodes]  # type: ignore[arg-type]  # ids
    if realm.nodes != nodes[: stored.plain]:
        return None
    if len(nodes) > stored.plain:
        grown(realm, nodes[stored.plain :])
    realm.index.scope = realm.index.all
    realm.index.forget_members()
    bits = [int.from_bytes(row, "little") for row in stored.bits]
    shared: dict[tuple[int, int], Verdicts] = {}
    listed = {kind: _verdicts(stored.rows[kind], bits, shared) for kind in _KINDS}
    rows = Rows(
        **listed,
        there=Existing(realm),
        editors=int.from_bytes(stored.editors, "little"),
        passers=int.from_bytes(stored.passers, "little"),
    )
    sure, some = (
        Closure(tuple(_ints(beyond, bits)), tuple(_pairs(_ints(classes, bits))))
        for beyond, classes in zip(stored.beyond, stored.classes, strict=True)
    )
    return joined_whole(graph, realm, rows, (sure, some))


def _plain(node: Node) -> tuple[str, str, bool, bool]:
    return node.identity, node.extra, node.session, node.bare


def _bytes(row: int) -> bytes:
    return row.to_bytes((row.bit_length() + 7) // 8, "little")


def _numbers(data: bytes) -> "array[int]":
    found = array("I")
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _ints(data: bytes, bits: Sequence[int]) -> list[int]:
    return [bits[number] for number in _numbers(data)]


def _pairs(rows: Sequence[int]) -> Iterable[tuple[int, int]]:
    return zip(rows[::2], rows[1::2], strict=True)


def _verdicts(
    data: bytes, bits: Sequence[int], shared: dict[tuple[int, int], Verdicts]
) -> list[Verdicts]:
    numbers = _numbers(data)
    found: list[Verdicts] = []
    for pair in zip(numbers[::2], numbers[1::2], strict=True):
        row = shared.get(pair)
        if row is None:
            row = shared[pair] = Verdicts(bits[pair[0]], bits[pair[1]])
        found.append(row)
    return found
