"""Resolve identities that audit logs name only at creation or deletion."""

from collections.abc import Sequence

from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.inventory import Inventory
from answerable.services.lineage import name_predicates, name_resolution
from answerable.store.store import EvidenceStore

# An identity that never acted is on no path: only these columns name it.
_NAMED = (
    "SELECT DISTINCT value FROM ("
    "SELECT created AS value FROM events UNION ALL SELECT deleted FROM events "
    "UNION ALL SELECT issued_to FROM events) WHERE ends_with(value, ?)"
)


def resolve_audit_log_identity(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    text: str,
) -> str:
    """Resolve the name of an identity that audit logs saw created but not acting.

    Args:
        store: The store.
        inventory: The snapshot.
        chains: Chains behind the events.
        text: As asked; empty for no question.

    Returns:
        The ARN, or the text itself where it is a pattern or names something known.

    Raises:
        UsageError: Neither the snapshot nor an event knows it.
        AmbiguousError: It names several identities.
    """
    exact = name_predicates.get_exact_value(text)
    if not text or exact is not None or name_predicates.is_glob(text):
        return text
    try:
        name_resolution.resolve_identity(inventory, chains, text)
    except AmbiguousError:
        raise
    except UsageError:
        found = _find_created_identities(store, text.strip())
        if not found:
            raise
        if len(found) > 1:
            raise AmbiguousError(
                f"{text.strip()!r} matches {len(found)} identities (expected one)",
                found,
            ) from None
        return found[0]
    return text


def _find_created_identities(store: EvidenceStore, name: str) -> tuple[str, ...]:
    """Find ARNs that were created, deleted or assumed and end in a name."""
    return tuple(
        sorted(str(value) for (value,) in store.run_query(_NAMED, ["/" + name]))
    )
