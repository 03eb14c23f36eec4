"""Identities that a source described, with their policies and owners."""

from answerable.model.foreign_graph import PLATFORM as FOREIGN_GRAPH
from answerable.model.identity import Identity
from answerable.model.inventory import Inventory


def is_identity_scanned(inventory: Inventory, identity: Identity) -> bool:
    """Return whether a source described an identity, with its policies and owners."""
    accounts = inventory.get_or_compute_value(
        "accounts with policies", _list_accounts_with_policies
    )
    described = inventory.get_or_compute_value(
        "described by a catalogue", _list_described_places
    )
    # An AWS identity known only from a file or an audit log has no platform id.
    return (
        identity.seen.source in described
        or _get_place_in_id(identity.id) in described
        or (bool(identity.unique_id) and identity.account in accounts)
    )


def _list_accounts_with_policies(inventory: Inventory) -> frozenset[str]:
    """List the accounts whose identity policies were collected."""
    return frozenset(
        held.account
        for source in inventory.coverage
        for held in source.held
        if held.word == "identity-policies"
    )


def _list_described_places(inventory: Inventory) -> frozenset[str]:
    """List servers, clusters and sources whose permissions a catalogue describes."""
    found = [e for e in inventory.facts.catalogues if e.platform != FOREIGN_GRAPH]
    return frozenset({e.place for e in found} | {e.seen.source for e in found})


def _get_place_in_id(identity: str) -> str:
    """Return the server or cluster in an id: `postgres:HOST/...`; empty for an ARN."""
    platform, _, rest = identity.partition(":")
    return "" if platform == "arn" else rest.partition("/")[0]
