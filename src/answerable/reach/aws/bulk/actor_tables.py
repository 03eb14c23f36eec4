"""Encode a graph's principals and the statements they hold as table rows.

A statement is its number in the tables of the accounts.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from answerable.reach.aws.bulk.bitset_encoding import encode_bitset
from answerable.reach.aws.bulk.key_partition import KeyPartition
from answerable.reach.aws.bulk.statement_holder_table import (
    HolderTable,
    list_literal_resource_prefixes,
    list_statement_services,
)
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.lazy_tables import encode_number_key, encode_unsigned_numbers

if TYPE_CHECKING:
    from answerable.reach.aws.bulk.graph_compiler import CompiledGraph

NODES_PER_ROW = 256  # nodes in a row
_TableRows = Iterable[tuple[str, object]]
KeyValue = tuple[str, ...] | None
CellRows = list[tuple[KeyValue, bytes]]
NodeRow = tuple[str, str, bool, bool]


class ActorsHeader(msgspec.Struct, array_like=True):
    """Header of the tables: fields of `CompiledGraph`, `StatementIndex` and `KeyPartition`, sets as bytes."""

    size: int
    plain: int
    widened: int
    base: bytes
    runs: list[tuple[int, int, int]]
    copied: list[int]
    bounded: bytes
    unbound: bytes
    linked: bytes
    limits: dict[str, bytes]
    unread: dict[str, bytes]
    complete: dict[str, bytes]
    spoken: list[str]
    nameless: bytes


def encode_principal_tables(
    compiled_graph: "CompiledGraph", nodes: Sequence[IdentityNode]
) -> Mapping[str, _TableRows]:
    """Encode the principals (nodes) of a compiled graph as storable tables."""
    index = compiled_graph.index
    head = ActorsHeader(
        size=index.size,
        plain=compiled_graph.plain,
        widened=compiled_graph.widened,
        base=encode_unsigned_numbers(index.base),
        runs=index.runs,
        copied=index.copies_by_identity,
        bounded=encode_bitset(index.bounded),
        unbound=encode_bitset(index.unbound),
        linked=encode_bitset(index.linked),
        limits={
            limit.target: encode_bitset(who) for limit, who in index.limits.items()
        },
        unread={layer or "": encode_bitset(who) for layer, who in index.unread.items()},
        complete={
            p: encode_bitset(who)
            for p, who in index.known.map_members_by_complete_key_prefix().items()
        },
        spoken=sorted(index.known.spoken),
        nameless=encode_bitset(index.known.nameless),
    )
    naming = compiled_graph.naming
    return {
        "actors": [("", head)],
        "nodes": _encode_node_rows(nodes),
        "numbers": sorted((encode_node_key(node), n) for n, node in enumerate(nodes)),
        "cells": _encode_condition_key_values(index.known),
        "accounts": sorted(
            (a, encode_bitset(who)) for a, who in naming.accounts.items()
        ),
        "names": sorted(
            (name, encode_unsigned_numbers(ns)) for name, ns in naming.by_id.items()
        ),
        "roles": sorted(
            ("\n".join(role), encode_unsigned_numbers(ns))
            for role, ns in naming.by_role.items()
        ),
        **_encode_statement_holders("identity", index.identity),
        **_encode_statement_holders("boundary", index.boundary),
    }


def _encode_node_rows(
    nodes: Sequence[IdentityNode],
) -> Iterator[tuple[str, list[NodeRow]]]:
    """Yield rows of 256 graph nodes, each row with its key."""
    for start in range(0, len(nodes), NODES_PER_ROW):
        run = nodes[start : start + NODES_PER_ROW]
        yield encode_number_key(start // NODES_PER_ROW), [(*node,) for node in run]


def encode_node_key(node: IdentityNode) -> str:
    """Encode a graph node as a table key: identity, gained permissions, no boundary."""
    return "\n".join((node.identity, node.extra, "bare" if node.bare else ""))


def _encode_condition_key_values(
    partition: KeyPartition,
) -> Iterator[tuple[str, CellRows]]:
    """Yield a row per condition key: its values, with the principals that have it."""
    for key in sorted(partition.spoken):
        yield (
            key,
            [
                (c.known.get_key_values(key), encode_bitset(c.members))
                for c in partition.split_members_by_condition_keys((key,))
            ],
        )


def _encode_statement_holders(
    name: str, table: HolderTable
) -> Mapping[str, _TableRows]:
    """Encode one layer's statements with their holders, and indexes to find them."""
    by_service: dict[str, list[int]] = defaultdict(list)
    wide: dict[str, list[int]] = defaultdict(list)
    narrow: dict[str, list[int]] = defaultdict(list)
    for clause in table.actors:
        for service in list_statement_services(clause):
            by_service[service].append(clause.number)
            if clause.wide:
                wide[service].append(clause.number)
            for start in list_literal_resource_prefixes(clause):
                narrow[f"{service}\n{start}"].append(clause.number)
    sets = (
        (encode_statement_key(c.number), encode_bitset(who))
        for c, who in table.actors.items()
    )
    return {
        f"{name}.actors": sorted(sets),
        f"{name}.services": _sort_table_rows(by_service),
        f"{name}.wide": _sort_table_rows(wide),
        f"{name}.narrow": _sort_table_rows(narrow),
    }


def _sort_table_rows(numbers_by_key: Mapping[str, list[int]]) -> _TableRows:
    """Sort (key, numbers) pairs by key, as the rows of a stored table."""
    return [(key, numbers_by_key[key]) for key in sorted(numbers_by_key)]


def encode_statement_key(number: int) -> str:
    """Encode a statement's number as the key of a stored table's row."""
    return encode_number_key(number + 1)  # one has the number -1
