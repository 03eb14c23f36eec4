"""Backup archive of a store and of the state of its servers: tar, compressed with zstd.

Other processes may write meanwhile. Three facts make the copy consistent:

- Records on their way into the store (spools) are copied first. A record that has left
  its spool by then is in the store, whose copy is later; one that is in both is stored
  once, by its id.
- The log and the heads of open journals are copied while the log is locked. Journals
  only grow, so their heads are read before them.
- Segments, objects and journals get a second name (link(2)) under that lock, so that
  compaction or erasure cannot remove them before they are copied. Only the files that
  the log names are copied.

The file `format.json` is the last one: a folder without it is no store, so an
interrupted restore is never mistaken for a complete one.
"""

import io
import os
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, BinaryIO

import msgspec
import zstandard

from answerable.evidence.log_entries import (
    JournalOpened,
    JournalSealed,
    LogEntry,
    ObjectEntry,
    SegmentManifest,
)
from answerable.model.errors import UsageError
from answerable.store.backup_keys import encrypt_files
from answerable.store.durable_files import FILE_MODE, translate_os_errors
from answerable.store.object_store import get_temporary_object_path
from answerable.store.spill_folders import SPILL_PREFIX
from answerable.store.store import EvidenceStore
from answerable.store.store_keys import parse_own_checkpoint
from answerable.store.store_layout import STORE_SCHEMA, VOLUME_FOLDER
from answerable.store.temporary_folders import BACKUP_PREFIX, make_temporary_folder

ARCHIVE_SCHEMA = 1
MANIFEST = "backup.json"
KEYS = "keys.encrypted"
STORE = "store"
STATE = "state"
DATABASE = "control.db"
_LEVEL = 3
# Derived from the store and written again on demand; or of a running process.
_SKIPPED = frozenset({"derived", "lock", "sign-in-link", VOLUME_FOLDER})
_LOG_LOCK = ".lock"


class BackupManifest(msgspec.Struct, frozen=True):
    """First file of an archive.

    Attributes:
        complete_until: Records acknowledged until then are in the archive, UTC
            nanoseconds as a decimal string.
        store: Format of the store.
        log_size: Number of entries of the log.
        log_root: Root of the log, hex.
        has_keys: The archive contains the keys, encrypted.
        folders: Names of state folders outside the store.
        postgres: The token service keeps its state in PostgreSQL, so not in here.
    """

    complete_until: str
    release: str
    store: int
    log_size: int
    log_root: str
    has_keys: bool
    folders: tuple[str, ...] = ()
    postgres: bool = False
    schema: int = ARCHIVE_SCHEMA


def write_backup(
    store: EvidenceStore,
    file: BinaryIO,
    manifest: BackupManifest,
    *,
    folders: Mapping[str, Path],
    scratch: Path,
    passphrase: bytes = b"",
) -> BackupManifest:
    """Write an archive of a store and of state folders.

    Args:
        file: Written to its end.
        manifest: Manifest without the facts of the log.
        folders: State folders outside the store, by name.
        scratch: Folder for temporary files.
        passphrase: Encrypts the keys; empty to leave them out.

    Returns:
        The manifest as written.
    """
    store.layout.refuse_remote()
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    with (
        translate_os_errors("back up", store.root),
        tempfile.TemporaryFile(dir=scratch) as early,
        make_temporary_folder(store.root, BACKUP_PREFIX) as links,
        compressor.stream_writer(file, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        # Spools before the log; but the manifest, with facts of the log, comes first.
        with tarfile.open(fileobj=early, mode="w") as first:
            secrets = _add_state(first, store, folders, scratch)
        with store.log.lock():
            entries = list(store.log.entries())
            note = store.log.checkpoint()
            tree = parse_own_checkpoint(note, store.keys.public_key) if note else None
            manifest = msgspec.structs.replace(
                manifest,
                store=STORE_SCHEMA,
                log_size=tree.size if tree else 0,
                log_root=tree.root.hex() if tree else "",
                has_keys=bool(passphrase),
                folders=tuple(folders),
            )
            add_bytes(archive, MANIFEST, msgspec.json.encode(manifest))
            _add_log(archive, store)
            linked = _link_files(store, entries, links)
        early.seek(0)
        with tarfile.open(fileobj=early, mode="r") as first:
            for member in first:
                archive.addfile(member, first.extractfile(member))
        for name, path in linked:
            _add_file(archive, path, name)
        _add_file(archive, store.layout.keys / "log.pub", f"{STORE}/keys/log.pub")
        if passphrase:
            add_bytes(archive, KEYS, encrypt_files(_read_files(secrets), passphrase))
        _add_file(archive, store.layout.format, f"{STORE}/{store.layout.format.name}")
    return manifest


def add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file with this content."""
    archive.addfile(_build_member(name, len(data)), io.BytesIO(data))


def _build_member(name: str, size: int) -> tarfile.TarInfo:
    """Build the header of a private file."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, FILE_MODE
    return member


def _add_file(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a file as long as it is now; it may grow meanwhile."""
    with path.open("rb") as opened:
        member = _build_member(name, os.fstat(opened.fileno()).st_size)
        archive.addfile(member, opened)


def _add_log(archive: tarfile.TarFile, store: EvidenceStore) -> None:
    """Add the locked log."""
    for path in sorted(store.layout.log.rglob("*")):
        if path.is_file() and path.name != _LOG_LOCK and not is_temporary(path):
            _add_file(archive, path, f"{STORE}/{path.relative_to(store.root)}")


def _link_files(
    store: EvidenceStore, entries: Sequence[LogEntry], links: Path
) -> list[tuple[str, Path]]:
    """Link each file that the locked log names into a folder.

    Returns:
        Name in the archive and path of each link; a head before its journal.
    """
    found: list[tuple[str, Path]] = []
    for number, path in enumerate(_list_named_files(store, entries)):
        link = links / str(number)
        if path.parent == store.layout.journal and path.suffix == ".head":
            link.write_bytes(path.read_bytes())  # it is overwritten in place
        else:
            os.link(path, link)
        found.append((f"{STORE}/{path.relative_to(store.root)}", link))
    return found


def _list_named_files(
    store: EvidenceStore, entries: Sequence[LogEntry]
) -> Iterator[Path]:
    """Yield the existing files that the log names."""
    layout = store.layout
    sealed = {each.journal for each in entries if isinstance(each, JournalSealed)}
    opened = {each.journal for each in entries if isinstance(each, JournalOpened)}
    for name in sorted(opened - sealed):
        for path in (layout.head_file(name), layout.journal_file(name)):
            if path.exists():
                yield path
    segments = {e.segment for e in entries if isinstance(e, SegmentManifest)}
    for path in sorted(layout.segments.rglob("*")):
        # `SEGMENT.parquet`; `SEGMENT-1.parquet` after a removal of rows.
        segment = path.name.partition(".")[0].partition("-")[0]
        if segment in segments and path.is_file():
            yield path
    for digest, folder in {
        (e.sha256, layout.quarantine if e.of == "quarantine" else layout.objects)
        for e in entries
        if isinstance(e, ObjectEntry)
    }:
        path = folder / digest
        for found in (path, get_temporary_object_path(path)):
            if found.exists():
                yield found
                break


def is_temporary(path: Path) -> bool:
    """Return whether a file is one that is being written."""
    return path.name.startswith(".") and path.name.endswith((".new", ".made"))


def _add_state(
    archive: tarfile.TarFile,
    store: EvidenceStore,
    folders: Mapping[str, Path],
    scratch: Path,
) -> list[tuple[str, Path]]:
    """Add the state of servers.

    Returns:
        Name and path of each file with a key, which was not added.
    """
    layout = store.layout
    own = {path.name for path in (*layout.folders, layout.format)}
    inside = (path for path in sorted(store.root.iterdir()) if path.name not in own)
    places = [(f"{STORE}/{path.name}", path) for path in inside]
    places += [(f"{STATE}/{name}", path) for name, path in folders.items()]
    secrets = [(f"{STORE}/keys/{p.name}", p) for p in sorted(layout.keys.glob("*.key"))]
    for name, place in places:
        for path in _list_state_files(place):
            member = f"{name}/{path.relative_to(place)}" if path != place else name
            if is_secret(path):
                secrets.append((member, path))
            elif path.name == DATABASE:
                _add_database(archive, path, member, scratch)
            else:
                try:
                    _add_file(archive, path, member)
                except FileNotFoundError:
                    continue  # shipped into the store meanwhile
    return secrets


def _list_state_files(place: Path) -> Iterator[Path]:
    """Yield the regular files below a folder that a copy needs."""
    name = place.name
    if name.startswith((SPILL_PREFIX, BACKUP_PREFIX)):
        return
    if name in _SKIPPED or is_temporary(place):
        return
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        for path in sorted(place.iterdir()):
            yield from _list_state_files(path)
    elif stat.S_ISREG(mode) and not name.startswith(f"{DATABASE}-"):
        yield place


def is_secret(path: Path) -> bool:
    """Return whether a state file contains a key or its passphrase."""
    return path.parent.name == "keys" or path.suffix in (".key", ".pem")


def _add_database(
    archive: tarfile.TarFile, path: Path, name: str, scratch: Path
) -> None:
    """Add a consistent copy of a SQLite database in use (SQLite's backup API)."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        copy = Path(folder) / DATABASE
        with (
            closing(sqlite3.connect(path)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        _add_file(archive, copy, name)


def _read_files(secrets: Sequence[tuple[str, Path]]) -> dict[str, bytes]:
    """Read the files with keys."""
    return {name: path.read_bytes() for name, path in secrets if path.exists()}


@contextmanager
def open_backup(
    path: Path,
) -> Iterator[tuple[BackupManifest, tarfile.TarFile, Callable[[], None]]]:
    """Open an archive behind its manifest.

    Yields:
        The manifest; the archive; and a function that reads the file to its end, where
        the checksum is. Earlier builds wrote none.

    Raises:
        UsageError: The file is no archive, damaged, or of a newer release.
    """
    fault = f"{path} is not a complete backup"
    try:
        with (
            translate_os_errors("read", path, "check the path of the backup"),
            path.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|") as archive,
        ):
            first = archive.next()
            content = archive.extractfile(first) if first else None
            if first is None or first.name != MANIFEST or content is None:
                raise UsageError(fault)
            manifest = msgspec.json.decode(content.read(), type=BackupManifest)
            if manifest.schema > ARCHIVE_SCHEMA or manifest.store > STORE_SCHEMA:
                raise UsageError(
                    f"{path} was written by a newer release ({manifest.release})",
                    "upgrade answerable",
                )
            yield manifest, archive, lambda: _read_to_end(unpacked)
    except (tarfile.TarError, zstandard.ZstdError, EOFError, ValueError) as error:
        raise UsageError(fault, "use a copy that was written completely") from error


def _read_to_end(stream: IO[bytes]) -> None:
    """Read a stream to its end."""
    while stream.read(1 << 20):
        pass
