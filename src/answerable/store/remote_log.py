"""Transparency log in object storage: checkpoint, bundles of entries, tails.

    log/checkpoint         signed; replaced by compare-and-swap alone
    log/key                public key of the log
    log/tail/SIZE-ROOT     entries after the last full bundle, of the log with this root
    log/tile/entries/NNN   full bundles of entries (C2SP tlog-tiles)

A bundle is written after the checkpoint that covers it, and before the next one, so that
its content is decided when it is written. A tail is named by the root of its log.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from answerable.evidence.checkpoint import Checkpoint, parse_checkpoint
from answerable.evidence.log_tiles import (
    TILE_WIDTH,
    entries_path,
    pack_entries,
    unpack_entries,
)
from answerable.evidence.signed_note import VerifierKey
from answerable.model.errors import (
    AnswerableError,
    EnvironmentFailure,
    UsageError,
    VerificationError,
)
from answerable.store.bucket import (
    RESTORE_HINT,
    Bucket,
    refuse_unconditional_bucket,
    write_once,
)
from answerable.store.durable_files import mark_crash_point

_HEAD, _KEY = "log/checkpoint", "log/key"
_TAILS = "log/tail/"
# Objects that a bucket has only after its log was created.
_EVIDENCE = (_TAILS, "log/tile/", "segments/", "objects/", "quarantine/")
_CHECKPOINT_HINT = (
    "restore it from an earlier version or a backup of the bucket, or from log/checkpoint "
    "in the local folder of the machine that used the store last; keep all keys"
)
_KEY_HINT = "restore it, or write it again from keys/log.pub of the machine that created the store"
_START_BYTES = 8  # index of the first entry of a tail
_MAX_AGE = 2.0  # seconds for which a reader does not ask for a newer checkpoint


@dataclass(frozen=True, slots=True)
class RemoteHead:
    """Checkpoint of the log in object storage, and the version of its object."""

    note: bytes
    version: str


class RemoteLog:
    """Log of a store in object storage.

    Args:
        location: `s3://BUCKET/PREFIX`, for messages.
        open_bucket: Returns the bucket.
    """

    def __init__(self, location: str, open_bucket: Callable[[], Bucket]) -> None:
        self.location = location
        self._open_bucket = open_bucket
        self._tail: tuple[str, int] = ("", 0)  # name and start of the last tail read
        self._read_at = float("-inf")

    @property
    def _bucket(self) -> Bucket:
        """The bucket, opened on first use."""
        return self._open_bucket()

    def is_due(self) -> bool:
        """Return whether a reader should ask for a newer checkpoint."""
        return time.monotonic() - self._read_at > _MAX_AGE

    def mark_current(self) -> None:
        """Record that the log here now is the one in object storage."""
        self._read_at = time.monotonic()

    def read_public_key(self) -> bytes:
        """Read the public key of the log; empty if the bucket has no store.

        Raises:
            VerificationError: It is missing, and other objects of the store are there.
        """
        there = self._find_evidence(_HEAD)
        found = self._bucket.get(_KEY)
        if there and (found is None or not found[0]):
            word = "missing" if found is None else "empty"
            raise VerificationError(
                f"{_KEY} is {word} in {self.location}, but {there} is there", _KEY_HINT
            )
        return found[0] if found else b""

    def _find_evidence(self, *more: str) -> str:
        """Return the key of an object of a log that was created; empty for none."""
        return next(filter(None, map(self._bucket.find, (*_EVIDENCE, *more))), "")

    def check_signer(self, key: VerifierKey) -> str:
        """Check the public key in the bucket, and that it signed the checkpoint.

        Args:
            key: The expected key.

        Raises:
            VerificationError: It is another or malformed.
        """
        if parse_public_key(self.read_public_key(), self.location) != key:
            raise VerificationError(
                f"{_KEY} in {self.location} is not the key of the log", _KEY_HINT
            )
        return key.name

    def create(self, public_key: bytes, note: bytes) -> None:
        """Create the log in the bucket, with an empty checkpoint.

        Raises:
            UsageError: Another machine created it, with another key.
            EnvironmentFailure: The conditional writes of the bucket do not work.
        """
        refuse_unconditional_bucket(self._bucket, self.location)
        if not self._bucket.create(_KEY, public_key):
            self._complete_public_key(public_key)
            self.check_public_key(public_key)
        mark_crash_point("remote-key")
        self._bucket.create(_HEAD, note)
        mark_crash_point("remote-created")

    def check_public_key(self, public_key: bytes) -> None:
        """Refuse a local key that is not the one of the log in the bucket.

        Raises:
            UsageError: It is another key.
        """
        if self.read_public_key().strip() != public_key.strip():
            raise UsageError(
                f"the store {self.location} was created with another key",
                "copy the folder keys of a machine that writes to it",
            )

    def _complete_public_key(self, public_key: bytes) -> None:
        """Write a public key again that arrived in part, at a server that kept it.

        Raises:
            EnvironmentFailure: It was not written.
        """
        data, version = self._bucket.get(_KEY) or (b"", "")
        if not public_key.startswith(data) or data.rstrip() == public_key.rstrip():
            return
        if not data or not self._bucket.replace(_KEY, public_key, version):
            raise EnvironmentFailure(
                f"{_KEY} in {self.location} was not written", "run the command again"
            )

    def refuse_lost_checkpoint(self, *, may_create: bool) -> None:
        """Refuse a bucket without a checkpoint, unless its log was not created yet.

        Args:
            may_create: This machine began to create the log, or there is none.

        Raises:
            VerificationError: There was a checkpoint.
        """
        if not may_create or self._find_evidence():
            raise self.build_lost_checkpoint_error()

    def build_lost_checkpoint_error(self) -> VerificationError:
        """Build the error for a checkpoint that is missing."""
        found = self._find_evidence(_KEY)
        said = f", but {found} is there" if found else ""
        return VerificationError(
            f"{_HEAD} is missing in {self.location}{said}", _CHECKPOINT_HINT
        )

    def parse_head(self, note: bytes, key: VerifierKey) -> Checkpoint:
        """Parse a checkpoint of the bucket.

        Raises:
            VerificationError: It is malformed, or not signed by the key.
        """
        try:
            return parse_checkpoint(note, key)
        except VerificationError as error:
            raise VerificationError(
                f"{_HEAD} in {self.location}: {error.message}", _CHECKPOINT_HINT
            ) from None

    def build_unread_error(self, checkpoint: Checkpoint) -> VerificationError:
        """Build the error for a checkpoint whose entries stay missing."""
        if checkpoint.size:
            return VerificationError(
                f"{_tail_key(checkpoint)} is missing in {self.location}", RESTORE_HINT
            )
        return VerificationError(
            f"{_HEAD} in {self.location} is that of an empty log, but "
            f"{self._bucket.find(_TAILS)} is there",
            f"run a command on the machine that created the store; or {_CHECKPOINT_HINT}",
        )

    def has_tail(self) -> bool:
        """Return whether there are entries that a checkpoint names, or may name soon."""
        return bool(self._bucket.find(_TAILS))

    def read_head(self) -> RemoteHead | None:
        """Read the current checkpoint; None if there is none."""
        found = self._bucket.get(_HEAD)
        if found is None:
            return None
        return RemoteHead(*found)

    def read_entries(
        self, checkpoint: Checkpoint, known: Sequence[bytes]
    ) -> list[bytes] | None:
        """Read the entries that a checkpoint covers.

        Args:
            checkpoint: The checkpoint.
            known: Its first entries, which are not read again.

        Returns:
            All entries; None if another writer replaced the checkpoint meanwhile.

        Raises:
            VerificationError: A bundle is missing or malformed.
        """
        if checkpoint.size == 0:
            return []
        tail = self._bucket.get(_tail_key(checkpoint))
        if tail is None:
            return None
        start = int.from_bytes(tail[0][:_START_BYTES], "big")
        if start > checkpoint.size or start % TILE_WIDTH:
            raise self._build_damage_error(_tail_key(checkpoint))
        entries = list(known[: len(known) // TILE_WIDTH * TILE_WIDTH])
        entries = entries[:start]
        for index in range(len(entries) // TILE_WIDTH, start // TILE_WIDTH):
            key = f"log/{entries_path(index)}"
            bundle = self._bucket.get(key)
            if bundle is None:
                raise VerificationError(
                    f"{key} is missing in {self.location}", RESTORE_HINT
                )
            entries += self._unpack(key, bundle[0], TILE_WIDTH)
        rest = tail[0][_START_BYTES:]
        entries += self._unpack(_tail_key(checkpoint), rest, checkpoint.size - start)
        self._tail = _tail_key(checkpoint), start
        return entries

    def _unpack(self, key: str, data: bytes, count: int) -> list[bytes]:
        """Split a bundle of entries.

        Raises:
            VerificationError: It is malformed.
        """
        try:
            return unpack_entries(data, count)
        except VerificationError:
            raise self._build_damage_error(key) from None

    def _build_damage_error(self, key: str) -> VerificationError:
        """Build the error for an object that was changed."""
        return VerificationError(f"{key} in {self.location} is damaged", RESTORE_HINT)

    def build_wrong_entry_error(
        self, checkpoint: Checkpoint, raw: Sequence[bytes], here: Sequence[bytes]
    ) -> VerificationError:
        """Build the error for entries that do not lead to their checkpoint.

        Args:
            checkpoint: The checkpoint.
            raw: Its entries as read in the bucket.
            here: Entries of the local folder, in which the first difference is found.
        """
        pairs = enumerate(zip(raw, here, strict=False))
        wrong = next((number for number, (a, b) in pairs if a != b), -1)
        if wrong < 0:
            return VerificationError(
                f"the entries in {self.location} do not lead to {_HEAD}: "
                f"{_tail_key(checkpoint)} or a bundle below log/tile/ was changed",
                RESTORE_HINT,
            )
        in_tail = wrong >= self._tail[1]
        bundle = f"log/{entries_path(wrong // TILE_WIDTH)}"
        return self._build_damage_error(_tail_key(checkpoint) if in_tail else bundle)

    def commit(
        self,
        old: Checkpoint,
        version: str,
        entries: Sequence[bytes],
        new: tuple[Checkpoint, bytes],
    ) -> str:
        """Replace the checkpoint, if no other writer did.

        Args:
            old: The checkpoint that was read last.
            version: Version of its object.
            entries: Every entry of the new log.
            new: The new checkpoint, and it as a signed note.

        Returns:
            Version of the new checkpoint's object; empty if another writer was first.

        Raises:
            EnvironmentFailure: The bucket cannot be read or written. The checkpoint may
                have been replaced; reading it again shows that.
        """
        checkpoint, note = new
        self._publish_full_bundles(old, entries)
        start = old.size // TILE_WIDTH * TILE_WIDTH
        tail = start.to_bytes(_START_BYTES, "big") + pack_entries(entries[start:])
        mark_crash_point("remote-begin")
        write_once(self._bucket, _tail_key(checkpoint), tail, tail.__eq__)
        mark_crash_point("remote-tail")
        written = self._replace_head(note, version)
        if not written:
            return ""
        mark_crash_point("remote-head")
        self._tail = _tail_key(checkpoint), start
        if old.size:
            with suppress(EnvironmentFailure):  # it is left over, and never read
                self._bucket.delete(_tail_key(old))
        mark_crash_point("remote-committed")
        return written

    def _replace_head(self, note: bytes, version: str) -> str:
        """Replace the checkpoint's object; return its version, empty if refused.

        A write without an answer may have happened, and its repetition is then refused:
        the object says which.
        """
        failure: EnvironmentFailure | None = None
        try:
            if written := self._bucket.replace(_HEAD, note, version):
                return written
        except EnvironmentFailure as error:
            failure = error
        head = self.read_head()
        if head is not None and head.note == note:
            return head.version
        if failure is not None:
            raise failure
        return ""

    def _publish_full_bundles(self, old: Checkpoint, entries: Sequence[bytes]) -> None:
        """Write the full bundles that only the tail of the last checkpoint has."""
        if not old.size:
            return
        name = _tail_key(old)
        if self._tail[0] != name:
            found = self._bucket.get(name)
            start = int.from_bytes(found[0][:_START_BYTES], "big") if found else 0
            # One that was changed does not say which bundles are missing.
            damaged = start > old.size or start % TILE_WIDTH
            self._tail = name, 0 if damaged else start
        for index in range(self._tail[1] // TILE_WIDTH, old.size // TILE_WIDTH):
            start = index * TILE_WIDTH
            bundle = pack_entries(entries[start : start + TILE_WIDTH])
            write_once(
                self._bucket, f"log/{entries_path(index)}", bundle, bundle.__eq__
            )
            mark_crash_point("remote-bundle")


def parse_public_key(data: bytes, location: str) -> VerifierKey:
    """Parse the public key of a log in object storage.

    Raises:
        VerificationError: It is malformed.
    """
    try:
        return VerifierKey.parse(data.decode("utf-8"))
    except (UnicodeDecodeError, AnswerableError):
        raise VerificationError(
            f"{_KEY} in {location} is malformed", _KEY_HINT
        ) from None


def _tail_key(checkpoint: Checkpoint) -> str:
    """Return the name of the tail of the log with this checkpoint."""
    return f"{_TAILS}{checkpoint.size}-{checkpoint.root.hex()}"
