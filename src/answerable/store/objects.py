"""Objects on disk: named by their digest, compressed, and logged.

An object is written beside its place and synced, then the log commits to it, and only
then it is renamed into place. So each file in place is in the log: any other one was put
there by somebody else. A process that ended before the rename leaves the object beside
its place; it is read from there, and the next process that writes moves it.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import zstandard

from answerable.evidence.records import ObjectEntry
from answerable.model.errors import AnswerableError, UsageError, VerificationError
from answerable.model.event import Quarantined
from answerable.store.disk import (
    reached,
    read_file,
    refused,
    sync_folder,
    write_file,
)
from answerable.store.layout import Layout
from answerable.store.log import Log

_QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class LoggedObject:
    """An object as the log names it.

    Attributes:
        digest: SHA-256 of its content, hex.
        at: When it was stored, UTC nanoseconds.
        index: Its place in the log.
    """

    digest: str
    at: int
    index: int


class _Kept(msgspec.Struct):
    """A quarantined record as it lies in its object."""

    place: str
    offset: int
    why: str
    raw: bytes


class Objects:
    """The objects of a store, and the records that could not be parsed."""

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
        """Give an object's content.

        Raises:
            UsageError: There is no such object.
            VerificationError: Its content is not what its name says.
        """
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise UsageError(f"not an object digest (got {digest[:80]!r})")
        return read_blob(self._layout.objects / digest)

    def listed(self, kind: str) -> tuple[LoggedObject, ...]:
        """List the objects of a kind, in the order of the log."""
        return tuple(
            LoggedObject(entry.sha256, int(entry.at), index)
            for index, entry in enumerate(self._log.entries())
            if isinstance(entry, ObjectEntry) and entry.of == kind
        )

    def quarantine(self, records: Sequence[Quarantined], now: int) -> int:
        """Keep records that could not be parsed; the same bytes are kept once.

        Returns:
            How many were new.
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
        """Move what the log names into place, and remove what it does not name."""
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
    """Give the place of an object until the log commits to it."""
    return path.with_name(f".{path.name}.new")


def _holds(path: Path) -> bool:
    try:
        read_whole(path)
    except (AnswerableError, OSError):
        return False
    return True


def read_blob(path: Path) -> bytes:
    """Read a compressed file that is named by the digest of its content.

    Raises:
        UsageError: There is no such file.
        VerificationError: Its content is not what its name says.
    """
    for place in (path, unfinished(path), path):  # it may be moved meanwhile
        with suppress(FileNotFoundError):
            return read_whole(place, path.name)
    raise UsageError(f"there is no object {path.name}")


def read_whole(place: Path, digest: str = "") -> bytes:
    """Read a compressed file to its end.

    Args:
        place: The file.
        digest: Of its content; empty for the file's name.

    Raises:
        FileNotFoundError: It is not there.
        VerificationError: Its content has another digest, or bytes follow it.
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
    """Write what no UTF-8 can carry, as in a file's name, as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _kept(data: bytes) -> list[_Kept]:
    return msgspec.json.decode(data, type=list[_Kept])
