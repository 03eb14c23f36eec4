"""Catalogue of segments: their statistics in one file of `derived/`.

The file has a frame for each sealing: length, MAC, statistics by name of the Parquet
file. It is derived: statistics that are missing, damaged, foreign or of another release
are computed from the segments again, and deleting the file is harmless.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from answerable.evidence.log_entries import SegmentManifest, list_live_segments
from answerable.model.errors import EnvironmentFailure
from answerable.store.damaged_segments import require_intact_files
from answerable.store.duckdb_engine import DuckDbEngine
from answerable.store.durable_files import (
    make_store_folder,
    open_new_file,
    read_file,
    translate_os_errors,
    write_file,
)
from answerable.store.segment_statistics import (
    STATISTICS_VERSION,
    SegmentStatistics,
    compute_statistics,
)
from answerable.store.store_keys import LogKeys
from answerable.store.store_layout import StoreLayout
from answerable.store.transparency_log import TransparencyLog

_LENGTH_BYTES, _MAC_BYTES = 4, 24
_HEAD_BYTES = _LENGTH_BYTES + _MAC_BYTES
# The columns of the rows of one query are in memory at once.
_FILES_PER_QUERY, _ROWS_PER_QUERY = 400, 100_000
# The file is written again when it names more than this many times the live segments.
_MAX_OBSOLETE, _MIN_OBSOLETE = 2, 64
_MAX_FRAMES = 64  # each is hashed for itself, and may name segments that were replaced
_Frame = dict[str, SegmentStatistics]
_decode_frame = msgspec.msgpack.Decoder(_Frame).decode
_encode = msgspec.msgpack.Encoder().encode


class SegmentCatalogue:
    """Statistics of the live segments of a store, read once and kept in memory."""

    def __init__(
        self, layout: StoreLayout, log: TransparencyLog, keys: LogKeys
    ) -> None:
        self._layout, self._log, self._keys = layout, log, keys
        self._path = layout.root / "derived" / "segments.bin"
        self._known: _Frame = {}
        self._read_bytes, self._inode, self._frames = 0, 0, 0

    def get_statistics(self, segments: Sequence[SegmentManifest]) -> _Frame:
        """Return the statistics of segments by name; compute and store missing ones.

        Raises:
            duckdb.Error: A segment file is damaged.
            EnvironmentFailure: A segment file cannot be read.
        """
        if self._find_missing(segments):
            self._read_new_frames()
            if self._frames > _MAX_FRAMES:
                self._write_live(self._known)
        for group in _split_into_queries(self._find_missing(segments)):
            self._add_statistics(group)
        return self._known

    def add(self, statistics: Mapping[str, SegmentStatistics]) -> None:
        """Add the statistics of new segments, and append them to the file."""
        if not statistics:
            return
        self._read_new_frames()
        self._known.update(statistics)
        with contextlib.suppress(EnvironmentFailure):  # not kept: computed again
            self._append_frame(dict(statistics))

    def _find_missing(
        self, segments: Iterable[SegmentManifest]
    ) -> list[SegmentManifest]:
        """Find the segments without statistics of their current file."""
        known = self._known
        return [
            each
            for each in segments
            if each.segment not in known
            or known[each.segment].file_sha256 != each.file_sha256
        ]

    def _add_statistics(self, segments: Sequence[SegmentManifest]) -> None:
        """Compute the statistics of segments, and append them to the file."""
        paths = {
            self._layout.segment_file(each.day, each.segment, ".parquet"): each
            for each in segments
        }
        digests = {path: each.file_sha256 for path, each in paths.items()}
        require_intact_files(digests)
        engine = DuckDbEngine(self._layout.segments)
        try:
            computed = compute_statistics(engine, digests)
        finally:
            engine.close()
        frame = {paths[path].segment: found for path, found in computed.items()}
        self._known.update(frame)
        with contextlib.suppress(EnvironmentFailure):  # not kept: computed again
            self._append_frame(frame)

    def _append_frame(self, frame: _Frame) -> None:
        """Append a frame after the last valid one; without the lock, do nothing."""
        from answerable.store.erasure_guard import lock_derived_files

        make_store_folder(self._path.parent)
        with (
            lock_derived_files(self._layout),
            translate_os_errors("write", self._path),
        ):
            frame = self._select_live(frame)
            flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
            handle = open_new_file(self._path, flags)
            try:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._read_new_frames()
                    os.ftruncate(handle, self._read_bytes)
                    data = self._encode_frame(frame)
                    os.pwrite(handle, data, self._read_bytes)
                    self._read_bytes += len(data)
            finally:
                os.close(handle)

    def drop_obsolete(
        self, segments: Sequence[SegmentManifest], *, most_only: bool = True
    ) -> None:
        """Write the file again if its statistics are of obsolete files.

        Args:
            segments: Live segments.
            most_only: Only if most of them are.
        """
        known = self.get_statistics(segments)
        if most_only and len(known) <= max(
            _MAX_OBSOLETE * len(segments), _MIN_OBSOLETE
        ):
            return
        self._known = {each.segment: known[each.segment] for each in segments}
        self._write_live(self._known)

    def _write_live(self, known: _Frame) -> None:
        """Write the file again, with the statistics of live segments in one frame."""
        from answerable.store.erasure_guard import lock_derived_files

        with (
            contextlib.suppress(EnvironmentFailure),
            lock_derived_files(self._layout),
        ):
            live = self._select_live(known)
            write_file(self._path, self._encode_frame(live), sync=False)

    def _select_live(self, frame: _Frame) -> _Frame:
        """Select the statistics of live segments: others may have erased rows."""
        live = list_live_segments(self._log.entries())
        digests = {each.segment: each.file_sha256 for each in live}
        return {
            name: each
            for name, each in frame.items()
            if digests.get(name) == each.file_sha256
        }

    def _read_new_frames(self) -> None:
        """Read the frames that were added to the file since the last read."""
        try:
            data, inode = read_file(self._path), self._path.stat().st_ino
        except (OSError, EnvironmentFailure):
            data, inode = b"", 0
        if len(data) < self._read_bytes or inode != self._inode:  # another file
            self._read_bytes, self._inode, self._frames = 0, inode, 0
        for frame, end in self._iterate_frames(data, self._read_bytes):
            self._known.update(frame)
            self._read_bytes = end
            self._frames += 1

    def _iterate_frames(self, data: bytes, start: int) -> Iterator[tuple[_Frame, int]]:
        """Yield the valid frames from a place on, each with its end."""
        while len(data) - start >= _HEAD_BYTES:
            body_at = start + _HEAD_BYTES
            end = body_at + int.from_bytes(data[start : start + _LENGTH_BYTES], "big")
            body = data[body_at:end]
            if end > len(data) or data[
                start + _LENGTH_BYTES : body_at
            ] != self._compute_mac(body):
                return
            try:
                yield _decode_frame(body), end
            except (msgspec.DecodeError, msgspec.ValidationError):
                return
            start = end

    def _encode_frame(self, frame: _Frame) -> bytes:
        """Encode a frame with its length and MAC."""
        body = _encode(frame)
        return len(body).to_bytes(_LENGTH_BYTES, "big") + self._compute_mac(body) + body

    def _compute_mac(self, body: bytes) -> bytes:
        """Compute the MAC of a frame, with the fingerprint key of the store."""
        named = f"segments {STATISTICS_VERSION} {hashlib.sha256(body).hexdigest()}"
        return self._keys.fingerprint(named).encode()


def _split_into_queries(
    segments: Iterable[SegmentManifest],
) -> Iterator[list[SegmentManifest]]:
    """Split segments into groups of a limited number of files and rows."""
    group: list[SegmentManifest] = []
    rows = 0
    for each in segments:
        if group and (
            len(group) == _FILES_PER_QUERY or rows + each.count > _ROWS_PER_QUERY
        ):
            yield group
            group, rows = [], 0
        group.append(each)
        rows += each.count
    if group:
        yield group
