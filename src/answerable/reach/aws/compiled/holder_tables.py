"""Tables of the holders of statements, read by row."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from answerable.model.ids import IdentityId
from answerable.model.inventory import DerivedTables
from answerable.reach.aws.compiled.holder_index import Holding, Numbers
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.lazy_tables import (
    ReadMapping,
    ReadSequence,
    number_key,
    pack_numbers,
    unpack_numbers,
)

_RUN = 256  # identities in a row
_Run = list[tuple[str, str]]
Value = TypeVar("Value")


def tables_of(holding: Holding) -> dict[str, list[tuple[str, object]]]:
    """Encode the holders of statements as tables."""
    pairs = list(zip(holding.ids, holding.homes, strict=True))
    runs = [pairs[start : start + _RUN] for start in range(0, len(pairs), _RUN)]
    return {
        "holding": [("", (len(pairs), pack_numbers(holding.unread)))],
        "holding.ids": [(number_key(n), run) for n, run in enumerate(runs)],
        "holding.accounts": _sorted(holding.by_account),
        "holding.names": _sorted(holding.by_name),
        "holding.roles": _sorted(
            {"\n".join(role): numbers for role, numbers in holding.by_role.items()}
        ),
        "holding.clauses": _sorted(
            {_key(clause.number): held for clause, held in holding.by_clause.items()}
        ),
        "holding.starts": _sorted(
            {
                "\n".join(pair): array("I", (clause.number + 1 for clause in clauses))
                for pair, clauses in holding.by_start.items()
            }
        ),
    }


def _sorted(found: Mapping[str, Numbers]) -> list[tuple[str, object]]:
    return [(key, pack_numbers(found[key])) for key in sorted(found)]


def _key(clause: int) -> str:
    return number_key(clause + 1)  # one has the number -1


class StoredHolding(Holding):
    """Index of statement holders, read lazily from tables."""

    def __init__(
        self, tables: DerivedTables, clauses: Sequence[Clause], everything: Clause
    ) -> None:
        """Open the tables.

        Args:
            tables: Written by `tables_of`.
            clauses: Statements by number.
            everything: Statement with the number -1.
        """
        size, unread = tables.section("holding", tuple[int, bytes])[""]
        runs = tables.section("holding.ids", _Run)

        def pair(number: int) -> tuple[str, str]:
            return runs[number_key(number // _RUN)][number % _RUN]

        def clause(number: int) -> Clause:
            return clauses[number - 1] if number else everything

        self.ids = ReadSequence(size, lambda n: IdentityId(pair(n)[0]))
        self.homes = ReadSequence(size, lambda n: pair(n)[1])
        self.everyone = range(size)
        self.unread = unpack_numbers(unread)
        self.by_account = _numbers(tables, "accounts")
        self.by_name = _numbers(tables, "names")
        self.by_role = _ByPair(_numbers(tables, "roles"))
        self.by_clause = _ByClause(_numbers(tables, "clauses"))
        starts = tables.section("holding.starts", bytes)
        self.by_start = _ByPair(
            ReadMapping(starts, lambda _, row: list(map(clause, unpack_numbers(row))))
        )


def _numbers(tables: DerivedTables, name: str) -> Mapping[str, Numbers]:
    rows = tables.section(f"holding.{name}", bytes)
    return ReadMapping(rows, lambda _, row: unpack_numbers(row))


class _ByPair(Mapping[tuple[str, str], Value], Generic[Value]):
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


class _ByClause(Mapping[Clause, Numbers]):
    """Rows keyed by statement."""

    def __init__(self, rows: Mapping[str, Numbers]) -> None:
        self._rows = rows

    def __getitem__(self, clause: Clause) -> Numbers:
        return self._rows.get(_key(clause.number), ())

    def __iter__(self) -> Iterator[Clause]:
        raise NotImplementedError("statements are looked up one by one")

    def __len__(self) -> int:
        return len(self._rows)
