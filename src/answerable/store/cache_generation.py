"""Identify the events, snapshots and statements that cached chains are derived from."""

import hashlib
from typing import TYPE_CHECKING

from answerable.evidence.log_entries import list_live_segments

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Raised when the same facts would be stitched differently.
DERIVATION_VERSION = 7
# Statements on owners that persons make and sign.
_STATEMENT_KINDS = (
    "attestation",
    "owner-key",
    "owner-key-revoked",
    "signed-attestation",
)


def compute_events_generation(store: "EvidenceStore") -> str:
    """Compute a cache generation that changes with every new event."""
    tails = []
    for name in store.layout.list_journals():
        try:
            tails.append(f"{name}:{store.layout.journal_file(name).stat().st_size}")
        except FileNotFoundError:
            continue
    segments = [each.segment for each in list_live_segments(store.log.entries())]
    named = "\n".join([str(DERIVATION_VERSION), *tails, *segments])
    return hashlib.sha256(named.encode()).hexdigest()


def compute_chains_generation(store: "EvidenceStore") -> str:
    """Compute a cache generation that changes with events, snapshots or statements."""
    return _compute_generation(
        store, [o.digest for o in store.list_objects("snapshot")]
    )


def compute_snapshot_generation(store: "EvidenceStore", digest: str) -> str:
    """Compute a cache generation that changes with events or statements.

    Args:
        digest: Digest of the snapshot; empty for none.
    """
    return _compute_generation(store, [digest])


def _compute_generation(store: "EvidenceStore", snapshots: list[str]) -> str:
    """Compute the generation of some snapshots, all events and all statements."""
    said = [o.digest for kind in _STATEMENT_KINDS for o in store.list_objects(kind)]
    named = "\n".join([compute_events_generation(store), *snapshots, *said])
    return hashlib.sha256(named.encode()).hexdigest()
