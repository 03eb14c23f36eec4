"""Encode restore events, which record the return to an older copy of the store.

A restore event is an object of kind `restore`. It counts the entries and records that
the copy lacks, so that the gap is not mistaken for a rewritten history.
"""

import msgspec

from answerable.model.errors import VerificationError

RESTORE_KIND = "restore"
SCHEMA = "answerable/restore/v1"


class LostRecords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A journal that the restored copy holds only in part.

    Attributes:
        kept: Records that hold, and are sealed by the restore.
        known: Records that are known to have been acknowledged, at least.
        fault: The first fault.
    """

    journal: str
    kept: int
    known: int
    fault: str


class RestoreEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A return to an older copy of the store.

    Attributes:
        size: Entries in the log when it was recorded.
        root: Root of the log then, hex.
        checkpoint: An exported checkpoint that the log does not contain, a signed note;
            empty where none was given.
        journals: Journals that are not whole.
        reason: Why, in the words of the person who recorded it.
        at: When, UTC nanoseconds as a decimal string.
        schema: `answerable/restore/v1`.
    """

    size: int
    root: str
    checkpoint: str
    journals: tuple[LostRecords, ...]
    reason: str
    at: str
    schema: str = SCHEMA


def encode_restore(restore: RestoreEvent) -> bytes:
    """Encode a restore event as canonical JSON."""
    return msgspec.json.encode(restore, order="sorted")


def decode_restore(data: bytes) -> RestoreEvent:
    """Decode the log entry that a store was restored from a backup.

    Raises:
        VerificationError: The bytes are not the canonical encoding of one.
    """
    try:
        restore = msgspec.json.decode(data, type=RestoreEvent, strict=True)
    except (ValueError, RecursionError):
        raise VerificationError("a restore event is malformed") from None
    if restore.schema != SCHEMA or encode_restore(restore) != data:
        raise VerificationError(
            "a restore event has a kind that this release does not support"
        )
    return restore
