"""Tables of the actors of a graph and the statements they hold, read by row.

A statement is its number in the tables of the accounts.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from answerable.model.ids import IdentityId
from answerable.model.inventory import DerivedTables
from answerable.model.policy import Effect, Layer
from answerable.reach.aws.bulk.bitset import Texts, span
from answerable.reach.aws.bulk.bitset_encoding import pack_set, unpack_set
from answerable.reach.aws.bulk.edges import Realm
from answerable.reach.aws.bulk.partition import Cell, Cells
from answerable.reach.aws.bulk.resource_policies import Naming
from answerable.reach.aws.bulk.statement_index import (
    Held,
    Index,
    Wide,
    plain_starts,
    services,
)
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.organization_policies import Limit
from answerable.reach.aws.compiled.principals import EVERYTHING_CLAUSE
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.paths.edges import Node
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.lazy_tables import (
    ReadMapping,
    ReadSequence,
    number_key,
    pack_numbers,
    unpack_numbers,
)

_RUN = 256  # nodes in a row
_Rows = Iterable[tuple[str, object]]
_Value = tuple[str, ...] | None
_Cells = list[tuple[_Value, bytes]]
_Plain = tuple[str, str, bool, bool]


class _Head(msgspec.Struct, array_like=True):
    """Header of the tables: fields of `Realm`, `Index` and `Cells`, sets as bytes."""

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


def tables_of(realm: Realm, nodes: Sequence[Node]) -> Mapping[str, _Rows]:
    """Encode the actors of a graph as tables."""
    index = realm.index
    head = _Head(
        size=index.size,
        plain=realm.plain,
        widened=realm.widened,
        base=pack_numbers(index.base),
        runs=index.runs,
        copied=index.copies,
        bounded=pack_set(index.bounded),
        unbound=pack_set(index.unbound),
        linked=pack_set(index.linked),
        limits={limit.target: pack_set(who) for limit, who in index.limits.items()},
        unread={layer or "": pack_set(who) for layer, who in index.unread.items()},
        complete={p: pack_set(who) for p, who in index.known.completed().items()},
        spoken=sorted(index.known.spoken),
        nameless=pack_set(index.known.nameless),
    )
    naming = realm.naming
    return {
        "actors": [("", head)],
        "nodes": _nodes(nodes),
        "numbers": sorted((_spelled(node), n) for n, node in enumerate(nodes)),
        "cells": _cells(index.known),
        "accounts": sorted((a, pack_set(who)) for a, who in naming.accounts.items()),
        "names": sorted((name, pack_numbers(ns)) for name, ns in naming.by_id.items()),
        "roles": sorted(
            ("\n".join(role), pack_numbers(ns)) for role, ns in naming.by_role.items()
        ),
        **_held("identity", index.identity),
        **_held("boundary", index.boundary),
    }


def _nodes(nodes: Sequence[Node]) -> Iterator[tuple[str, list[_Plain]]]:
    for start in range(0, len(nodes), _RUN):
        run = nodes[start : start + _RUN]
        yield number_key(start // _RUN), [(*node,) for node in run]


def _spelled(node: Node) -> str:
    return "\n".join((node.identity, node.extra, "bare" if node.bare else ""))


def _cells(known: Cells) -> Iterator[tuple[str, _Cells]]:
    for key in sorted(known.spoken):
        yield key, [(c.known.get(key), pack_set(c.members)) for c in known.of((key,))]


def _held(name: str, held: Held) -> Mapping[str, _Rows]:
    """Encode the statements of a layer, their holders, and indexes to find them."""
    by_service: dict[str, list[int]] = defaultdict(list)
    wide: dict[str, list[int]] = defaultdict(list)
    narrow: dict[str, list[int]] = defaultdict(list)
    for clause in held.actors:
        for service in services(clause):
            by_service[service].append(clause.number)
            if clause.wide:
                wide[service].append(clause.number)
            for start in plain_starts(clause):
                narrow[f"{service}\n{start}"].append(clause.number)
    sets = ((_key(c.number), pack_set(who)) for c, who in held.actors.items())
    return {
        f"{name}.actors": sorted(sets),
        f"{name}.services": _sorted(by_service),
        f"{name}.wide": _sorted(wide),
        f"{name}.narrow": _sorted(narrow),
    }


def _sorted(found: Mapping[str, list[int]]) -> _Rows:
    return [(key, found[key]) for key in sorted(found)]


def _key(clause: int) -> str:
    return number_key(clause + 1)  # one has the number -1


def nodes_of(tables: DerivedTables, size: int) -> Sequence[Node]:
    """Return the nodes of actors, read lazily."""
    rows = tables.section("nodes", list[_Plain])
    runs: dict[int, list[Node]] = {}

    def read(number: int) -> Node:
        run, place = divmod(number, _RUN)
        if run not in runs:
            runs[run] = [
                Node(IdentityId(identity), extra, session, bare)
                for identity, extra, session, bare in rows[number_key(run)]
            ]
        return runs[run][place]

    return ReadSequence(size, read)


class StoredActors:
    """Actors of a graph, read lazily from tables; implements `ActorSource`."""

    def __init__(self, graph: Graph, tables: DerivedTables, size: int) -> None:
        """Open the tables."""
        head = tables.section("actors", _Head)[""]
        self.plain, self.widened = head.plain, head.widened
        self.nodes = nodes_of(tables, size)
        self.numbers = _Numbers(tables.section("numbers", int))
        self.index: Index = _StoredIndex(graph, tables, head, self.nodes)
        self.naming = Naming.restored(
            self.index,
            graph.estate.given,
            accounts=ReadMapping(tables.section("accounts", bytes), _set),
            by_id=ReadMapping(tables.section("names", bytes), _numbers),
            by_role=_Roles(tables.section("roles", bytes)),
        )


def _set(_: str, row: bytes) -> int:
    return unpack_set(row)


def _numbers(_: str, row: bytes) -> Sequence[int]:
    return unpack_numbers(row)


class _Numbers(Mapping[Node, int]):
    """Numbers by node, read from a table."""

    def __init__(self, rows: Mapping[str, int]) -> None:
        self._rows = rows

    def __getitem__(self, node: Node) -> int:
        if node.session:
            raise KeyError(node)
        return self._rows[_spelled(node)]

    def __iter__(self) -> Iterator[Node]:
        for key in self._rows:
            identity, extra, bare = key.split("\n")
            yield Node(IdentityId(identity), extra, bare=bool(bare))

    def __len__(self) -> int:
        return len(self._rows)


class _Roles(Mapping[tuple[str, str], Sequence[int]]):
    """Numbers of roles by account and name."""

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        self._rows = rows

    def __getitem__(self, role: tuple[str, str]) -> Sequence[int]:
        return unpack_numbers(self._rows["\n".join(role)])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for key in self._rows:
            account, name = key.split("\n")
            yield account, name

    def __len__(self) -> int:
        return len(self._rows)


class _StoredIndex(Index):
    """Statement index read from tables; statements are looked up by call."""

    def __init__(
        self, graph: Graph, tables: DerivedTables, head: _Head, nodes: Sequence[Node]
    ) -> None:
        estate, size = graph.estate, len(nodes)
        actors = ReadSequence(size, lambda n: graph.principal(nodes[n]))
        self._begin(actors, head.size)
        self.base = unpack_numbers(head.base)
        self.runs = head.runs
        for number in head.copied:
            self._copy_one(number, self.base[number])
        self.bounded = unpack_set(head.bounded)
        self.unbound = unpack_set(head.unbound)
        self.linked = unpack_set(head.linked)
        self.scope = self.all
        limits = _limits_of(estate)
        self.limits = {limits[t]: unpack_set(who) for t, who in head.limits.items()}
        for layer, who in head.unread.items():
            self.unread[Layer(layer) if layer else None] = unpack_set(who)
        self.identity = _StoredHeld(estate, tables, "identity")
        self.boundary = _StoredHeld(estate, tables, "boundary")
        self.known = _StoredCells(tables, head, nodes)


def _limits_of(estate: Estate) -> Mapping[str, Limit]:
    return {one.target: one for levels in estate.controls.values() for one in levels}


class _StoredHeld(Held):
    """Statements of one layer, looked up by service and by literal resource prefix."""

    def __init__(self, estate: Estate, tables: DerivedTables, name: str) -> None:
        super().__init__()
        self._estate = estate
        self._kept = tables.section(f"{name}.actors", bytes)
        self._services_of = tables.section(f"{name}.services", list[int])
        self._wide_of = tables.section(f"{name}.wide", list[int])
        self._narrow_of = tables.section(f"{name}.narrow", list[int])
        self.actors = _Holders(self._kept)

    def wide(self, action: str) -> Wide:
        found = self._wide.get(action)
        if found is None:
            allowed = denied = 0
            for clause in self._listed(self._wide_of, _both(action)):
                if clause.takes_action(action):
                    if clause.effect is Effect.ALLOW:
                        allowed |= self.actors[clause]
                    else:
                        denied |= self.actors[clause]
            found = self._wide[action] = Wide(allowed, denied)
        return found

    def narrow(self, action: str, resource: str) -> Iterator[Clause]:
        starts = [resource[:length] for length in range(len(resource) + 1)]
        keys = [f"{service}\n{start}" for service in _both(action) for start in starts]
        for clause in self._listed(self._narrow_of, keys):
            if clause.takes_action(action):
                yield clause

    def of(self, service: str) -> Iterator[Clause]:
        if service == "*":
            return (self._clause(int(key) - 1) for key in self._kept)
        return self._listed(self._services_of, (service, ""))

    def _listed(
        self, table: Mapping[str, list[int]], keys: Iterable[str]
    ) -> Iterator[Clause]:
        """List the statements under some keys without duplicates."""
        numbers = dict.fromkeys(n for key in keys for n in table.get(key, ()))
        return map(self._clause, numbers)

    def _clause(self, number: int) -> Clause:
        return EVERYTHING_CLAUSE if number < 0 else self._estate.clauses[number]


def _both(action: str) -> tuple[str, str]:
    """Return the index keys of an action: its service, and any service."""
    return action.partition(":")[0], ""


class _Holders(dict[Clause, int]):
    """Holders of each statement, read on first use."""

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        super().__init__()
        self._rows = rows

    def __missing__(self, clause: Clause) -> int:
        found = self[clause] = unpack_set(self._rows[_key(clause.number)])
        return found


class _StoredCells(Cells):
    """Partition of identities by condition keys, read by key."""

    def __init__(
        self, tables: DerivedTables, head: _Head, nodes: Sequence[Node]
    ) -> None:
        self._begin(head.size)
        self._nodes = nodes
        self._rows = tables.section("cells", _Cells)
        self.spoken = frozenset(head.spoken)
        self.complete = tuple(head.complete)
        self._completed = {p: unpack_set(who) for p, who in head.complete.items()}
        self.nameless = unpack_set(head.nameless)

    def _texts(self) -> Texts | None:
        if self._names is None:
            self._names = Texts([node.identity for node in self._nodes[: self.size]])
        return self._names

    def _part(self, keys: tuple[str, ...]) -> list[Cell]:
        """Split by one key after the other."""
        cells: list[tuple[int, dict[str, tuple[str, ...]]]] = [(span(0, self.size), {})]
        for key in keys:
            values = list(self._valued_cells(key))
            cells = [
                (both, known if value is None else {**known, key: value})
                for members, known in cells
                for value, holding in values
                if (both := members & holding)
            ]
        return [Cell(members, Known(known)) for members, known in cells]

    def _valued_cells(self, key: str) -> Iterator[tuple[_Value, int]]:
        """Pair each value of a key with the identities that have it."""
        if key in self.spoken:
            for value, members in self._rows[key]:
                yield value, unpack_set(members)
            return
        absent = 0
        for prefix, complete in self._completed.items():
            absent |= complete if key.startswith(prefix) else 0
        yield (), absent
        yield None, span(0, self.size) & ~absent
