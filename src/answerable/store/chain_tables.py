"""Build SQL tables of chains with validity intervals, and the view `lineage`."""

from collections.abc import Mapping, Sequence

from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.model.lineage import LineageChain
from answerable.store.documented_views import HOPS, LINEAGE
from answerable.store.query_tables import ColumnType, NamedTable, TableBuilder
from answerable.store.query_views import ViewDefinitions
from answerable.store.sql_dialects import DUCKDB

JointInterval = tuple[SourcedChainKey, int, int]
_TEXT, _TEXTS = ColumnType.TEXT, ColumnType.TEXTS
_JOINTS: Mapping[str, ColumnType] = {
    "n": ColumnType.INT,
    "source": _TEXT,
    "believed": ColumnType.BOOL,
    "identity": _TEXT,
    "credential": _TEXT,
    "session": _TEXT,
    "person": _TEXT,
    "run": _TEXT,
    "agent": _TEXT,
    "tool": _TEXT,
    "valid_from": ColumnType.INT,
    "valid_to": ColumnType.INT,
}


def build_chain_interval_table(keys: Sequence[JointInterval]) -> NamedTable:
    """Build a table of chain keys and time intervals, each with its index `n`."""
    return NamedTable(
        _JOINTS, [_build_interval_row(n, *key) for n, key in enumerate(keys)]
    )


def build_chain_group_table(chains: Sequence[tuple[int, JointInterval]]) -> NamedTable:
    """Build a table of chain keys and intervals, each with its group number `n`."""
    return NamedTable(
        _JOINTS, [_build_interval_row(n, *interval) for n, interval in chains]
    )


def _build_interval_row(
    n: int, chain_key: SourcedChainKey, start: int, end: int
) -> dict[str, object]:
    """Build one table row of a chain key and its time interval."""
    return {
        "n": n,
        "source": chain_key.source,
        "believed": chain_key.believed,
        "identity": chain_key.key.identity,
        "credential": chain_key.key.credential,
        "session": chain_key.key.session,
        "person": chain_key.key.person,
        "run": chain_key.key.run,
        "agent": chain_key.key.agent,
        "tool": chain_key.key.tool,
        "valid_from": start,
        "valid_to": end,
    }


_CHAIN: Mapping[str, ColumnType] = {
    **_JOINTS,
    **{
        f"{hop}_{part}": _TEXT for hop in HOPS for part in ("hop", "status", "known_by")
    },
    "agent_path": _TEXTS,
    "identity_path": _TEXTS,
    "credential_path": _TEXTS,
    "credential_from": ColumnType.TIME,
    "credential_to": ColumnType.TIME,
    "delegation_id": _TEXT,
}


# Events of one chain, outcome and day; `n` and `valid_from` are those of the chain.
CHAIN_COUNTS: Mapping[str, ColumnType] = {
    "n": ColumnType.INT,
    "valid_from": ColumnType.INT,
    "outcome": _TEXT,
    "day": ColumnType.INT,
    "events": ColumnType.INT,
    "first": ColumnType.INT,
    "last": ColumnType.INT,
}


def build_chain_table(
    stitched: Sequence[ChainTimeline], first_number: int = 0
) -> NamedTable:
    """Build the table `chains`: the hops of each chain key and time interval.

    Args:
        stitched: Chains.
        first_number: Number `n` of the first chain key.
    """
    return NamedTable(
        _CHAIN,
        [
            {
                **_build_interval_row(
                    number, each.chain_key, chain.valid_from, chain.valid_to
                ),
                **_build_chain_row(chain),
            }
            for number, each in enumerate(stitched, first_number)
            for chain in each.chains
        ],
    )


def build_lineage_view(build_chains: TableBuilder) -> ViewDefinitions:
    """Build the view `lineage`: every event with its chain, one row per event.

    Args:
        build_chains: Builds the table `chains`.
    """
    return ViewDefinitions(
        {"chains": build_chains}, {"lineage": DUCKDB.build_select(LINEAGE)}
    )


def _build_chain_row(chain: LineageChain) -> dict[str, object]:
    """Build the columns of a chain for the view `lineage`."""
    row: dict[str, object] = {}
    for name, hop in (
        ("person", chain.person),
        ("agent", chain.agent),
        ("tool", chain.tool),
        ("identity", chain.identity),
        ("identity_owner", chain.identity_owner),
    ):
        row |= {
            f"{name}_hop": hop.value,
            f"{name}_status": hop.status.value,
            f"{name}_known_by": hop.source,
        }
    return row | {
        "agent_path": list(chain.agent_path),
        "identity_path": list(chain.identity_path),
        "credential_path": list(chain.credential_path),
        "credential_from": chain.credential_from or None,
        "credential_to": chain.credential_to or None,
        "delegation_id": chain.delegation_id,
    }
