"""Read the believed records of issued credentials, of events or of files of days (SQL)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from answerable.model.lineage import ChainKey, CredentialIssuance
from answerable.model.log_sources import ISSUERS
from answerable.store.query_tables import NamedTable, ParquetTable

if TYPE_CHECKING:
    from answerable.store.day_files import DayFiles
    from answerable.store.segment_scope import SegmentScope
    from answerable.store.store import EvidenceStore

KEY_COLUMNS = "identity, credential, session, person, run, agent, tool"
BELIEVED = "written_by <> 'self-reported'"
# Facts that our own issuers write; of another source they are its own words.
_CHAIN, _OWNER = (
    f"if(source IN {ISSUERS}, coalesce(list_filter(facts, lambda f: f[1] = '{name}')[1][2], "
    "''), '')"
    for name in ("chain", "owner")
)


def decode_chain_key(row: Sequence[object]) -> ChainKey:
    """Decode the key columns of a row."""
    return ChainKey(*map(str, row))


def drain_rows(rows: list[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    """Yield rows and free each, so that they are not in memory twice."""
    rows.reverse()
    while rows:
        yield rows.pop()


def build_issuance_rows_sql(rows: str) -> str:
    """Build the SQL of the believed records of issued credentials.

    Args:
        rows: SQL of a table of events.
    """
    return _build_rows_sql(rows, _CHAIN, _OWNER)


def build_issuance_file_sql(rows: str) -> str:
    """Build the same SQL, with one query that reads the facts of our own issuers alone.

    To read the facts of all events takes more time than all else.

    Args:
        rows: SQL of a table of Parquet files.
    """
    own = _build_rows_sql(rows, _CHAIN, _OWNER)
    others = _build_rows_sql(rows, "''", "''")
    return (
        f"{own} AND source IN {ISSUERS} UNION ALL {others} AND source NOT IN {ISSUERS}"
    )


def _build_rows_sql(rows: str, chain: str, owner: str) -> str:
    """Build the SQL of the records, with the SQL of two of their columns."""
    return (
        "SELECT event_time, issued, issued_to, issued_until, lower(hex(event_id)) AS "  # noqa: S608 - ours
        f"event, source, {chain} AS chain, {owner} AS owner, {KEY_COLUMNS} FROM {rows} "
        f"WHERE issued <> '' AND outcome = 'success' AND {BELIEVED}"
    )


def build_issuance_source(
    tables: Mapping[str, NamedTable],
    scope: "SegmentScope | None",
    days: "DayFiles | None",
) -> tuple[str, dict[str, NamedTable | ParquetTable], "SegmentScope | None"]:
    """Build the SQL of issuances, with its tables and its scope of the events.

    Args:
        tables: Other tables.
        scope: Segments that may match; None for all.
        days: Issuances of all sealed events; None to read them from the events.
    """
    rows = build_issuance_rows_sql("events")
    named = dict[str, NamedTable | ParquetTable](tables)
    if days is None:
        return rows, named, scope
    named["issuance_days"] = ParquetTable(tuple(days.paths))
    scope = days.sources.build_newer_scope(scope)
    return f"SELECT * FROM issuance_days UNION ALL {rows}", named, scope  # noqa: S608 - ours


def read_credential_issuances(
    store: "EvidenceStore",
    condition: str = "true",
    tables: Mapping[str, NamedTable] | None = None,
    scope: "SegmentScope | None" = None,
    days: "DayFiles | None" = None,
) -> Iterable[CredentialIssuance]:
    """Read the events that issued a credential, such as AssumeRole.

    Args:
        store: The store.
        condition: Trusted SQL condition on `issued`, `source` and the chain key.
        tables: Tables that the condition names.
        scope: Segments that may match the condition; None for all.
        days: Issuances of all sealed events; None to read them from the events.
    """
    rows, named, scope = build_issuance_source(tables or {}, scope, days)
    query = (
        "SELECT event_time, issued, issued_to, issued_until, event, source, chain, "  # noqa: S608 - ours
        f"owner, {KEY_COLUMNS} FROM ({rows}) WHERE {condition} ORDER BY event_time, event"
    )
    found = store.run_query(query, (), named, scope)
    parents: dict[tuple[object, ...], ChainKey] = {}  # few callers open most sessions
    for at, issued, to, until, event, source, chain, owner, *key in drain_rows(found):
        parent = parents.get(tuple(key)) or decode_chain_key(key)
        yield CredentialIssuance(
            at=cast("int", at),
            credential=str(issued),
            identity=str(to),
            until=cast("int", until),
            parent=parents.setdefault(tuple(key), parent),
            event=str(event),
            source=str(source),
            chain=tuple(str(chain).split()),
            owner=str(owner),
        )
