"""Identify the events, snapshots and statements that cached chains are derived from.

A generation begins with the number of erasures, for `erasure_guard`.
"""

import hashlib
from typing import TYPE_CHECKING

from answerable.evidence.log_entries import count_erasures

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
    segments = [each.segment for each in store.log.list_live(store.log.entries())]
    return _build_generation(store, [str(DERIVATION_VERSION), *tails, *segments])


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


def compute_scan_generation(store: "EvidenceStore", digest: str) -> str:
    """Compute a cache generation that changes with statements, but not with events.

    Args:
        digest: Digest of the snapshot; empty for none.
    """
    return _hash_with_statements(store, [str(DERIVATION_VERSION), digest])


def compute_history_generation(store: "EvidenceStore") -> str:
    """Compute a cache generation that changes with snapshots or statements."""
    snapshots = [o.digest for o in store.list_objects("snapshot")]
    return _hash_with_statements(store, [str(DERIVATION_VERSION), *snapshots])


def _compute_generation(store: "EvidenceStore", snapshots: list[str]) -> str:
    """Compute the generation of some snapshots, all events and all statements."""
    return _hash_with_statements(store, [compute_events_generation(store), *snapshots])


def _hash_with_statements(store: "EvidenceStore", inputs: list[str]) -> str:
    """Hash some inputs and the digests of all statements."""
    said = [o.digest for kind in _STATEMENT_KINDS for o in store.list_objects(kind)]
    return _build_generation(store, [*inputs, *said])


def _build_generation(store: "EvidenceStore", inputs: list[str]) -> str:
    """Build a generation from the number of erasures and a hash of some inputs."""
    erasures = count_erasures(store.log.entries())
    return f"{erasures}-{hashlib.sha256(chr(10).join(inputs).encode()).hexdigest()}"


def get_erasures(generation: str) -> int:
    """Return the number of erasures at the time of a generation."""
    return int(generation.partition("-")[0])
