"""Verify the log of a store in object storage, read there again."""

from answerable.evidence.checkpoint import Checkpoint
from answerable.evidence.merkle import leaf_hash, merkle_root
from answerable.evidence.signed_note import VerifierKey
from answerable.store.remote_store import RemoteStore
from answerable.store.store import EvidenceStore


def check_remote_log(
    store: EvidenceStore, remote: RemoteStore, key: VerifierKey
) -> str:
    """Check that object storage has key and entries of the log, read there again.

    Raises:
        VerificationError: An object is missing or changed.
    """
    remote.log.check_signer(key)
    checkpoint, raw = _read_entries(remote, key)
    if raw is None:  # or another machine appended in this moment
        checkpoint, raw = _read_entries(remote, key)
    if raw is None:
        raise remote.log.build_unread_error(checkpoint)
    if merkle_root([leaf_hash(data) for data in raw]) != checkpoint.root:
        here = store.log.raw_entries()
        raise remote.log.build_wrong_entry_error(checkpoint, raw, here)
    return f"{remote.location} has entries that lead to the root: {len(raw):,}"


def _read_entries(
    remote: RemoteStore, key: VerifierKey
) -> tuple[Checkpoint, list[bytes] | None]:
    """Read checkpoint and entries; None for entries that are not there.

    Raises:
        VerificationError: The checkpoint is missing, or an object is malformed.
    """
    head = remote.log.read_head()
    if head is None:
        raise remote.log.build_lost_checkpoint_error()
    checkpoint = remote.log.parse_head(head.note, key)
    return checkpoint, remote.log.read_entries(checkpoint, [])
