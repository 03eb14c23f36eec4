"""Record in the log that an older copy of a store was restored.

The record is an object in the log. Journals that are incomplete in the copy are sealed
up to their last valid record; the rest is lost.
"""

from collections.abc import Iterator

from answerable.evidence.checkpoint import Checkpoint, parse_checkpoint
from answerable.evidence.log_entries import JournalOpened, JournalSealed
from answerable.evidence.merkle import leaf_hash
from answerable.evidence.restore_events import (
    RESTORE_KIND,
    LostRecords,
    RestoreEvent,
    encode_restore,
)
from answerable.model.errors import UsageError, VerificationError
from answerable.store import journal_files
from answerable.store.fsck_history import describe_lost_entries, describe_lost_records
from answerable.store.store import EvidenceStore
from answerable.store.store_keys import parse_own_checkpoint


def record_restore(
    store: EvidenceStore, exported_checkpoint: bytes | None, reason: str, now: int
) -> RestoreEvent:
    """Record in the log that an older copy was restored, and seal its journals.

    Args:
        store: The restored store.
        exported_checkpoint: Checkpoint that the copy does not contain, or None.
        reason: Reason of the restore.
        now: UTC nanoseconds.

    Raises:
        UsageError: The log is empty, or it contains that checkpoint.
        VerificationError: The log does not match its own checkpoint, or the exported
            one is not signed by the store's key.
    """
    store.layout.refuse_remote()
    with store.log.lock():
        store.log.verify_entries()
        note = store.log.checkpoint()
        tree = parse_own_checkpoint(note, store.keys.public_key) if note else None
        if tree is None or not tree.size:
            raise UsageError(
                "the log of this store is empty",
                "use --store to name the restored store",
            )
        broken = {each.journal: each for each in _find_broken_journals(store)}
        if exported_checkpoint is not None:
            lost = {
                each.journal: each
                for each in _find_lost_journals(store, exported_checkpoint, tree)
            }
            broken = lost | broken
        restore = RestoreEvent(
            size=tree.size,
            root=tree.root.hex(),
            checkpoint=""
            if exported_checkpoint is None
            else exported_checkpoint.decode(),
            journals=tuple(broken[name] for name in sorted(broken)),
            reason=reason,
            at=str(now),
        )
        store.put_object(RESTORE_KIND, encode_restore(restore), now)
        for name in broken:
            _seal_valid_records(store, name, now)
    return restore


def _find_broken_journals(store: EvidenceStore) -> Iterator[LostRecords]:
    """Find unsealed journals that are not valid to their end."""
    entries = store.log.entries()
    sealed = {each.journal for each in entries if isinstance(each, JournalSealed)}
    opened = {each.journal for each in entries if isinstance(each, JournalOpened)}
    for name in sorted(opened - sealed):
        body = journal_files.read_head_file(store.layout, name)
        try:
            journal = journal_files.load_journal(store.layout, store.keys, name)
        except FileNotFoundError:
            yield LostRecords(name, 0, 0, "it is missing")
            continue
        fault = journal_files.describe_first_journal_fault(store.keys, journal, body)
        if not fault:
            continue
        held = known = len(journal.records)
        try:
            head = journal_files.read_newest_journal_head(
                store.layout, store.keys, name
            )
        except VerificationError:
            head = None
        if head is not None:
            known = max(held, head.count)
        yield LostRecords(name, held, known, fault)


def _find_lost_journals(
    store: EvidenceStore, exported_checkpoint: bytes, checkpoint: Checkpoint
) -> list[LostRecords]:
    """Find journals of an exported checkpoint that are missing or differ."""
    old = parse_checkpoint(exported_checkpoint, store.keys.public_key)
    entries = store.log.entries()
    found = []
    for head in old.journals:
        fault = describe_lost_records(store, head, entries)
        if fault:
            kept = _count_existing_records(store, head.name)
            found.append(LostRecords(head.name, kept, head.count, fault))
    leaves = [leaf_hash(data) for data in store.log.raw_entries()]
    if not found and not describe_lost_entries(old, checkpoint, leaves):
        raise UsageError(
            "the store contains every entry that this checkpoint covers: nothing "
            "is lost",
            "use a later checkpoint, or omit --checkpoint",
        )
    return found


def _count_existing_records(store: EvidenceStore, name: str) -> int:
    """Count the existing records of a journal, sealed or not."""
    for entry in store.log.entries():
        if isinstance(entry, JournalSealed) and entry.journal == name:
            return entry.count
    try:
        return len(journal_files.load_journal(store.layout, store.keys, name).records)
    except FileNotFoundError:
        return 0


def _seal_valid_records(store: EvidenceStore, name: str, now: int) -> None:
    """Seal the valid records of a damaged journal; a missing one is sealed as empty."""
    opened = any(
        isinstance(each, JournalOpened) and each.journal == name
        for each in store.log.entries()
    )
    sealed = any(
        isinstance(each, JournalSealed) and each.journal == name
        for each in store.log.entries()
    )
    if not opened or sealed:
        return  # of the history that is lost
    if store.layout.journal_file(name).exists():
        store.seal_journal(name, now, must_be_valid=False)
        return
    store.log.append(
        [JournalSealed(journal=name, count=0, duplicate=0, chain="", at=str(now))]
    )
