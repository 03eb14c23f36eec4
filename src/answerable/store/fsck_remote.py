"""Verify the log of a store in object storage, read there again."""

from answerable.evidence.checkpoint import parse_checkpoint
from answerable.evidence.merkle import leaf_hash, merkle_root
from answerable.evidence.signed_note import VerifierKey
from answerable.model.errors import VerificationError
from answerable.store.store import EvidenceStore


def check_remote_log(store: EvidenceStore, key: VerifierKey) -> str:
    """Check that object storage has all entries of the log, read there again."""
    remote = store.layout.remote
    head = remote.log.read_head() if remote is not None else None
    if remote is None or head is None:
        raise VerificationError("log/checkpoint is missing in object storage")
    checkpoint = parse_checkpoint(head.note, key)
    raw = remote.log.read_entries(checkpoint, [])
    if raw is None:  # another machine appended in this moment
        checkpoint = parse_checkpoint(store.log.checkpoint(), key)
        raw = remote.log.read_entries(checkpoint, [])
    if raw is None:
        raise VerificationError(
            f"the entries of the checkpoint are missing in {remote.location}"
        )
    if merkle_root([leaf_hash(data) for data in raw]) != checkpoint.root:
        raise VerificationError(
            f"the entries in {remote.location} do not lead to the checkpoint"
        )
    return f"{remote.location} has entries that lead to the root: {len(raw):,}"
