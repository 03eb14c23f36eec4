"""Back up a store with the state of its servers, and restore it elsewhere."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from answerable import __version__
from answerable.model.documents.evidence import CheckItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.store import backup_archive, backup_restore, fsck
from answerable.store.backup_archive import BackupManifest
from answerable.store.durable_files import read_file, sync_folder, translate_os_errors
from answerable.store.restoration_event import record_restore
from answerable.store.store import EvidenceStore
from answerable.store.token_state.restore_detection import revoke_after_restore
from answerable.store.token_state.sqlite import SqliteTokenState

_SECOND = 10**9  # nanoseconds


def create_backup(
    store: EvidenceStore,
    target: Path,
    *,
    folders: Mapping[str, Path],
    passphrase: bytes,
    uses_postgres: bool,
    now: int,
) -> Iterator[str]:
    """Write a backup to a new file, and describe it.

    Args:
        folders: State folders of servers, by name.
        passphrase: Encrypts the keys; empty to leave them out.
        uses_postgres: The token service keeps its state in PostgreSQL.
        now: UTC nanoseconds.

    Raises:
        UsageError: The file exists, or is inside the store.
        EnvironmentFailure: The disk is full or fails.
    """
    root = store.root.resolve()
    if target.resolve().is_relative_to(root):
        raise UsageError(f"{target} is inside the store", "name another folder")
    if target.exists():
        raise UsageError(f"{target} exists", "name a new file")
    outside = {
        name: path
        for name, path in folders.items()
        if path.is_dir() and not path.resolve().is_relative_to(root)
    }
    for name, path in outside.items():
        if not os.access(path, os.R_OK | os.X_OK):
            raise EnvironmentFailure(
                f"{path}, the state of {name}, cannot be read by this user",
                "leave out --config to back up the store alone, and back up that "
                "folder as its user",
            )
    manifest = BackupManifest(
        str(now), __version__, 0, 0, "", False, postgres=uses_postgres
    )
    unfinished = target.with_name(f".{target.name}.new")
    with translate_os_errors("write", target, "name a file in an existing folder"):
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with open(handle, "wb") as file:
                manifest = backup_archive.write_backup(
                    store,
                    file,
                    manifest,
                    folders=outside,
                    scratch=target.parent,
                    passphrase=passphrase,
                )
                file.flush()
                os.fsync(handle)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        sync_folder(target.parent)
    return _describe_backup(target, manifest)


def _describe_backup(target: Path, manifest: BackupManifest) -> Iterator[str]:
    """Yield the facts of a backup, one per line."""
    yield (
        f"backup {target}: {target.stat().st_size:,} bytes, {manifest.log_size:,} "
        "entries of the log"
    )
    at = format_time(int(manifest.complete_until))
    yield f"complete until {at}: every record acknowledged by then is in it"
    yield (
        "keys: included, encrypted with the passphrase"
        if manifest.has_keys
        else "keys: not included; keep a copy of them, or use --passphrase FILE"
    )
    if manifest.postgres:
        yield "token service: its state is in PostgreSQL; back it up with pg_dump"


def restore_backup(
    path: Path,
    root: Path,
    *,
    folders: Mapping[str, Path],
    passphrase: bytes,
    now: int,
) -> tuple[Document, tuple[str, ...]]:
    """Restore a backup into an empty folder, and verify the evidence.

    A restored database of the token service lacks what was used and revoked since the
    backup, so everything that may depend on it is revoked.

    Args:
        root: Folder of the new store.
        folders: State folders of servers, by name.
        passphrase: That of the keys; empty to restore without them.
        now: UTC nanoseconds.

    Returns:
        One item per check; and the ids of the revoked signing keys.

    Raises:
        UsageError: The archive cannot be used, or a folder is not empty.
        EnvironmentFailure: There is a store, or the disk fails.
    """
    with backup_archive.open_backup(path) as (manifest, archive, read_to_end):
        with translate_os_errors("use", root, "name another folder: --store DIR"):
            backup_restore.check_target(root, folders, manifest)
        if passphrase and not manifest.has_keys:
            raise UsageError(
                f"{path} contains no keys", "restore it without --passphrase"
            )
        databases = backup_restore.extract_backup(
            archive, root, folders, passphrase, read_to_end
        )
    at = format_time(int(manifest.complete_until))
    items = [_build_check("backup", f"{path.name}, complete until {at}")]
    revoked: tuple[str, ...] = ()
    for database in databases:
        state = SqliteTokenState(database.parent, now / _SECOND)
        try:
            ended = revoke_after_restore(state, database.parent, now / _SECOND)
        finally:
            state.close()
        revoked += ended.keys
        lost = f"{ended.delegations} delegations, {len(ended.keys)} signing keys"
        items.append(_build_check("token service", f"revoked after restore: {lost}"))
    if manifest.postgres:
        hint = "restore PostgreSQL, then: answerable token-service restored"
        items.append(_build_check("token service", "state is in PostgreSQL", hint))
    with EvidenceStore.open(root, now=now, create=False) as store:
        items.append(_record_restore(store, manifest, now))
        checks = fsck.verify_store(store, None, None, lambda *_: None)
    items += [_build_verification_item(check) for check in checks]
    failed = not all(check.ok for check in checks)
    return Document("verify", items, build_empty_coverage(), failed=failed), revoked


def _record_restore(
    store: EvidenceStore, manifest: BackupManifest, now: int
) -> CheckItem:
    """Record the restore in the log of the restored store, if its keys are there."""
    if not manifest.log_size:
        return _build_check("restore", "the log is empty")
    if not (store.layout.keys / "log.key").exists():
        hint = (
            f"copy the keys to {store.layout.keys}, then: answerable evidence restored"
        )
        return _build_check("restore", "restored without keys: read-only", hint)
    at = format_time(int(manifest.complete_until))
    done = record_restore(store, None, f"restored from a backup of {at}", now)
    return _build_check("restore", f"recorded in the log as entry {done.size}")


def _build_verification_item(check: fsck.VerificationCheck) -> CheckItem:
    """Build the item of a check of the evidence."""
    hint = "" if check.ok else check.hint or "use another backup"
    return {"check": check.check, "ok": check.ok, "detail": check.detail, "hint": hint}


def _build_check(name: str, detail: str, hint: str = "") -> CheckItem:
    """Build the item of a step that succeeded."""
    return {"check": name, "ok": True, "detail": detail, "hint": hint}


def read_passphrase(path: Path) -> bytes:
    """Read a passphrase from a private file.

    Raises:
        UsageError: The file is missing.
        EnvironmentFailure: Other users can read it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise UsageError(
            f"cannot read the passphrase {path} ({error.strerror})",
            "openssl rand -hex 32 > FILE; chmod 600 FILE",
        ) from None
    if mode & 0o077:
        raise EnvironmentFailure(
            f"{path} can be read by others (mode {mode:o}, expected 600)",
            f"chmod 600 {path}",
        )
    return read_file(path).strip()
