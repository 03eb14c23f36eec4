"""Input of the cached inventory: a new event that adds no fact to it leaves it valid.

Most events tell nothing new about owners and access keys. To join all scans again for
each of them would take a minute in a large store.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace

import msgspec

from answerable.model.credential import CredentialLink
from answerable.model.sighting import SightedFacts
from answerable.store.cache_generation import compute_scan_generation
from answerable.store.inventory_cache import DerivedFiles
from answerable.store.store import EvidenceStore

_NAME = "input"
_LONG_LIVED_PREFIX = "cred:aws/AKIA"


@dataclass(frozen=True, slots=True)
class InventoryInput:
    """Input of the cached inventory of the newest snapshot.

    Attributes:
        generation: Generation of the cached inventory.
        confirmed: Newest generation of the store with the same input.
        scans: Generation of the snapshot and of the statements about owners.
        found: Credentials that a source found in a place, without long-lived AWS keys.
        log_facts: Digest of the facts from audit logs.
    """

    generation: str
    confirmed: str
    scans: str
    found: tuple[str, ...]
    log_facts: str


def select_inventory_links(
    facts: SightedFacts, found: Collection[str]
) -> tuple[CredentialLink, ...]:
    """Select the links of long-lived keys, and of credentials found in a place.

    An audit log has a new session key every hour, which the inventory does not list.
    """
    return tuple(
        link
        for link in facts.links
        if link.credential in found or link.credential.startswith(_LONG_LIVED_PREFIX)
    )


def find_same_input(store: EvidenceStore, digest: str, generation: str) -> str | None:
    """Find the generation of a cached inventory that has the same input.

    Args:
        digest: Digest of the newest snapshot; empty for none.
        generation: Generation of the store.

    Returns:
        None if no cached inventory has it.
    """
    files = DerivedFiles(store, "", input_generation=generation)
    file = files.load(_NAME)
    if file is None:
        return None
    known = file.section(_NAME, InventoryInput)[""]
    if known.scans != compute_scan_generation(store, digest):
        return None
    if known.confirmed != generation:
        if known.log_facts != _hash_current_log_facts(store, known.found):
            return None
        files.save(_NAME, {_NAME: [("", replace(known, confirmed=generation))]})
    return known.generation


def save_input(
    store: EvidenceStore,
    digest: str,
    generation: str,
    found: Collection[str],
    log_facts: SightedFacts,
) -> None:
    """Save the input of an inventory that was joined and cached.

    Args:
        digest: Digest of the newest snapshot; empty for none.
        generation: Generation of the store.
        found: Credentials that a source found in a place.
        log_facts: Facts from audit logs in the inventory.
    """
    short = (each for each in found if not each.startswith(_LONG_LIVED_PREFIX))
    known = InventoryInput(
        generation,
        generation,
        compute_scan_generation(store, digest),
        tuple(sorted(short)),
        _hash_log_facts(log_facts),
    )
    files = DerivedFiles(store, "", input_generation=generation)
    files.save(_NAME, {_NAME: [("", known)]})


def _hash_current_log_facts(store: EvidenceStore, found: tuple[str, ...]) -> str:
    """Hash the facts that the inventory would now take from the audit logs."""
    from answerable.services.inventory.owners_from_audit_logs import (
        collect_audit_log_facts,
    )

    facts = collect_audit_log_facts(store)
    links = select_inventory_links(facts, frozenset(found))
    return _hash_log_facts(replace(facts, links=links))


def _hash_log_facts(facts: SightedFacts) -> str:
    """Hash the facts of audit logs: links of credentials, and evidence of owners."""
    encoded = msgspec.msgpack.encode((facts.links, facts.evidence))
    return hashlib.sha256(encoded).hexdigest()
