"""Sign a checkpoint for export that covers the log and each open journal."""

from dataclasses import replace

from answerable.evidence.checkpoint import JournalHead
from answerable.evidence.log_entries import JournalSealed
from answerable.store import journal_files
from answerable.store.durable_files import mark_crash_point
from answerable.store.store import EvidenceStore
from answerable.store.store_keys import parse_own_checkpoint

_MAX_ATTEMPTS = 20


def sign_export_checkpoint(store: EvidenceStore) -> bytes:
    """Sign a checkpoint that covers the log and all unsealed journal records.

    Without the signing key, as in a verify-only copy, it covers the log alone.

    Returns:
        The note, empty for an empty log.

    Raises:
        VerificationError: A head file is invalid, or the log is missing.
    """
    store.log.entries()
    for _ in range(_MAX_ATTEMPTS):
        note = store.log.checkpoint()
        if not note or not (store.layout.keys / "log.key").exists():
            return note
        heads = _read_open_journal_heads(store)
        if store.log.checkpoint() == note:  # nothing was sealed meanwhile
            break
    mark_crash_point("export-begin")
    tree = parse_own_checkpoint(note, store.keys.public_key)
    if not tree.size:
        return b""
    if not heads:
        return note
    return replace(tree, journals=heads).sign(
        store.keys.public_key, store.keys.signing_seed()
    )


def _read_open_journal_heads(store: EvidenceStore) -> tuple[JournalHead, ...]:
    """Read the newest head of each journal that is not sealed."""
    entries = store.log.entries()
    sealed = {each.journal for each in entries if isinstance(each, JournalSealed)}
    heads = []
    for name in store.layout.list_journals():
        if name in sealed:
            continue
        head = journal_files.read_newest_journal_head(store.layout, store.keys, name)
        if head is not None and head.count:
            heads.append(JournalHead(name, head.count, head.chain))
    return tuple(heads)
