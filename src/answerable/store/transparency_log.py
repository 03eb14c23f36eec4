"""Append to and read the transparency log on disk: tiles, entry bundles, checkpoint."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Sequence

from answerable.evidence.checkpoint import Checkpoint, parse_checkpoint
from answerable.evidence.log_entries import LogEntry, decode_entry, encode_entry
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
    write_file,
)
from answerable.store.store_keys import LogKeys
from answerable.store.store_layout import StoreLayout

_LOCK_POLL = 0.02  # seconds between two attempts, where the wait is limited


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
        self._depth = 0
        self._handle = -1
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
                    self._wait_for_lock(handle)
                except BaseException:
                    os.close(handle)
                    raise
            self._handle = handle
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                os.close(self._handle)

    def _wait_for_lock(self, handle: int) -> None:
        """Lock an open file, within `lock_timeout` where there is one.

        Raises:
            EnvironmentFailure: Another process holds it all that time.
        """
        if self.lock_timeout is None:
            fcntl.flock(handle, fcntl.LOCK_EX)
            return
        end = time.monotonic() + self.lock_timeout
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise EnvironmentFailure(
                        f"the store is locked by another process ({self._layout.root})",
                        "run the command again when it has ended",
                    ) from None
            else:
                return
            time.sleep(_LOCK_POLL)

    def checkpoint(self) -> bytes:
        """Read the signed checkpoint; empty if there is none."""
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

    def raw_entries(self) -> Sequence[bytes]:
        """Return the bytes of every log entry, in order."""
        self._reload_entries()
        return self._bytes

    def verify_entries(self) -> None:
        """Check that the entries match the checkpoint signed by the store's key.

        Raises:
            VerificationError: They do not.
        """
        from answerable.evidence.merkle import MerkleFrontier, leaf_hash

        self._reload_entries()
        if self._seen:
            last = parse_checkpoint(self._seen, self._keys.public_key)
            root = MerkleFrontier([leaf_hash(data) for data in self._bytes]).root()
            if last.root != root:
                raise _build_log_changed_error()

    def _reload_entries(self) -> None:
        """Read the entries that were added since the last read."""
        note = self.checkpoint()
        if note == self._seen:
            return
        size = parse_checkpoint(note, None).size
        if size < len(self._bytes):
            self._bytes, self._entries = [], []
        known = len(self._bytes) // TILE_WIDTH * TILE_WIDTH
        fresh = list(self._bytes[:known])
        for index, width in list_tile_widths(size):
            if index * TILE_WIDTH >= known:
                fresh += self._read_bundle(index, width)
        entries = self._entries[:known]
        entries += [decode_entry(data) for data in fresh[known:]]
        self._bytes, self._entries, self._seen = fresh, entries, note

    def _read_bundle(self, index: int, width: int) -> list[bytes]:
        """Read an entry bundle; a wider one may have replaced it."""
        # A partial bundle may have been superseded by a wider one.
        for wide in range(width, TILE_WIDTH + 1):
            path = self._layout.log / entries_path(index, wide)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                return unpack_entries(read_file(path), wide)[:width]
        raise VerificationError(
            f"log/{entries_path(index, width)} is missing",
            "restore the log folder from a backup",
        )

    def append(self, entries: Sequence[LogEntry]) -> Checkpoint:
        """Append entries to the Merkle tree, and sign a checkpoint over it.

        The checkpoint commits the append: until it is renamed into place the log has
        not grown, and a retry writes the same tiles.

        Raises:
            VerificationError: The log on disk does not match its checkpoint.
            EnvironmentFailure: The disk failed; the log is unchanged.
        """
        from answerable.evidence.merkle import MerkleFrontier, leaf_hash

        with self.lock():
            key = self._keys.public_key  # makes the first checkpoint with the keys
            self._reload_entries()
            leaves = [leaf_hash(data) for data in self._bytes]
            if not self._seen:
                raise build_missing_log_error()
            last = parse_checkpoint(self._seen, key)
            if last.root != MerkleFrontier(leaves).root():
                raise _build_log_changed_error()
            named = self._keys.fingerprint_digest() or last.fingerprint_key
            if last.fingerprint_key not in (b"", named):
                raise build_fingerprint_key_error()
            fresh = [encode_entry(entry) for entry in entries]
            old, data = len(self._bytes), [*self._bytes, *fresh]
            leaves += [leaf_hash(entry) for entry in fresh]
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
            root = MerkleFrontier(leaves).root()
            checkpoint = Checkpoint(key.name, len(data), root, named)
            note = checkpoint.sign(key, self._keys.signing_seed())
            write_file(self._layout.log / "checkpoint", note)
            mark_crash_point("log-checkpoint")
            self._delete_partial_tiles(len(data))
            self._bytes, self._seen = data, note
            self._entries = [*self._entries, *entries]
            return checkpoint

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


def build_missing_log_error() -> VerificationError:
    """Build the error for existing keys without their log."""
    return VerificationError(
        "log/checkpoint is missing, although keys/log.pub exists",
        "restore the store from a backup; if it never contained events, remove keys/",
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
