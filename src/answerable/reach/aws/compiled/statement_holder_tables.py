"""Store the index of statement holders as tables, and read it row by row."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

from answerable.model.ids import IdentityId
from answerable.model.inventory import DerivedRuns, DerivedTables
from answerable.reach.aws.compiled.statement_holder_index import (
    IdentityNumbers,
    StatementHolderIndex,
)
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.lazy_tables import (
    LazyMapping,
    LazySequence,
    decode_unsigned_numbers,
    encode_number_key,
    encode_unsigned_numbers,
)

_IDENTITIES_PER_ROW = 256  # identities in a row
_Pair = tuple[str, str]  # identity and account
_IdentityRow = list[_Pair]
_NUMBERS = tuple(
    f"holding.{name}" for name in ("accounts", "names", "roles", "clauses")
)
_STARTS = "holding.starts"
# Tables of a part.
_UNREAD, _IDENTITIES = "holding.unread", "holding.identities"
Value = TypeVar("Value")


def encode_holder_index_tables(
    index: StatementHolderIndex,
) -> dict[str, list[tuple[str, object]]]:
    """Encode which identities have which statements as storable tables."""
    pairs = zip(index.ids, index.homes, strict=True)
    return {
        "holding": [("", (len(index.ids), encode_unsigned_numbers(index.unread)))],
        "holding.ids": list(_group_identities(pairs)),
        **_encode_numbers(index, 0),
    }


def encode_holder_index_of_part(
    index: StatementHolderIndex, first: int
) -> dict[str, list[tuple[str, object]]]:
    """Encode the index of one part of the identities; see `merge_holder_indexes`.

    Args:
        first: Number of the first identity of the part.
    """
    pairs = zip(index.ids, index.homes, strict=True)
    numbered = enumerate(pairs, first)
    return {
        _UNREAD: [("", _encode_shifted(index.unread, first))],
        _IDENTITIES: [(encode_number_key(number), pair) for number, pair in numbered],
        **_encode_numbers(index, first),
    }


def merge_holder_indexes(
    runs: DerivedRuns, size: int
) -> dict[str, Iterable[tuple[str, object]]]:
    """Merge the indexes of all parts into the tables of all identities.

    Args:
        size: Number of identities.
    """
    unread = [row for _, row in runs.combine(_UNREAD, bytes, b"".join)]
    pairs = (
        found for _, found in runs.combine(_IDENTITIES, tuple[str, str], _take_only)
    )
    return {
        "holding": [("", (size, *unread))],
        "holding.ids": _group_identities(pairs),
        **{name: runs.combine(name, bytes, b"".join) for name in _NUMBERS},
        _STARTS: runs.combine(_STARTS, bytes, _join_statement_numbers),
    }


def _take_only(rows: list[_Pair]) -> _Pair:
    """Return the only row of a key."""
    return rows[0]


def _join_statement_numbers(rows: list[bytes]) -> bytes:
    """Join lists of numbers of statements, each number once."""
    return encode_unsigned_numbers(
        dict.fromkeys(decode_unsigned_numbers(b"".join(rows)))
    )


def _group_identities(pairs: Iterable[_Pair]) -> Iterator[tuple[str, object]]:
    """Group pairs of an identity and its account into rows."""
    rest = iter(pairs)
    runs = iter(lambda: list(islice(rest, _IDENTITIES_PER_ROW)), [])
    return ((encode_number_key(number), run) for number, run in enumerate(runs))


def _encode_numbers(
    index: StatementHolderIndex, first: int
) -> dict[str, list[tuple[str, object]]]:
    """Encode the identities by account, name, role and statement.

    Args:
        first: Number of the first identity.
    """
    return {
        "holding.accounts": _encode_numbers_by_sorted_key(index.by_account, first),
        "holding.names": _encode_numbers_by_sorted_key(index.by_name, first),
        "holding.roles": _encode_numbers_by_sorted_key(
            {"\n".join(role): numbers for role, numbers in index.by_role.items()},
            first,
        ),
        "holding.clauses": _encode_numbers_by_sorted_key(
            {
                _encode_statement_key(clause.number): held
                for clause, held in index.by_clause.items()
            },
            first,
        ),
        _STARTS: _encode_numbers_by_sorted_key(
            {
                "\n".join(pair): array("I", (clause.number + 1 for clause in clauses))
                for pair, clauses in index.by_start.items()
            },
            0,
        ),
    }


def _encode_shifted(numbers: IdentityNumbers, first: int) -> bytes:
    """Encode numbers that start at zero as numbers that start at `first`."""
    shifted = (number + first for number in numbers)
    return encode_unsigned_numbers(shifted if first else numbers)


def _encode_numbers_by_sorted_key(
    numbers_by_key: Mapping[str, IdentityNumbers], first: int
) -> list[tuple[str, object]]:
    """Encode lists of numbers as table rows, in the order of their keys.

    Args:
        first: Number that is written for zero.
    """
    return [
        (key, _encode_shifted(numbers_by_key[key], first))
        for key in sorted(numbers_by_key)
    ]


def _encode_statement_key(number: int) -> str:
    """Encode the number of a statement as a table key."""
    return encode_number_key(number + 1)  # one has the number -1


class StoredHolderIndex(StatementHolderIndex):
    """Index of statement holders, read lazily from tables."""

    def __init__(
        self,
        tables: DerivedTables,
        statements: Sequence[CompiledStatement],
        full_access: CompiledStatement,
    ) -> None:
        """Open the tables.

        Args:
            tables: Written by `encode_holder_index_tables`.
            statements: Statements by number.
            full_access: Statement with the number -1.
        """
        size, unread = tables.section("holding", tuple[int, bytes])[""]
        runs = tables.section("holding.ids", _IdentityRow)

        def pair(number: int) -> tuple[str, str]:
            return runs[encode_number_key(number // _IDENTITIES_PER_ROW)][
                number % _IDENTITIES_PER_ROW
            ]

        def clause(number: int) -> CompiledStatement:
            return statements[number - 1] if number else full_access

        self.ids = LazySequence(size, lambda n: IdentityId(pair(n)[0]))
        self.homes = LazySequence(size, lambda n: pair(n)[1])
        self.everyone = range(size)
        self.unread = decode_unsigned_numbers(unread)
        self.by_account = _read_identity_number_table(tables, "accounts")
        self.by_name = _read_identity_number_table(tables, "names")
        self.by_role = _PairKeyedRows(_read_identity_number_table(tables, "roles"))
        self.by_clause = _StatementKeyedRows(
            _read_identity_number_table(tables, "clauses")
        )
        starts = tables.section("holding.starts", bytes)
        self.by_start = _PairKeyedRows(
            LazyMapping(
                starts, lambda _, row: list(map(clause, decode_unsigned_numbers(row)))
            )
        )


def _read_identity_number_table(
    tables: DerivedTables, name: str
) -> Mapping[str, IdentityNumbers]:
    """Return a table of identity numbers by key, decoded lazily."""
    rows = tables.section(f"holding.{name}", bytes)
    return LazyMapping(rows, lambda _, row: decode_unsigned_numbers(row))


class _PairKeyedRows(Mapping[tuple[str, str], Value], Generic[Value]):
    """Rows keyed by a pair of words."""

    def __init__(self, rows: Mapping[str, Value]) -> None:
        self._rows = rows

    def __getitem__(self, pair: tuple[str, str]) -> Value:
        return self._rows["\n".join(pair)]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for key in self._rows:
            first, second = key.split("\n")
            yield first, second

    def __len__(self) -> int:
        return len(self._rows)


class _StatementKeyedRows(Mapping[CompiledStatement, IdentityNumbers]):
    """Rows keyed by statement."""

    def __init__(self, rows: Mapping[str, IdentityNumbers]) -> None:
        self._rows = rows

    def __getitem__(self, statement: CompiledStatement) -> IdentityNumbers:
        return self._rows.get(_encode_statement_key(statement.number), ())

    def __iter__(self) -> Iterator[CompiledStatement]:
        raise NotImplementedError(
            "the index cannot be iterated: statements are looked up by key"
        )

    def __len__(self) -> int:
        return len(self._rows)
