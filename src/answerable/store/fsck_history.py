"""Verify a store against an exported checkpoint, with recorded restores."""

from collections.abc import Sequence
from datetime import UTC, datetime

from answerable.evidence import journal_format as frames
from answerable.evidence.checkpoint import Checkpoint, JournalHead, parse_checkpoint
from answerable.evidence.log_entries import JournalSealed, LogEntry
from answerable.evidence.merkle import consistency_path, verify_consistency
from answerable.evidence.restore_events import (
    RESTORE_KIND,
    RestoreEvent,
    decode_restore,
)
from answerable.evidence.signed_note import VerifierKey
from answerable.model.errors import VerificationError
from answerable.store import journal_files
from answerable.store.store import EvidenceStore

_RECORD_RESTORE_HINT = (
    "if you restored an older backup, record the restore: answerable evidence "
    "restored --checkpoint FILE --reason TEXT"
)
_CONTINUE_HINT = (
    "lost entries cannot be recovered; export a new checkpoint for future "
    "comparisons: answerable evidence checkpoint --export FILE"
)


class RecordedRestoreError(VerificationError):
    """Records are missing because of a restore that the log records."""


def read_restore_events(store: EvidenceStore) -> list[RestoreEvent]:
    """Read the restore events of a store, in log order.

    Raises:
        VerificationError: One of them is invalid.
    """
    return [
        decode_restore(store.get_object(each.digest))
        for each in store.list_objects(RESTORE_KIND)
    ]


def describe_restore(restore: RestoreEvent) -> str:
    """Describe when and why the store was restored from a backup."""
    day = datetime.fromtimestamp(int(restore.at) // 10**9, tz=UTC).date()
    why = f" ({restore.reason})" if restore.reason else ""
    return f"an older backup of the store was restored, as recorded on {day}{why}"


def check_against_exported_checkpoint(
    store: EvidenceStore,
    exported_checkpoint: bytes,
    key: VerifierKey,
    checkpoint: Checkpoint,
    leaves: Sequence[bytes],
    entries: Sequence[LogEntry],
) -> str:
    """Check that the store contains everything that an exported checkpoint covers.

    Args:
        store: The store.
        exported_checkpoint: The exported checkpoint.
        key: Required signing key.
        checkpoint: The store's own checkpoint.
        leaves: Leaf hashes of the log's entries.
        entries: Entries of the log.

    Raises:
        VerificationError: Something is missing, as the message says.
    """
    old = parse_checkpoint(exported_checkpoint, key)
    lost = describe_lost_entries(old, checkpoint, leaves)
    if lost:
        for restore in read_restore_events(store):
            if restore.size < old.size or _restore_covers_checkpoint(restore, old):
                raise RecordedRestoreError(
                    f"{describe_restore(restore)}: at that time the log had "
                    f"{restore.size} entries; the entries up to {old.size}, which "
                    "the exported checkpoint covers, are lost",
                    _CONTINUE_HINT,
                )
        raise VerificationError(lost, _RECORD_RESTORE_HINT)
    events = read_restore_events(store)
    for head in old.journals:
        fault = describe_lost_records(store, head, entries)
        if fault:
            raise _build_lost_journal_error(head, fault, events)
    said = f"the log still begins with the exported one of size {old.size:,}"
    records = sum(head.count for head in old.journals)
    if not records:
        return said
    return f"{said}, and the {records:,} records that were unsealed then are present"


def _restore_covers_checkpoint(
    restore: RestoreEvent, old_checkpoint: Checkpoint
) -> bool:
    """Return whether a restore event names this or a later exported checkpoint."""
    if not restore.checkpoint:
        return False
    lost = parse_checkpoint(restore.checkpoint.encode(), None)
    return lost.origin == old_checkpoint.origin and lost.size >= old_checkpoint.size


def _build_lost_journal_error(
    head: JournalHead, fault: str, events: Sequence[RestoreEvent]
) -> VerificationError:
    """Build the error for lost records of a journal, with a recorded restore."""
    for restore in events:
        if head.name in {each.journal for each in restore.journals}:
            return RecordedRestoreError(
                f"{describe_restore(restore)}: {fault}", _CONTINUE_HINT
            )
    return VerificationError(fault, _RECORD_RESTORE_HINT)


def describe_lost_entries(
    old_checkpoint: Checkpoint, checkpoint: Checkpoint, leaves: Sequence[bytes]
) -> str:
    """Describe the log entries that an exported checkpoint has and the log lacks."""
    if old_checkpoint.size > checkpoint.size:
        return (
            "the log was truncated, or an older backup was restored: the exported "
            f"checkpoint has {old_checkpoint.size} entries, the log "
            f"{checkpoint.size}"
        )
    path = consistency_path(old_checkpoint.size, leaves)
    if not verify_consistency(
        old_checkpoint.size, old_checkpoint.root, checkpoint.size, checkpoint.root, path
    ):
        return (
            "history was rewritten, or an older backup was restored and then "
            f"written to: the first {old_checkpoint.size} entries differ from "
            "those that the exported checkpoint signed"
        )
    return ""


def describe_lost_records(
    store: EvidenceStore, head: JournalHead, entries: Sequence[LogEntry]
) -> str:
    """Describe the missing records of a journal; empty if none is missing."""
    name = f"journal/{head.name}.log"
    signed = f"the exported checkpoint counts {head.count} records"
    sealed = _find_sealing_entry(head.name, entries)
    if sealed is None:
        try:
            journal = journal_files.load_journal(store.layout, store.keys, head.name)
        except FileNotFoundError:
            # It may have been sealed since the entries were read.
            sealed = _find_sealing_entry(head.name, store.log.entries())
            if sealed is None:
                return f"{name} is missing: {signed}"
        else:
            held = len(journal.records)
            if held < head.count:
                return f"{name} was truncated: {signed}, it contains {held}"
            leaves = journal.leaves[: head.count]
            if frames.chain_hash_after(journal.header, leaves) != head.chain:
                return f"{name} was rewritten: {signed}, and other records"
            return ""
    if sealed.count < head.count:
        return f"{name} was truncated: {signed}, {sealed.count} were sealed"
    if sealed.count == head.count and sealed.chain != head.chain.hex():
        return f"{name} was rewritten: {signed}, and other records"
    return ""


def _find_sealing_entry(name: str, entries: Sequence[LogEntry]) -> JournalSealed | None:
    """Find the log entry that sealed a journal; None if it is not sealed."""
    found = (e for e in entries if isinstance(e, JournalSealed) and e.journal == name)
    return next(found, None)
