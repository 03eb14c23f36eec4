"""Verify the digests and log entries of objects and quarantined records."""

import re
import stat
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from answerable.evidence.log_entries import LogEntry, ObjectEntry, list_removed_objects
from answerable.model.errors import AnswerableError, VerificationError
from answerable.store.fsck_segments import format_count
from answerable.store.object_difference import iterate_object
from answerable.store.object_store import get_temporary_object_path, read_packed
from answerable.store.store import EvidenceStore

# Names of files that a process which was ended left half written.
_UNFINISHED_NAME = re.compile(r"\.{1,2}[0-9a-f]{64}(\.new)?(\.[0-9]+)?\.new")


def check_objects(store: EvidenceStore, entries: list[LogEntry]) -> str:
    """Check every logged object, and that there is no unlogged file.

    Raises:
        VerificationError: Names the first invalid object.
    """
    layout = store.layout
    # Files first: what is in place now is in the log already.
    there = {
        folder: list(_list_files(folder))
        for folder in (layout.objects, layout.quarantine)
    }
    logged = {
        (_get_entry_folder(each), each.sha256)
        for each in _select_object_entries(store.log.entries())
    }
    half = sum(
        _check_file_name(path, logged) for paths in there.values() for path in paths
    )
    seen: set[tuple[str, str]] = set()
    removed = list_removed_objects(entries)
    for entry in _select_object_entries(entries):
        folder = layout.quarantine if entry.of == "quarantine" else layout.objects
        if (folder.name, entry.sha256) in seen:
            continue
        if entry.sha256 in removed:
            _check_removed_object(folder / entry.sha256)
            continue
        if layout.remote is not None:
            layout.remote.files.fetch_object(folder / entry.sha256, again=True)
        check_stored_object(folder / entry.sha256)
        seen.add((folder.name, entry.sha256))
        half -= get_temporary_object_path(folder / entry.sha256).exists()
    said = format_count(len(seen), "object")
    if removed:
        said += f"; {len(removed):,} removed by policy"
    return (
        f"{said}; {format_count(half, 'unfinished write')} left over"
        if half > 0
        else said
    )


def refuse_unlisted_objects(store: EvidenceStore) -> None:
    """Refuse to go on if the log lacks an object, which may be a legal hold.

    An object has its name only after its entry was committed, so a log without the
    entry is an older copy.

    Raises:
        VerificationError: Names the object.
    """
    logged = {
        (_get_entry_folder(each), each.sha256)
        for each in _select_object_entries(store.log.entries())
    }
    for path in _list_files(store.layout.objects):
        _check_file_name(path, logged)


def list_object_files(store: EvidenceStore) -> Iterator[Path]:
    """List the file of each object that should be stored, once, in the order of the log."""
    removed = list_removed_objects(store.log.entries())
    entries = _select_object_entries(store.log.entries())
    kept = (
        (_get_entry_folder(e), e.sha256) for e in entries if e.sha256 not in removed
    )
    for folder, digest in dict.fromkeys(kept):
        yield store.root / folder / digest


def _check_file_name(path: Path, logged: Container[tuple[str, str]]) -> bool:
    """Check that a file is logged; return whether it is an unfinished write."""
    name = f"{path.parent.name}/{path.name}"
    if not stat.S_ISREG(path.lstat().st_mode):
        raise VerificationError(f"{name} is not a regular file")
    if _UNFINISHED_NAME.fullmatch(path.name):
        return True
    if (path.parent.name, path.name) not in logged:
        raise VerificationError(
            f"{name} is not in the log, so it is not evidence",
            "move the file out of the store; it is not used",
        )
    return False


def _check_removed_object(path: Path) -> None:
    """Check that the file of a removed object is gone."""
    if path.exists():
        raise VerificationError(
            f"{path.parent.name}/{path.name} should have been deleted: the log "
            "records its removal",
            "finish the removal: answerable store repair",
        )


def check_stored_object(path: Path) -> None:
    """Check that an object matches its digest; it is never in memory as a whole."""
    try:
        for _ in iterate_object(path, read_packed(path), path.name):
            pass
    except AnswerableError as error:
        raise VerificationError(
            f"{path.parent.name}/{path.name} is invalid: {error.message}"
        ) from error


def _list_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, sorted by name."""
    return iter(sorted(folder.iterdir()))


def _get_entry_folder(entry: ObjectEntry) -> str:
    """Return the folder of a logged object: `objects` or `quarantine`."""
    return "quarantine" if entry.of == "quarantine" else "objects"


def _select_object_entries(entries: Sequence[LogEntry]) -> Iterator[ObjectEntry]:
    """Yield the log entries of stored objects."""
    return (entry for entry in entries if isinstance(entry, ObjectEntry))
