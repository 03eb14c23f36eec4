"""Read the principals of a stored permission graph from its tables, when needed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from answerable.model.ids import IdentityId
from answerable.model.inventory import DerivedTables
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.bulk.actor_tables import (
    NODES_PER_ROW,
    ActorsHeader,
    CellRows,
    KeyValue,
    NodeRow,
    encode_node_key,
    encode_statement_key,
)
from answerable.reach.aws.bulk.bitset import ArnIndex, build_range
from answerable.reach.aws.bulk.bitset_encoding import decode_bitset
from answerable.reach.aws.bulk.key_partition import KeyPartition, PartitionCell
from answerable.reach.aws.bulk.statement_holder_table import ActorsByEffect, HolderTable
from answerable.reach.aws.bulk.statement_index import StatementIndex
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer
from answerable.reach.aws.compiled.principals import FULL_ACCESS_STATEMENT
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.lazy_tables import (
    LazyMapping,
    LazySequence,
    decode_unsigned_numbers,
    encode_number_key,
)

if TYPE_CHECKING:
    from answerable.reach.aws.bulk.resource_policies import PrincipalMatcher


class StoredNodes(LazySequence[IdentityNode]):
    """Graph nodes of stored tables, each built on first use."""

    def __init__(self, tables: DerivedTables, size: int) -> None:
        self._rows = tables.section("nodes", list[NodeRow])
        super().__init__(size, self._read_node)

    def list_identities(self, stop: int) -> list[str]:
        """List the identity of each node before a number."""
        last = -(-stop // NODES_PER_ROW)
        rows = (self._rows[encode_number_key(run)] for run in range(last))
        return [row[0] for run in rows for row in run][:stop]

    def _read_node(self, number: int) -> IdentityNode:
        """Read one node by its number."""
        run, place = divmod(number, NODES_PER_ROW)
        identity, extra, session, bare = self._rows[encode_number_key(run)][place]
        return IdentityNode(IdentityId(identity), extra, session, bare)


class StoredActors:
    """Actors of a graph, read lazily from tables; implements `ActorSource`."""

    def __init__(self, graph: IdentityGraph, tables: DerivedTables, size: int) -> None:
        """Open the tables."""
        self._tables = tables
        self._stated_keys = graph.accounts.given
        head = tables.section("actors", ActorsHeader)[""]
        self.plain, self.widened = head.plain, head.widened
        self.nodes = StoredNodes(tables, size)
        self.numbers = _NodeNumbers(tables.section("numbers", int))
        self.index: StatementIndex = _StoredStatementIndex(
            graph, tables, head, self.nodes
        )

    @cached_property
    def naming(self) -> "PrincipalMatcher":
        """Matcher of Principal elements against the principals."""
        from answerable.reach.aws.bulk.resource_policies import PrincipalMatcher

        tables = self._tables
        return PrincipalMatcher.from_index(
            self.index,
            self._stated_keys,
            accounts=LazyMapping(tables.section("accounts", bytes), _decode_bitset_row),
            by_id=LazyMapping(tables.section("names", bytes), _decode_number_row),
            by_role=_RoleNumbers(tables.section("roles", bytes)),
        )


def _decode_bitset_row(_: str, row: bytes) -> int:
    """Decode a table row as a bitset."""
    return decode_bitset(row)


def _decode_number_row(_: str, row: bytes) -> Sequence[int]:
    """Decode a table row as a list of numbers."""
    return decode_unsigned_numbers(row)


class _NodeNumbers(Mapping[IdentityNode, int]):
    """Numbers by node, read from a table."""

    def __init__(self, rows: Mapping[str, int]) -> None:
        self._rows = rows

    def __getitem__(self, node: IdentityNode) -> int:
        if node.session:
            raise KeyError(node)
        return self._rows[encode_node_key(node)]

    def __iter__(self) -> Iterator[IdentityNode]:
        for key in self._rows:
            identity, extra, bare = key.split("\n")
            yield IdentityNode(IdentityId(identity), extra, bare=bool(bare))

    def __len__(self) -> int:
        return len(self._rows)


class _RoleNumbers(Mapping[tuple[str, str], Sequence[int]]):
    """Numbers of roles by account and name."""

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        self._rows = rows

    def __getitem__(self, role: tuple[str, str]) -> Sequence[int]:
        return decode_unsigned_numbers(self._rows["\n".join(role)])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for key in self._rows:
            account, name = key.split("\n")
            yield account, name

    def __len__(self) -> int:
        return len(self._rows)


class _StoredStatementIndex(StatementIndex):
    """Statement index read from tables; statements are looked up by call."""

    def __init__(
        self,
        graph: IdentityGraph,
        tables: DerivedTables,
        header: ActorsHeader,
        nodes: StoredNodes,
    ) -> None:
        accounts, size = graph.accounts, len(nodes)
        actors = LazySequence(size, lambda n: graph.get_principal(nodes[n]))
        self._reset_to_empty_index(actors, header.size)
        self.base = decode_unsigned_numbers(header.base)
        self.runs = header.runs
        for number in header.copied:
            self._record_identity_copy(number, self.base[number])
        self.bounded = decode_bitset(header.bounded)
        self.unbound = decode_bitset(header.unbound)
        self.linked = decode_bitset(header.linked)
        self.scope = self.all_principals
        limits = _index_scp_levels_by_target(accounts)
        self.limits = {
            limits[t]: decode_bitset(who) for t, who in header.limits.items()
        }
        for layer, who in header.unread.items():
            self.unread[PolicyLayer(layer) if layer else None] = decode_bitset(who)
        self.identity = _StoredHolderTable(accounts, tables, "identity")
        self.boundary = _StoredHolderTable(accounts, tables, "boundary")
        self.known = _StoredKeyPartition(tables, header, nodes)


def _index_scp_levels_by_target(
    accounts: CompiledAccounts,
) -> Mapping[str, LimitingLayer]:
    """Return the SCP levels of all accounts by target."""
    return {
        one.target: one for levels in accounts.scp_levels.values() for one in levels
    }


class _StoredHolderTable(HolderTable):
    """Statements of one layer, looked up by service and by literal resource prefix."""

    def __init__(
        self, accounts: CompiledAccounts, tables: DerivedTables, name: str
    ) -> None:
        super().__init__()
        self._estate = accounts
        self._kept = tables.section(f"{name}.actors", bytes)
        self._services_of = tables.section(f"{name}.services", list[int])
        self._wide_of = tables.section(f"{name}.wide", list[int])
        self._narrow_of = tables.section(f"{name}.narrow", list[int])
        self.actors = _HolderBits(self._kept)

    def find_holders_of_all_resource_statements(self, action: str) -> ActorsByEffect:
        """Return the holders of `Resource: *` statements, read from tables."""
        found = self._wide.get(action)
        if found is None:
            allowed = denied = 0
            for clause in self._list_statements_under_keys(
                self._wide_of, _list_action_index_keys(action)
            ):
                if clause.matches_action(action):
                    if clause.effect is PolicyEffect.ALLOW:
                        allowed |= self.actors[clause]
                    else:
                        denied |= self.actors[clause]
            found = self._wide[action] = ActorsByEffect(allowed, denied)
        return found

    def list_statements_on_specific_resources(
        self, action: str, resource: str
    ) -> Iterator[CompiledStatement]:
        """List statements on specific resources, read from tables."""
        starts = [resource[:length] for length in range(len(resource) + 1)]
        keys = [
            f"{service}\n{start}"
            for service in _list_action_index_keys(action)
            for start in starts
        ]
        for clause in self._list_statements_under_keys(self._narrow_of, keys):
            if clause.matches_action(action):
                yield clause

    def list_statements_on_service(self, service: str) -> Iterator[CompiledStatement]:
        """List the statements on a service, read from tables."""
        if service == "*":
            return (self._get_statement_by_number(int(key) - 1) for key in self._kept)
        return self._list_statements_under_keys(self._services_of, (service, ""))

    def _list_statements_under_keys(
        self, table: Mapping[str, list[int]], keys: Iterable[str]
    ) -> Iterator[CompiledStatement]:
        """List the statements under some table keys, without duplicates."""
        numbers = dict.fromkeys(n for key in keys for n in table.get(key, ()))
        return map(self._get_statement_by_number, numbers)

    def _get_statement_by_number(self, number: int) -> CompiledStatement:
        """Read one policy statement by its number in the store's tables."""
        return FULL_ACCESS_STATEMENT if number < 0 else self._estate.clauses[number]


def _list_action_index_keys(action: str) -> tuple[str, str]:
    """Return the index keys of an action: its service, and any service."""
    return action.partition(":")[0], ""


class _HolderBits(dict[CompiledStatement, int]):
    """Holders of each statement, read on first use."""

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        super().__init__()
        self._rows = rows

    def __missing__(self, statement: CompiledStatement) -> int:
        found = self[statement] = decode_bitset(
            self._rows[encode_statement_key(statement.number)]
        )
        return found


class _StoredKeyPartition(KeyPartition):
    """Partition of identities by condition keys, read by key."""

    def __init__(
        self, tables: DerivedTables, header: ActorsHeader, nodes: StoredNodes
    ) -> None:
        self._reset_to_single_cell(header.size)
        self._nodes = nodes
        self._rows = tables.section("cells", CellRows)
        self.spoken = frozenset(header.spoken)
        self.complete = tuple(header.complete)
        self._completed = {p: decode_bitset(who) for p, who in header.complete.items()}
        self.nameless = decode_bitset(header.nameless)

    def _get_member_arn_index(self) -> ArnIndex | None:
        """Return the index of identity ARNs, built on first use."""
        if self._names is None:
            self._names = ArnIndex(self._nodes.list_identities(self.size))
        return self._names

    def _split_members_into_cells(self, keys: tuple[str, ...]) -> list[PartitionCell]:
        """Split identities by condition keys, one key after the other."""
        cells: list[tuple[int, dict[str, tuple[str, ...]]]] = [
            (build_range(0, self.size), {})
        ]
        for key in keys:
            values = list(self._list_members_by_key_value(key))
            cells = [
                (both, known if value is None else {**known, key: value})
                for members, known in cells
                for value, holding in values
                if (both := members & holding)
            ]
        return [PartitionCell(members, ContextKeys(known)) for members, known in cells]

    def _list_members_by_key_value(self, key: str) -> Iterator[tuple[KeyValue, int]]:
        """Pair each value of a key with the identities that have it."""
        if key in self.spoken:
            for value, members in self._rows[key]:
                yield value, decode_bitset(members)
            return
        absent = 0
        for prefix, complete in self._completed.items():
            absent |= complete if key.startswith(prefix) else 0
        yield (), absent
        yield None, build_range(0, self.size) & ~absent
