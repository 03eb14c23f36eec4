"""Record in the log that the store was restored from an older copy."""

from collections.abc import Iterator

from answerable.evidence.checkpoint import parse_checkpoint
from answerable.evidence.restore_events import RestoreEvent
from answerable.model.errors import UsageError
from answerable.presentation.text import sanitize
from answerable.store.restoration_event import record_restore
from answerable.store.store import EvidenceStore

_MAX_REASON_LENGTH = 1000


def record_store_restore(
    store: EvidenceStore, *, checkpoint: bytes | None, reason: str, now: int
) -> Iterator[str]:
    """Record the restore, and describe the losses and the next steps.

    Args:
        store: Restored store.
        checkpoint: Exported checkpoint that it does not contain, or None.
        reason: Reason of the restore.
        now: UTC nanoseconds.

    Raises:
        UsageError: The reason is empty, or nothing was lost.
    """
    if not reason.strip() or len(reason) > _MAX_REASON_LENGTH:
        raise UsageError(
            f"missing or too long reason (got {len(reason)} characters, expected 1 "
            f"to {_MAX_REASON_LENGTH})",
            "state why the copy was restored: --reason TEXT",
        )
    done = record_restore(store, checkpoint, reason.strip(), now)
    return _describe_losses(done)


def _describe_losses(restore: RestoreEvent) -> Iterator[str]:
    """Yield a line per loss: log entries and journal records."""
    yield f"recorded in the log as entry {restore.size}: an older copy was restored"
    if restore.checkpoint:
        lost = parse_checkpoint(restore.checkpoint.encode(), None).size
        if lost > restore.size:
            yield f"lost: entries {restore.size} to {lost - 1} of the log"
        else:
            yield "lost: entries that the exported checkpoint covers"
    for each in restore.journals:
        yield sanitize(
            f"journal/{each.journal}.log: {each.kept} records are sealed, "
            f"{max(each.known - each.kept, 0)} or more are lost ({each.fault})"
        )
    yield "next: answerable evidence checkpoint --export FILE"
