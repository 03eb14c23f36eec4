"""Stitched chains of all events, cached until the facts change."""

from answerable.lineage.chain_index import Chains
from answerable.lineage.stitch import stitch
from answerable.model.inventory import Inventory
from answerable.services.inventory import snapshots
from answerable.store import chain_queries, lineage_facts
from answerable.store.query_views import Shown
from answerable.store.store import Store


def stitched(store: Store, inventory: Inventory | None = None) -> Chains:
    """Load or stitch the chains of all joints.

    Chains are stitched again after new events, snapshots or statements about owners: a
    later fact improves the answer and changes no evidence.

    Args:
        store: Store of the events.
        inventory: The newest snapshot, if loaded; loading takes long.
    """
    known = lineage_facts.load_chains(store)
    if known is not None:
        return Chains(known)
    facts = lineage_facts.load_facts(store)
    parents: dict[str, str] = {}
    if store.objects("snapshot"):
        agents = (inventory or snapshots.load(store)).agents
        parents = {k: e.agent.parent for k, e in agents.items() if e.agent.parent}
    found = stitch(
        facts.joints,
        facts.issuances,
        snapshots.declared_uses(store),
        facts.sign_ins,
        parents,
    )
    lineage_facts.save_chains(store, facts, found)
    return Chains(found)


def shown(store: Store) -> Shown:
    """Build the `lineage` view for SQL queries."""
    return chain_queries.shown(stitched(store))
