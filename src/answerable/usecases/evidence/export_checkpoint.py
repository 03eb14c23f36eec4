"""Export the signed checkpoint to a destination outside the store."""

from contextlib import suppress
from pathlib import Path

from answerable.connectors.checkpoint_destinations import (
    parse_destination,
    resolve_destination,
)
from answerable.evidence.checkpoint import parse_checkpoint
from answerable.evidence.merkle import leaf_hash
from answerable.model.errors import (
    EnvironmentFailure,
    UsageError,
    VerificationError,
)
from answerable.store import fsck_history
from answerable.store.checkpoint_exports import (
    CheckpointExport,
    save_checkpoint_export,
)
from answerable.store.export_checkpoint import sign_export_checkpoint
from answerable.store.store import EvidenceStore
from answerable.store.store_keys import parse_own_checkpoint


def export_checkpoint(store: EvidenceStore, destination: str, *, now: int) -> bytes:
    """Export the checkpoint, unless the log lacks what was exported there before.

    Args:
        store: The store.
        destination: `FILE`, `git:FOLDER` or `s3://BUCKET/KEY`.
        now: UTC nanoseconds.

    Returns:
        The signed note.

    Raises:
        UsageError: The log is empty, or the destination is malformed.
        VerificationError: The log was rolled back or rewritten since the last export;
            the destination is unchanged.
        EnvironmentFailure: The destination cannot be used.
    """
    there = parse_destination(destination)
    place = Path(resolve_destination(destination).removeprefix("git:"))
    if place.is_relative_to(store.root.resolve()):
        raise UsageError(
            f"{place} is in the store, which would be lost together with it",
            "name a file of another disk or machine",
        )
    note = sign_export_checkpoint(store)
    if not note:
        raise UsageError("the log is empty", "run: answerable ingest cloudtrail:PATH")
    former = there.read()
    if former.strip():
        _check_history(store, former, destination)
    there.write(note, now)
    tree = parse_checkpoint(note, store.keys.public_key)
    export = CheckpointExport(now, tree.size)
    with suppress(
        EnvironmentFailure
    ):  # exported all the same, e.g. of a read-only disk
        save_checkpoint_export(store.layout, resolve_destination(destination), export)
    return note


def _check_history(store: EvidenceStore, former: bytes, destination: str) -> None:
    """Check that the log still contains what an exported checkpoint covers.

    A restore that the log records may have lost entries.

    Raises:
        VerificationError: It does not, or the checkpoint is of another log.
    """
    key = store.keys.public_key
    entries = store.log.entries()
    own = parse_own_checkpoint(store.log.checkpoint(), key)
    leaves = [leaf_hash(data) for data in store.log.raw_entries()]
    try:
        fsck_history.check_against_exported_checkpoint(
            store, former, key, own, leaves, entries
        )
    except fsck_history.RecordedRestoreError:
        return
    except VerificationError as error:
        raise VerificationError(
            f"not exported to {destination}, because its checkpoint does not match: "
            f"{error.message}",
            error.hint
            or "the checkpoint belongs to another log: use another destination",
        ) from None
