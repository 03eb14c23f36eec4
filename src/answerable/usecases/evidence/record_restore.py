"""Record of a store that was restored from an older copy."""

from collections.abc import Iterator

from answerable.evidence.checkpoint import read_checkpoint
from answerable.evidence.restore_events import Restore
from answerable.model.errors import UsageError
from answerable.presentation.text import safe
from answerable.store.restore_record import record_restore
from answerable.store.store import Store

_LONGEST = 1000


def restored(
    store: Store, *, checkpoint: bytes | None, reason: str, now: int
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
    if not reason.strip() or len(reason) > _LONGEST:
        raise UsageError(
            f"a reason is needed (got {len(reason)} characters, expected 1 to {_LONGEST})",
            "say in a few words why the copy was put back: --reason TEXT",
        )
    done = record_restore(store, checkpoint, reason.strip(), now)
    return _lines(done)


def _lines(done: Restore) -> Iterator[str]:
    yield f"recorded in the log as entry {done.size}: an older copy was put back"
    if done.checkpoint:
        lost = read_checkpoint(done.checkpoint.encode(), None).size
        if lost > done.size:
            yield f"lost: entries {done.size} to {lost - 1} of the log"
        else:
            yield "lost: entries of the log that the exported checkpoint signed"
    for each in done.journals:
        yield safe(
            f"journal/{each.journal}.log: {each.kept} records are sealed, "
            f"{max(each.known - each.kept, 0)} or more are lost ({each.fault})"
        )
    yield "next: answerable evidence checkpoint --export FILE"
