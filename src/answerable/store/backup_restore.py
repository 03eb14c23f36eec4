"""Extract a backup archive into an empty folder; refuse one that is in use."""

import contextlib
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from answerable.evidence.checkpoint import parse_checkpoint
from answerable.model.errors import AnswerableError, EnvironmentFailure, UsageError
from answerable.store.backup_archive import (
    DATABASE,
    KEYS,
    MANIFEST,
    STATE,
    STORE,
    BackupManifest,
)
from answerable.store.backup_keys import decrypt_files
from answerable.store.durable_files import (
    make_private_folder,
    make_store_folder,
    open_new_file,
    translate_os_errors,
    write_file,
)
from answerable.store.store import EvidenceStore
from answerable.store.store_layout import (
    StoreLayout,
    can_become_store,
    is_store_folder,
)

_BLOCK = 1 << 20


def check_target(
    root: Path, folders: Mapping[str, Path], backup: BackupManifest
) -> None:
    """Refuse to restore over a store or a state folder.

    Raises:
        EnvironmentFailure: There is a store, which may be newer than the backup.
        UsageError: A folder contains something else, or is not configured.
    """
    if is_store_folder(root):
        raise EnvironmentFailure(
            f"{root} is a store, {_compare_with_backup(root, backup)}",
            "restore into an empty folder: --store DIR",
        )
    if root.exists() and not (root.is_dir() and can_become_store(root)):
        raise UsageError(
            f"{root} exists and is not empty",
            "use --store to name an empty folder; a restore that was killed leaves "
            "files, but no format.json",
        )
    if missing := set(backup.folders) - set(folders):
        raise UsageError(
            f"the backup has state of {', '.join(sorted(missing))} outside the store",
            "name the configuration with its folders: --config FILE",
        )
    for name in backup.folders:
        place = folders[name]
        if place.exists() and any(place.iterdir()):
            raise UsageError(f"{place} is not empty", "move it away")


def _compare_with_backup(root: Path, backup: BackupManifest) -> str:
    """Describe how an existing store relates to a backup."""
    try:
        with EvidenceStore.open(root, now=0, create=False) as store:
            note = store.log.checkpoint()
            tree = parse_checkpoint(note, store.keys.public_key) if note else None
    except AnswerableError as error:
        return f"which cannot be compared ({error.message})"
    size = tree.size if tree else 0
    if size > backup.log_size:
        return (
            f"newer than the backup ({size} entries in its log, {backup.log_size} in "
            "the backup)"
        )
    return f"with {size} entries in its log ({backup.log_size} in the backup)"


def extract_backup(
    archive: tarfile.TarFile,
    root: Path,
    folders: Mapping[str, Path],
    passphrase: bytes,
    read_to_end: Callable[[], None],
) -> list[Path]:
    """Extract an archive, `format.json` last; remove what was extracted if it fails.

    Args:
        archive: The archive.
        root: Folder of the store.
        folders: State folders outside the store, by name.
        passphrase: Of the keys; empty to leave them out.
        read_to_end: Compares the checksum of the archive.

    Returns:
        Each restored database of a token service.

    Raises:
        UsageError: As `_extract_files`.
        EnvironmentFailure: As `_extract_files`.
    """
    used = (root, *folders.values())
    before = {place: _list_folder(place) for place in used if place.exists()}
    try:
        found = _extract_files(archive, root, folders, passphrase)
        read_to_end()
        if not StoreLayout(root).format.exists():  # a damaged member ends an archive
            raise UsageError("the backup is damaged", "use another backup")
        return found
    except BaseException:
        for place in used:
            _remove_new_files(place, before.get(place))
        raise


def _list_folder(place: Path) -> frozenset[Path]:
    """List the entries of a folder."""
    return frozenset(place.iterdir()) if place.is_dir() else frozenset()


def _remove_new_files(place: Path, before: frozenset[Path] | None) -> None:
    """Remove what was extracted to a folder.

    Args:
        place: The folder.
        before: Its entries at the start; folders among them were empty, but for that
            of a volume. None for a folder that did not exist.
    """
    if before is None:
        shutil.rmtree(place, ignore_errors=True)
        return
    for path in _list_folder(place):
        if path not in before:
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                path.unlink()  # a file
        elif path in StoreLayout(place).folders:
            _remove_new_files(path, frozenset())


def _extract_files(
    archive: tarfile.TarFile,
    root: Path,
    folders: Mapping[str, Path],
    passphrase: bytes,
) -> list[Path]:
    """Extract an archive, `format.json` last.

    Returns:
        Each restored database of a token service.

    Raises:
        UsageError: The archive has a path outside its folders, or the passphrase is
            another one.
        EnvironmentFailure: The disk is full or fails.
    """
    make_private_folder(root)
    layout = StoreLayout(root)
    for folder in layout.folders:
        make_store_folder(folder)
    found: list[Path] = []
    for member in archive:
        if member.name == MANIFEST:
            continue  # read before
        content = archive.extractfile(member)
        if content is None:
            raise UsageError(
                f"{member.name!r} in the backup is not a regular file",
                "use a file that answerable backup wrote",
            )
        if member.name == KEYS:
            if passphrase:
                files = decrypt_files(content.read(), passphrase)
                for name, data in files.items():
                    path = _locate_archived_file(name, root, folders)
                    make_private_folder(path.parent)
                    write_file(path, data, private=path.parent != layout.keys)
            continue
        path = _locate_archived_file(member.name, root, folders)
        _make_folder_of(path, layout)
        with translate_os_errors("write", path):
            handle = open_new_file(path, os.O_WRONLY | os.O_EXCL)
            with open(handle, "wb") as target:
                while block := content.read(_BLOCK):
                    target.write(block)
                target.flush()
                os.fsync(handle)
        if path.name == DATABASE:
            found.append(path)
    return found


def _make_folder_of(path: Path, layout: StoreLayout) -> None:
    """Create the folder of a file: shared as the store is, or private in a server's."""
    shared = (*layout.folders, layout.collection.parent)
    if any(map(path.is_relative_to, shared)):
        make_store_folder(path.parent)
    else:
        make_private_folder(path.parent)


def _locate_archived_file(name: str, root: Path, folders: Mapping[str, Path]) -> Path:
    """Return where a file of the archive belongs.

    Raises:
        UsageError: It would be outside the folders.
    """
    parts = PurePosixPath(name).parts
    if ".." not in parts and len(parts) > 1 and parts[0] == STORE:
        return root.joinpath(*parts[1:])
    folder = folders.get(parts[1]) if len(parts) > 2 else None
    if ".." not in parts and parts[0] == STATE and folder is not None:
        return folder.joinpath(*parts[2:])
    raise UsageError(f"the backup contains an unexpected path ({name[:80]!r})")
