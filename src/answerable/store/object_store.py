"""Content-addressed objects on disk: named by digest, compressed and logged.

An object is written to a temporary name and synced, then logged, and only then renamed
into place. So each file in place is in the log: any other file is foreign. A process
that ended before the rename leaves the temporary file; it is read from there, and the
next writer renames it.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import zstandard

from answerable.evidence.log_entries import ObjectEntry
from answerable.model.errors import AnswerableError, UsageError, VerificationError
from answerable.model.event import Quarantined
from answerable.store.durable_files import (
    reached,
    read_file,
    refused,
    sync_folder,
    write_file,
)
from answerable.store.store_layout import Layout
from answerable.store.transparency_log import Log

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


class _Kept(msgspec.Struct):
    """Quarantined record as encoded in its object."""

    place: str
    offset: int
    why: str
    raw: bytes


class Objects:
    """Objects of a store, including quarantined records."""

    def __init__(self, layout: Layout, log: Log) -> None:
        self._layout, self._log = layout, log
        self._quarantined: set[str] | None = None
        self._finished: set[Path] = set()

    def put(self, kind: str, data: bytes, now: int) -> str:
        """Store an object under its digest and log it.

        Returns:
            SHA-256 of the data, hex.
        """
        return self._commit(self._layout.objects, kind, data, now)

    def get(self, digest: str) -> bytes:
        """Read the content of an object.

        Raises:
            UsageError: There is no such object.
            VerificationError: Its content does not match its digest.
        """
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise UsageError(f"not an object digest (got {digest[:80]!r})")
        return read_blob(self._layout.objects / digest)

    def listed(self, kind: str) -> tuple[LoggedObject, ...]:
        """List the objects of a kind, in log order."""
        return tuple(
            LoggedObject(entry.sha256, int(entry.at), index)
            for index, entry in enumerate(self._log.entries())
            if isinstance(entry, ObjectEntry) and entry.of == kind
        )

    def quarantine(self, records: Sequence[Quarantined], now: int) -> int:
        """Store unparseable records; equal bytes are stored once.

        Returns:
            Number of new records.
        """
        if self._quarantined is None:
            self._quarantined = {
                hashlib.sha256(kept.raw).hexdigest()
                for entry in self.listed(_QUARANTINE)
                for kept in _kept(read_blob(self._layout.quarantine / entry.digest))
            }
        fresh: dict[str, Quarantined] = {}
        for record in records:
            digest = hashlib.sha256(record.raw).hexdigest()
            if digest not in self._quarantined:
                fresh.setdefault(digest, record)
        if not fresh:
            return 0
        data = msgspec.json.encode(
            [
                _Kept(_text(r.place), r.offset, _text(r.why), r.raw)
                for r in fresh.values()
            ]
        )
        self._commit(self._layout.quarantine, _QUARANTINE, data, now)
        self._quarantined.update(fresh)
        return len(fresh)

    def _commit(self, folder: Path, kind: str, data: bytes, now: int) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = folder / digest
        packed = zstandard.ZstdCompressor(level=3).compress(data)
        with self._log.lock():
            self._finish(folder)
            if not _holds(path):
                write_file(unfinished(path), packed)
            reached("object-written")
            self._log.append([ObjectEntry(of=kind, sha256=digest, at=str(now))])
            reached("object-logged")
            self._move(path)
        return digest

    def _finish(self, folder: Path) -> None:
        """Finish interrupted writes: move logged objects into place, delete others."""
        if folder in self._finished:
            return
        named = {e.sha256 for e in self._log.entries() if isinstance(e, ObjectEntry)}
        for left in folder.glob(".*.new"):
            digest = left.name.strip(".").removesuffix(".new")
            if digest in named and not _holds(folder / digest):
                self._move(folder / digest)
            else:
                with refused("remove", left):
                    left.unlink(missing_ok=True)
        self._finished.add(folder)

    def _move(self, path: Path) -> None:
        with refused("write", path), suppress(FileNotFoundError):
            unfinished(path).replace(path)
            sync_folder(path.parent)


def unfinished(path: Path) -> Path:
    """Return the temporary path of an object before it is logged."""
    return path.with_name(f".{path.name}.new")


def _holds(path: Path) -> bool:
    try:
        read_whole(path)
    except (AnswerableError, OSError):
        return False
    return True


def read_blob(path: Path) -> bytes:
    """Read a compressed file named by its content digest.

    Raises:
        UsageError: There is no such file.
        VerificationError: Its content does not match its digest.
    """
    for place in (path, unfinished(path), path):  # it may be moved meanwhile
        with suppress(FileNotFoundError):
            return read_whole(place, path.name)
    raise UsageError(f"there is no object {path.name}")


def read_whole(place: Path, digest: str = "") -> bytes:
    """Read a compressed file to its end.

    Args:
        place: The file.
        digest: Expected digest; empty for the file name.

    Raises:
        FileNotFoundError: It is missing.
        VerificationError: Its content has another digest or trailing bytes.
    """
    packed = read_file(place)
    name = f"{place.parent.name}/{place.name}"
    reader = zstandard.ZstdDecompressor().decompressobj()
    try:
        data = reader.decompress(packed)
    except zstandard.ZstdError:
        raise VerificationError(f"{name} is damaged") from None
    if reader.unused_data:
        raise VerificationError(
            f"{name} is damaged: {len(reader.unused_data)} bytes follow its end"
        )
    if not reader.eof or hashlib.sha256(data).hexdigest() != (digest or place.name):
        raise VerificationError(f"{name} is damaged")
    return data


def _text(text: str) -> str:
    """Escape characters that UTF-8 cannot encode, as in a file name."""
    return text.encode("utf-8", "backslashreplace").decode()


def _kept(data: bytes) -> list[_Kept]:
    return msgspec.json.decode(data, type=list[_Kept])
