"""Append to and read the transparency log on disk: tiles, entry bundles, checkpoint."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from answerable.evidence.checkpoint import Checkpoint, parse_checkpoint
from answerable.evidence.log_entries import (
    LogEntry,
    SegmentManifest,
    decode_entry,
    encode_entry,
    list_live_segments,
)
from answerable.evidence.log_tiles import (
    TILE_WIDTH,
    compute_changed_tiles,
    entries_path,
    list_tile_widths,
    pack_entries,
    tile_path,
    unpack_entries,
)
from answerable.model.errors import EnvironmentFailure, VerificationError
from answerable.store.durable_files import (
    make_store_folder,
    mark_crash_point,
    open_new_file,
    read_file,
    translate_os_errors,
    wait_for_lock,
    write_file,
)
from answerable.store.store_keys import LogKeys, parse_own_checkpoint
from answerable.store.store_layout import StoreLayout

if TYPE_CHECKING:
    from answerable.store.remote_log import RemoteLog

_MAX_READS = 20  # of a log that other writers replace meanwhile
_READ_DELAY = 0.05  # seconds until the next one
_MAX_COMMITS = 200  # attempts to append before others do
# Entries may be appended after any others.
ANY_ENTRY: tuple[type, ...] = (object,)


class LogChangedError(EnvironmentFailure):
    """Another writer appended entries that these entries depend on."""


class TransparencyLog:
    """Transparency log; one writer at a time holds `lock`.

    Attributes:
        lock_timeout: Seconds to wait for another writer; None for as long as it takes.
    """

    def __init__(self, layout: StoreLayout, keys: LogKeys) -> None:
        self._layout = layout
        self._keys = keys
        self._seen = b""
        self._bytes: list[bytes] = []
        self._entries: list[LogEntry] = []
        self._live: tuple[Sequence[LogEntry], Sequence[SegmentManifest]] = ([], ())
        self._depth, self._handle = 0, -1
        self._version = ""  # of the checkpoint in object storage
        self.lock_timeout: float | None = None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the log, so that no other process appends.

        Raises:
            EnvironmentFailure: Another process holds it after `lock_timeout`.
        """
        if self._depth == 0:
            path = self._layout.log / ".lock"
            with translate_os_errors("lock", path):
                handle = open_new_file(path, os.O_RDWR)
                try:
                    wait_for_lock(handle, self.lock_timeout, self._layout.root)
                except BaseException:
                    os.close(handle)
                    raise
            self._handle = handle
        self._depth += 1
        try:
            if self._depth == 1:
                self._pull()
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                os.close(self._handle)

    @property
    def is_locked(self) -> bool:
        """Return whether this object holds the lock."""
        return self._depth > 0

    def checkpoint(self) -> bytes:
        """Read the signed checkpoint; empty if there is none."""
        remote = self._layout.remote
        if remote is not None and self._depth == 0 and remote.log.is_due():
            with self.lock():
                pass
        try:
            return read_file(self._layout.log / "checkpoint")
        except FileNotFoundError:
            return b""

    def entries(self) -> Sequence[LogEntry]:
        """Read and decode every entry that the checkpoint covers.

        Raises:
            VerificationError: The log is damaged.
        """
        self._reload_entries()
        return self._entries

    def list_live(self, entries: Sequence[LogEntry]) -> Sequence[SegmentManifest]:
        """List the readable segment files of all entries, once for each list of them."""
        if self._live[0] is not entries:  # each change makes another list
            self._live = entries, tuple(list_live_segments(entries))
        return self._live[1]

    def raw_entries(self) -> Sequence[bytes]:
        """Return the bytes of every log entry, in order."""
        self._reload_entries()
        return self._bytes

    def verify_entries(self) -> None:
        """Check that the entries match the checkpoint signed by the store's key.

        Raises:
            VerificationError: They do not.
        """
        self._reload_entries()
        if self._seen:
            self._verify_root(parse_own_checkpoint(self._seen, self._keys.public_key))

    def _verify_root(self, last: Checkpoint) -> None:
        """Check that the entries lead to the root of a checkpoint."""
        from answerable.evidence.merkle import MerkleFrontier, leaf_hash

        if last.root != MerkleFrontier([leaf_hash(e) for e in self._bytes]).root():
            raise _build_log_changed_error()

    def _reload_entries(self) -> None:
        """Read the entries that were added since the last read."""
        note = self.checkpoint()
        if note == self._seen:
            here = self._layout.remote is None  # elsewhere, `_pull` has looked for it
            if not note and here and (self._layout.keys / "log.pub").exists():
                raise build_missing_log_error()
            return
        last, is_first = parse_own_checkpoint(note, None), not self._seen
        if (size := last.size) < len(self._bytes):
            self._bytes, self._entries = [], []
        known = len(self._bytes) // TILE_WIDTH * TILE_WIDTH
        fresh = list(self._bytes[:known])
        for index, width in list_tile_widths(size):
            if index * TILE_WIDTH >= known:
                fresh += self._read_bundle(index, width)
        entries = self._entries[:known]
        entries += [decode_entry(data) for data in fresh[known:]]
        self._bytes, self._entries, self._seen = fresh, entries, note
        if is_first:  # a damaged byte is noticed, a forged log only by `verify`
            self._verify_root(last)

    def _read_bundle(self, index: int, width: int) -> list[bytes]:
        """Read an entry bundle; a wider one may have replaced it."""
        for wide in range(width, TILE_WIDTH + 1):
            path = self._layout.log / entries_path(index, wide)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                return unpack_entries(read_file(path), wide)[:width]
        raise VerificationError(
            f"log/{entries_path(index, width)} is missing",
            "restore the log folder from a backup",
        )

    def append(
        self, entries: Sequence[LogEntry], *, after: tuple[type, ...] = ()
    ) -> Checkpoint:
        """Append entries to the Merkle tree, and sign a checkpoint over it.

        The checkpoint commits the append: until it is renamed into place, or replaced
        in object storage, the log has not grown, and a retry writes the same tiles.

        Args:
            entries: The entries.
            after: Types of entries that other machines may append before these.

        Raises:
            VerificationError: The log on disk does not match its checkpoint.
            EnvironmentFailure: The disk failed; the log is unchanged.
            LogChangedError: Another machine appended an entry of another type.
        """
        with self.lock():
            remote = self._layout.remote
            if remote is not None:
                _ = self._keys.public_key  # no file is there before the log is
                remote.files.upload(self._layout.root, entries)
            fresh = [encode_entry(entry) for entry in entries]
            for _ in range(_MAX_COMMITS):
                last, checkpoint, note, leaves = self._grow(fresh)
                old, data = len(self._bytes), [*self._bytes, *fresh]
                if remote is not None:
                    written = remote.log.commit(
                        last, self._version, data, (checkpoint, note)
                    )
                    if not written:
                        self._pull()
                        moved = self._bytes[old:]
                        if all(each in moved for each in fresh):  # by a lost answer
                            return parse_own_checkpoint(
                                self._seen, self._keys.public_key
                            )
                        self._refuse_changes(self._entries[old:], after)
                        continue
                    self._version = written
                self._write_log(old, data, leaves, note)
                self._entries = [*self._entries, *entries]
                return checkpoint
            raise build_log_changed_error()

    def _grow(
        self, fresh: Sequence[bytes]
    ) -> tuple[Checkpoint, Checkpoint, bytes, list[bytes]]:
        """Return the last checkpoint, the next one, it signed, and all leaf hashes."""
        from answerable.evidence.merkle import MerkleFrontier, leaf_hash

        key = self._keys.public_key  # makes the first checkpoint with the keys
        if not self._seen:
            self._pull()
        self._reload_entries()
        leaves = [leaf_hash(data) for data in self._bytes]
        if not self._seen:
            raise build_missing_log_error()
        last = parse_own_checkpoint(self._seen, key)
        if last.root != MerkleFrontier(leaves).root():
            raise _build_log_changed_error()
        named = self._keys.fingerprint_digest() or last.fingerprint_key
        if last.fingerprint_key not in (b"", named):
            raise build_fingerprint_key_error()
        leaves += [leaf_hash(entry) for entry in fresh]
        root = MerkleFrontier(leaves).root()
        checkpoint = Checkpoint(key.name, len(leaves), root, named)
        note = checkpoint.sign(key, self._keys.signing_seed())
        return last, checkpoint, note, leaves

    def _refuse_changes(
        self, added: Sequence[LogEntry], after: tuple[type, ...]
    ) -> None:
        """Refuse to append after entries that the new ones depend on.

        Raises:
            LogChangedError: An entry is of another type.
        """
        if not all(isinstance(each, after) for each in added):
            raise build_log_changed_error()

    def _write_log(
        self, old: int, data: list[bytes], leaves: Sequence[bytes], note: bytes
    ) -> None:
        """Write entries, tiles and, last, the checkpoint to the local folder."""
        mark_crash_point("log-begin")
        for index, width in list_tile_widths(len(data)):
            if index * TILE_WIDTH + width > old:
                bundle = pack_entries(
                    data[index * TILE_WIDTH : index * TILE_WIDTH + width]
                )
                self._write_log_file(entries_path(index, width), bundle)
        mark_crash_point("log-entries")
        for path, tile in compute_changed_tiles(old, leaves).items():
            self._write_log_file(path, tile)
        mark_crash_point("log-tiles")
        write_file(self._layout.log / "checkpoint", note)
        mark_crash_point("log-checkpoint")
        self._delete_partial_tiles(len(data))
        self._bytes, self._seen = data, note

    def _pull(self) -> None:
        """Read what other machines appended in object storage; the lock is held.

        Raises:
            VerificationError: The log there is not consistent with the one here.
            EnvironmentFailure: Object storage cannot be read.
        """
        remote = self._layout.remote
        if remote is None:
            return
        is_same, unread = False, b""
        for _ in range(_MAX_READS):
            head = remote.log.read_head()
            self._reload_entries()
            if head is None:
                new = not self._seen and self._keys.may_create_log()
                remote.log.refuse_lost_checkpoint(may_create=new)
                return
            known = head.note == self._seen != b""
            if known or self._take_over(remote.log, head.note):
                self._version = head.version
                remote.log.mark_current()
                return
            is_same, unread = head.note == unread, head.note
            time.sleep(_READ_DELAY if is_same else 0)
        if is_same:  # no other writer replaces it
            raise remote.log.build_unread_error(parse_checkpoint(unread, None))
        raise build_log_changed_error()

    def _take_over(self, remote: "RemoteLog", note: bytes) -> bool:
        """Write the log of a newer checkpoint here; False if it was replaced again."""
        from answerable.evidence.merkle import MerkleFrontier, leaf_hash

        checkpoint = remote.parse_head(note, self._keys.public_key)
        old = self._bytes
        if checkpoint.size < len(old):
            raise VerificationError(
                f"the log in {remote.location} has {checkpoint.size:,} entries, fewer "
                f"than were read before ({len(old):,})",
                "it was replaced by an older one: restore the objects of the bucket",
            )
        if not checkpoint.size and remote.has_tail():
            return False  # its first entries are added just now, or it is too old
        data = remote.read_entries(checkpoint, old)
        if data is None:
            return False
        leaves = [leaf_hash(entry) for entry in data]
        if checkpoint.root != MerkleFrontier(leaves).root():
            raise remote.build_wrong_entry_error(checkpoint, data, old)
        if data[: len(old)] != old:
            raise VerificationError(
                f"the log in {remote.location} is not consistent with the log read "
                "earlier",
                "find the change with: answerable evidence verify",
            )
        entries = [decode_entry(entry) for entry in data[len(old) :]]
        self._write_log(len(old), data, leaves, note)
        self._entries = [*self._entries[: len(old)], *entries]
        return True

    def _write_log_file(self, path: str, data: bytes) -> None:
        """Write a file of the log, and create its folder."""
        there = self._layout.log / path
        make_store_folder(there.parent)
        write_file(there, data)

    def _delete_partial_tiles(self, size: int) -> None:
        """Delete partial tiles that larger tiles replace."""
        level = 0
        while count := size >> 8 * level:
            index, width = divmod(count, TILE_WIDTH)
            for at, wide in ((index - 1, TILE_WIDTH), (index, width)):
                if at < 0:
                    continue
                self._delete_narrower_tiles(tile_path(level, at, 1), wide)
                if level == 0:
                    self._delete_narrower_tiles(entries_path(at, 1), wide)
            level += 1

    def _delete_narrower_tiles(self, path: str, width: int) -> None:
        """Delete the partial tiles that are narrower than `width`."""
        folder = (self._layout.log / path).parent
        for old in folder.glob("*") if folder.is_dir() else ():
            if old.name.isdigit() and int(old.name) < width:
                old.unlink(missing_ok=True)


def build_log_changed_error() -> LogChangedError:
    """Build the error for a log to which another machine appends."""
    return LogChangedError(
        "another machine appended to the log meanwhile", "run the command again"
    )


def build_missing_log_error() -> VerificationError:
    """Build the error for existing keys without their log."""
    return VerificationError(
        "log/checkpoint is missing, although keys/log.pub exists",
        "restore the folder log from a backup of the store",
    )


def build_fingerprint_key_error() -> VerificationError:
    """Build the error for a fingerprint key that does not match the log."""
    return VerificationError(
        "keys/fingerprint.key is not the key with which this store was created",
        "restore the key from a backup; with another key, known credentials appear new",
    )


def _build_log_changed_error() -> VerificationError:
    """Build the error for a log that does not match its checkpoint."""
    return VerificationError(
        "the log does not match its checkpoint",
        "find the change with: answerable evidence verify",
    )
