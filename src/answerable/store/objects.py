"""Objects on disk: named by their digest, compressed, and logged."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import zstandard

from answerable.evidence.records import ObjectEntry
from answerable.model.errors import UsageError, VerificationError
from answerable.model.event import Quarantined
from answerable.store.disk import reached, read_file, write_file
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

    def put(self, kind: str, data: bytes, now: int) -> str:
        """Store an object under its digest and log it.

        Returns:
            SHA-256 of the data, hex.
        """
        digest = hashlib.sha256(data).hexdigest()
        self._put(self._layout.objects / digest, data)
        reached("object-written")
        self._log.append([ObjectEntry(of=kind, sha256=digest, at=str(now))])
        return digest

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
        name = hashlib.sha256(data).hexdigest()
        self._put(self._layout.quarantine / name, data)
        reached("object-written")
        self._log.append([ObjectEntry(of=_QUARANTINE, sha256=name, at=str(now))])
        self._quarantined.update(fresh)
        return len(fresh)

    def _put(self, path: Path, data: bytes) -> None:
        if not path.exists():
            write_file(path, zstandard.ZstdCompressor(level=3).compress(data))


def read_blob(path: Path) -> bytes:
    """Read a compressed file that is named by the digest of its content.

    Raises:
        UsageError: There is no such file.
        VerificationError: Its content is not what its name says.
    """
    try:
        packed = read_file(path)
    except FileNotFoundError:
        raise UsageError(f"there is no object {path.name}") from None
    try:
        data = zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError:
        raise VerificationError(f"{path.parent.name}/{path.name} is damaged") from None
    if hashlib.sha256(data).hexdigest() != path.name:
        raise VerificationError(f"{path.parent.name}/{path.name} is damaged")
    return data


def _text(text: str) -> str:
    """Write what no UTF-8 can carry, as in a file's name, as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _kept(data: bytes) -> list[_Kept]:
    return msgspec.json.decode(data, type=list[_Kept])
