"""Store content-addressed objects: named by digest, compressed and logged.

An object is written to a temporary name and synced, then logged, and only then renamed
into place. So each file in place is in the log: any other file is foreign. A process
that ended before the rename leaves the temporary file; it is read from there, and the
next writer renames it.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from answerable.evidence.log_entries import (
    LogEntry,
    ObjectEntry,
    list_removed_objects,
)
from answerable.model.errors import AnswerableError, UsageError, VerificationError
from answerable.store.durable_files import (
    mark_crash_point,
    read_file,
    sync_folder,
    translate_os_errors,
    write_file,
)
from answerable.store.store_layout import StoreLayout
from answerable.store.transparency_log import ANY_ENTRY, TransparencyLog

if TYPE_CHECKING:  # few objects are differences
    from answerable.model.event import QuarantinedRecord
    from answerable.store.difference_encoder import EarlierObject

# An object's file is header, content and checksum; `zstd -d` skips the two frames
# (RFC 8878, 3.1.2). A zstd frame has bits that no decoder reads; a change there is found
# by the checksum alone. The header says that there is one, so a file that was cut exactly
# before it is damaged. Files of earlier builds lack the header, or both.
HEADER = b"\x50\x2a\x4d\x18\x00\x00\x00\x00"
CHECKSUM_HEADER = b"\x5e\x2a\x4d\x18\x20\x00\x00\x00"  # then SHA-256 of all before
CHECKSUM_BYTES = len(CHECKSUM_HEADER) + 32
# First line of an object that is stored as a difference, after the header; then a version.
DIFFERENCE_HEADER = b"answerable object difference "
_QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class LoggedObject:
    """Logged object: digest, time and log index.

    Attributes:
        digest: SHA-256 of its content, hex.
        at: Storage time, UTC nanoseconds.
        index: Log index.
    """

    digest: str
    at: int
    index: int


class ObjectStore:
    """Objects of a store, including quarantined records."""

    def __init__(self, layout: StoreLayout, log: TransparencyLog) -> None:
        self._layout, self._log = layout, log
        self._quarantined: set[str] | None = None
        self._finished: set[Path] = set()
        # Entries of the log, and the objects among them by kind.
        self._listed: tuple[
            Sequence[LogEntry], Mapping[str, tuple[LoggedObject, ...]]
        ] = ([], {})

    def put(
        self,
        kind: str,
        data: bytes | Iterable[bytes],
        now: int,
        earlier: "EarlierObject | None" = None,
    ) -> str:
        """Store an object under its digest and log it.

        Args:
            kind: Kind of the object.
            data: Its content, whole or in parts.
            now: UTC nanoseconds.
            earlier: Object from which it differs little; None for none.

        Returns:
            SHA-256 of the data, hex.
        """
        objects = self._layout.objects
        return self._write_and_log_object(objects, kind, data, now, earlier)

    def read_whole_base(self, digest: str) -> tuple[str, Iterator[bytes]]:
        """Read the object that later ones may differ from: this one, or its own base.

        Returns:
            Its digest, and its content in parts; `ValueError` at the end if damaged.

        Raises:
            UsageError: There is no such object.
            VerificationError: It is in the log, and missing.
        """
        from answerable.store.object_difference import iterate_content

        path = self._layout.objects / digest
        self._fetch_object(path)
        base = read_object_base(path) or digest
        return base, iterate_content(read_packed(path.with_name(base)), base)

    def store_whole(self, bases: Collection[str]) -> None:
        """Store whole what differs from objects that will be removed.

        Raises:
            EnvironmentFailure: The disk failed.
        """
        from answerable.store.difference_encoder import encode_object

        for path in sorted(self._layout.objects.glob("[0-9a-f]*")):
            if path.name not in bases and read_object_base(path) in bases:
                with suppress(VerificationError):  # `verify` names a damaged one
                    content = read_compressed_object(path)
                    write_file(path, encode_object(content, None)[1])

    def get(self, digest: str) -> bytes:
        """Read and verify the content that has a SHA-256 digest.

        Raises:
            UsageError: There is no such object.
            VerificationError: Its content does not match its digest.
        """
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise UsageError(f"not an object digest (got {digest[:80]!r})")
        path = self._layout.objects / digest
        self._fetch_object(path)
        return read_compressed_object(path)

    def iterate(self, digest: str) -> Iterator[bytes]:
        """Read the content that has a SHA-256 digest, in parts.

        Raises:
            UsageError: There is no such object.
            VerificationError: At the end; its content does not match its digest.
        """
        from answerable.store.object_difference import iterate_object

        path = self._layout.objects / digest
        self._fetch_object(path)
        yield from iterate_object(path, read_packed(path), digest)

    def _fetch_object(self, path: Path) -> None:
        """Read an object from object storage, if the store is there.

        Raises:
            VerificationError: It is in the log, and missing or damaged.
        """
        self._layout.require_object(path)
        remote = self._layout.remote
        if (
            remote is None
            or path.is_file()
            or get_temporary_object_path(path).is_file()
        ):
            return
        entries = self._log.entries()
        logged = {e.sha256 for e in entries if isinstance(e, ObjectEntry)}
        if path.name in logged - set(list_removed_objects(entries)):
            raise remote.files.build_missing_error(f"{path.parent.name}/{path.name}")

    def list_objects(self, kind: str) -> tuple[LoggedObject, ...]:
        """List the objects of a kind that no policy removed, in log order."""
        entries = self._log.entries()
        if self._listed[0] is not entries:  # each change makes another list
            removed = list_removed_objects(entries)
            found: dict[str, list[LoggedObject]] = {}
            for index, entry in enumerate(entries):
                if isinstance(entry, ObjectEntry) and entry.sha256 not in removed:
                    made = LoggedObject(entry.sha256, int(entry.at), index)
                    found.setdefault(entry.of, []).append(made)
            self._listed = entries, {kind: tuple(each) for kind, each in found.items()}
        return self._listed[1].get(kind, ())

    def quarantine(self, records: "Sequence[QuarantinedRecord]", now: int) -> int:
        """Store unparseable records; equal bytes are stored once.

        Returns:
            Number of new records.
        """
        fresh = self.select_new_quarantined_records(records)
        if not fresh:
            return 0
        from answerable.store.quarantined_records import encode_quarantined_records

        data = encode_quarantined_records(fresh.values())
        self._write_and_log_object(self._layout.quarantine, _QUARANTINE, data, now)
        self._quarantined = (self._quarantined or set()) | fresh.keys()
        return len(fresh)

    def select_new_quarantined_records(
        self, records: "Sequence[QuarantinedRecord]"
    ) -> "dict[str, QuarantinedRecord]":
        """Select the records that are not in quarantine yet, by their digest."""
        if self._quarantined is None:
            from answerable.store.quarantined_records import decode_quarantined_records

            for entry in self.list_objects(_QUARANTINE):
                self._fetch_object(self._layout.quarantine / entry.digest)
            self._quarantined = {
                hashlib.sha256(raw).hexdigest()
                for entry in self.list_objects(_QUARANTINE)
                for raw in decode_quarantined_records(
                    read_compressed_object(self._layout.quarantine / entry.digest)
                )
            }
        fresh: dict[str, QuarantinedRecord] = {}
        for record in records:
            digest = hashlib.sha256(record.raw).hexdigest()
            if digest not in self._quarantined:
                fresh.setdefault(digest, record)
        return fresh

    def _write_and_log_object(
        self,
        folder: Path,
        kind: str,
        data: bytes | Iterable[bytes],
        now: int,
        earlier: "EarlierObject | None" = None,
    ) -> str:
        """Write an object, log it, and then move it into place."""
        from answerable.store.difference_encoder import encode_object

        if self._layout.remote is not None:
            earlier = None
        digest, packed, difference = encode_object(data, earlier)
        path = folder / digest
        # A caller with the lock derived the object from what the log contains.
        after = () if self._log.is_locked else ANY_ENTRY
        with self._log.lock():
            self._finish_interrupted_writes(folder)
            if not _is_object_intact(path):
                # The earlier object may have been removed meanwhile.
                if earlier is None or not (folder / earlier.digest).exists():
                    difference = None
                write_file(get_temporary_object_path(path), difference or packed)
            mark_crash_point("object-written")
            self._log.append(
                [ObjectEntry(of=kind, sha256=digest, at=str(now))], after=after
            )
            mark_crash_point("object-logged")
            self._move_object_into_place(path)
        return digest

    def _finish_interrupted_writes(self, folder: Path) -> None:
        """Finish interrupted writes: move logged objects into place, delete others."""
        if folder in self._finished:
            return
        named = {e.sha256 for e in self._log.entries() if isinstance(e, ObjectEntry)}
        for left in folder.glob(".*.new"):
            digest = left.name.strip(".").removesuffix(".new")
            if digest in named and not _is_object_intact(folder / digest):
                self._move_object_into_place(folder / digest)
            else:
                with translate_os_errors("remove", left):
                    left.unlink(missing_ok=True)
        self._finished.add(folder)

    def _move_object_into_place(self, path: Path) -> None:
        """Rename the temporary file of an object to its final name."""
        with translate_os_errors("write", path), suppress(FileNotFoundError):
            get_temporary_object_path(path).replace(path)
            sync_folder(path.parent)


def read_object_base(path: Path) -> str:
    """Read the digest of the object from which an object differs; empty for none."""
    with suppress(FileNotFoundError, ValueError):
        packed = read_file(path)
        if is_difference_file(packed):
            from answerable.store.object_difference import read_base_digest

            return read_base_digest(packed)
    return ""


def get_temporary_object_path(path: Path) -> Path:
    """Return the path of a stored file until the log has its digest."""
    return path.with_name(f".{path.name}.new")


def _is_object_intact(path: Path) -> bool:
    """Return whether an object file is readable and matches its digest."""
    try:
        read_compressed_file(path)
    except (AnswerableError, OSError):
        return False
    return True


def read_compressed_object(path: Path) -> bytes:
    """Read a compressed file named by its content digest.

    Raises:
        UsageError: There is no such file.
        VerificationError: Its content does not match its digest.
    """
    return _decode_packed(path, read_packed(path), path.name)


def read_packed(path: Path) -> bytes:
    """Read a compressed file, or its temporary one.

    Raises:
        UsageError: There is no such file.
    """
    # It may be moved meanwhile.
    for place in (path, get_temporary_object_path(path), path):
        with suppress(FileNotFoundError):
            return read_file(place)
    raise UsageError(f"no such object: {path.name}")


def read_compressed_file(path: Path, digest: str = "") -> bytes:
    """Read and decompress a whole file.

    Args:
        path: The file.
        digest: Expected digest; empty for the file name.

    Raises:
        FileNotFoundError: It is missing.
        VerificationError: Its content has another digest or trailing bytes.
    """
    return _decode_packed(path, read_file(path), digest or path.name)


def _decode_packed(path: Path, packed: bytes, digest: str) -> bytes:
    """Return the content of a compressed file, or of a difference; check its digest."""
    if is_difference_file(packed):
        from answerable.store.object_difference import iterate_object, join_parts

        return join_parts(iterate_object(path, packed, digest))
    return decompress_object(packed, digest, f"{path.parent.name}/{path.name}")


def unwrap_object_file(file: bytes) -> bytes:
    """Return the compressed content, or the difference, in the file of an object.

    Raises:
        ValueError: The checksum differs, or it is missing although the header names it.
    """
    body, frame = file[:-CHECKSUM_BYTES], file[-CHECKSUM_BYTES:]
    if frame[: len(CHECKSUM_HEADER)] != CHECKSUM_HEADER:
        if file.startswith(HEADER):
            raise ValueError("the checksum of the object's file is missing")
        return file
    if frame != CHECKSUM_HEADER + hashlib.sha256(body).digest():
        raise ValueError("the file of an object has another checksum")
    return body.removeprefix(HEADER)


def is_difference_file(file: bytes) -> bool:
    """Return whether an object is stored as the difference from another one."""
    return file.removeprefix(HEADER).startswith(DIFFERENCE_HEADER)


def decompress_object(packed: bytes, digest: str, name: str) -> bytes:
    """Decompress a whole file.

    Args:
        packed: Its bytes.
        digest: Expected digest.
        name: Its name, for the message.

    Raises:
        VerificationError: Its content or checksum differs, or it has trailing bytes.
    """
    reader = zstandard.ZstdDecompressor().decompressobj()
    try:
        data = reader.decompress(unwrap_object_file(packed))
    except (zstandard.ZstdError, ValueError):
        raise VerificationError(f"{name} is damaged") from None
    if reader.unused_data:
        raise VerificationError(
            f"{name} is damaged: {len(reader.unused_data)} extra bytes follow the "
            "end of the data"
        )
    if not reader.eof or hashlib.sha256(data).hexdigest() != digest:
        raise VerificationError(f"{name} is damaged")
    return data
