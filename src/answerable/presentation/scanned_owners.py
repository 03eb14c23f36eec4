"""Owners of agents, identities and credentials, where a scan could have named one."""

from typing import TYPE_CHECKING

from answerable.model.inventory import Inventory
from answerable.model.person import OwnerState
from answerable.presentation.inventory_items import (
    build_owner_item,
    build_unknown_owner_item,
)
from answerable.presentation.scanned_identities import is_identity_scanned

if TYPE_CHECKING:
    from answerable.model.documents.inventory import OwnerItem


def build_scanned_owner_item(inventory: Inventory, subject: str) -> "OwnerItem":
    """Build the owner of a subject; `not-known` instead of none without a scan of it."""
    item = build_owner_item(inventory, subject)
    identity = inventory.facts.identities_by_id().get(subject)
    # An identity that only a log names has no tags, so nothing could name its owner.
    scanned = (
        subject in inventory.agents
        or subject in inventory.credentials
        or (identity is not None and is_identity_scanned(inventory, identity))
    )
    if item["state"] == OwnerState.NONE.value and not scanned:
        return build_unknown_owner_item()
    return item
