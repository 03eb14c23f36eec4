"""What ingested trails add to an inventory: who a key acts as, who made what."""

from answerable.flows.trail_evidence import trail_facts
from answerable.model.sighting import Sync
from answerable.store.store import Store

SOURCE = "trail:"


def sync(store: Store) -> Sync | None:
    """Return the trail's facts as a sync, or None when no event says anything."""
    facts = trail_facts(store)
    seen = [link.seen.at for link in facts.links]
    seen += [item.seen.at for item in facts.evidence]
    if not seen:
        return None
    return Sync(SOURCE, "trail", max(seen), facts)
