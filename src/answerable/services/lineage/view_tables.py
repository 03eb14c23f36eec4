"""Tables that the documented views join, for an engine that is not ours."""

from collections.abc import Mapping

from answerable.model.inventory import Inventory
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.store.chain_tables import build_chain_table
from answerable.store.query_tables import NamedTable, TableBuilder
from answerable.store.store import EvidenceStore


def build_view_tables(
    store: EvidenceStore,
    inventory: Inventory,
    inventory_tables: Mapping[str, TableBuilder],
) -> dict[str, NamedTable]:
    """Build `chains` and the tables of the inventory, by name.

    Args:
        inventory_tables: Builders of `agents`, `identities`, `credentials`, `owners`.
    """
    known = {"chains": build_chain_table(load_or_compute_chains(store))}
    for name, build in inventory_tables.items():
        table = build()
        if isinstance(table, NamedTable):
            known[name] = table
    return known
