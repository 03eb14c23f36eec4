"""Create and open the folders of a store, and check its format version."""

import hashlib
import os
import shlex
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.json_members import reject_duplicate_names
from answerable.store.durable_files import (
    BINDING_FILE,
    FOLDER_MODE,
    GROUP_MODE,
    OTHERS_MODE,
    get_group_name,
    is_shared_folder,
    make_private_folder,
    make_store_folder,
    read_regular_file,
    refuse_root_in_foreign_folder,
    translate_os_errors,
    write_file,
)

if TYPE_CHECKING:
    from answerable.evidence.log_entries import SegmentManifest
    from answerable.store.remote_store import RemoteStore

STORE_SCHEMA = 1
# Folders of derived tables in Parquet files; see `chain_file` and `day_files`.
CHAIN_FOLDER, CHAIN_COUNTS_FOLDER, DAYS_FOLDER = "chains", "chain-counts", "days"
DERIVED_TABLES = (CHAIN_FOLDER, CHAIN_COUNTS_FOLDER, DAYS_FOLDER)
VOLUME_FOLDER = "lost+found"  # of ext4, at the root of a volume


class _StoreFormat(msgspec.Struct):
    """Content of `format.json`; unknown members of later releases are ignored."""

    store: int


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """Folders and files of a store.

    Attributes:
        root: Its folder.
        remote: Object storage with the sealed evidence; None for a local store.
    """

    root: Path
    remote: "RemoteStore | None" = field(default=None, compare=False)

    @property
    def format(self) -> Path:
        """Version of the layout."""
        return self.root / "format.json"

    @property
    def journal(self) -> Path:
        """Folder of the journals, one per writing process."""
        return self.root / "journal"

    @property
    def segments(self) -> Path:
        """Sealed events, a folder per day."""
        return self.root / "segments"

    @property
    def log(self) -> Path:
        """Tiles, entry bundles and the checkpoint."""
        return self.root / "log"

    @property
    def objects(self) -> Path:
        """Folder of files named by the SHA-256 of their content."""
        return self.root / "objects"

    @property
    def quarantine(self) -> Path:
        """Records that could not be parsed."""
        return self.root / "quarantine"

    @property
    def collection(self) -> Path:
        """State of scheduled sources."""
        return self.root / "collector" / "sources.json"

    @property
    def maintenance(self) -> Path:
        """State of scheduled maintenance tasks."""
        return self.root / "collector" / "tasks.json"

    @property
    def checkpoint_exports(self) -> Path:
        """Record of the last export of a checkpoint to each destination."""
        return self.root / "collector" / "exports.json"

    def list_journals(self) -> list[str]:
        """List the journal files on disk, one per writing process."""
        with translate_os_errors("read", self.journal):
            return sorted(path.stem for path in self.journal.glob("*.log"))

    def cursor_file(self, source: str) -> Path:
        """Path of the cursor of a scheduled log."""
        name = hashlib.sha256(source.encode()).hexdigest()[:32]
        return self.collection.parent / f"cursor-{name}.json"

    @property
    def keys(self) -> Path:
        """Keys; readable by the owner alone."""
        return self.root / "keys"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder of a store."""
        return (
            self.journal,
            self.segments,
            self.log,
            self.objects,
            self.quarantine,
            self.keys,
        )

    def journal_file(self, name: str) -> Path:
        """Path of a journal."""
        return self.journal / f"{name}.log"

    def head_file(self, name: str) -> Path:
        """Path of a journal's last signed head."""
        return self.journal / f"{name}.head"

    def has_segment_file(self, day: str, segment: str) -> bool:
        """Return whether the Parquet file of a segment is a regular file.

        True for each segment in object storage, which `require_segments` reads.
        """
        if self.remote is not None:
            return True
        try:
            # A path object of each takes most of the start of a large store.
            mode = os.lstat(f"{self.root}/segments/day={day}/{segment}.parquet").st_mode
        except OSError:
            return False
        return stat.S_ISREG(mode)

    def segment_file(self, day: str, segment: str, ending: str) -> Path:
        """Path of a segment's Parquet file, leaves or manifest."""
        return self.segments / f"day={day}" / f"{segment}{ending}"

    def require_segments(
        self,
        segments: "Iterable[SegmentManifest]",
        endings: Sequence[str] = (".parquet",),
    ) -> None:
        """Read files of segments from object storage, if they are not here yet.

        Raises:
            VerificationError: A file is missing, or does not match its manifest.
        """
        if self.remote is not None:
            self.remote.files.fetch_segments(self.root, segments, endings)

    def require_object(self, path: Path) -> None:
        """Read an object from object storage, if it is not here yet.

        Raises:
            VerificationError: Its content does not match its digest.
        """
        if self.remote is not None:
            self.remote.files.fetch_object(path)

    def refuse_remote(self) -> None:
        """Refuse an operation that only a local store has.

        Raises:
            UsageError: The store is in object storage.
        """
        if self.remote is not None:
            from answerable.store.remote_files import build_unavailable_error

            raise build_unavailable_error(self.remote.location)


def open_layout(root: Path, *, create: bool) -> StoreLayout:
    """Open the folder of a store, or create it.

    Raises:
        UsageError: There is no store and `create` is off.
        EnvironmentFailure: A newer release created it, or it is not readable.
    """
    layout = StoreLayout(root, _read_binding(root))
    _refuse_dangling_links(layout)
    refuse_root_in_foreign_folder(root)
    with translate_os_errors("open", root):
        exists = layout.format.exists()
    if not exists:
        if not create and layout.remote is not None:
            create = bool(layout.remote.log.read_public_key())
        if not create:
            place = str(root) if layout.remote is None else layout.remote.location
            raise UsageError(
                f"no store at {place}",
                "check the path, or create a store: answerable scan --store "
                f"{shlex.quote(place)}",
            )
        _create_store_folders(layout)
    _check_format(layout)
    return layout


def _read_binding(root: Path) -> "RemoteStore | None":
    """Return the object storage of a folder; None for a local store."""
    if not (root / BINDING_FILE).exists():
        return None
    from answerable.store.remote_store import read_binding

    return read_binding(root)


def is_store_folder(root: Path) -> bool:
    """Return whether a folder is a store; False if it cannot be read."""
    try:
        return StoreLayout(root).format.exists()
    except OSError:
        return False


def _refuse_dangling_links(layout: StoreLayout) -> None:
    """Refuse dangling symbolic links: their evidence is unavailable, not absent."""
    root = layout.root
    for path in (*reversed(root.parents), root, *layout.folders):
        if path.is_symlink() and not path.exists():
            raise EnvironmentFailure(
                f"{path} is a link to {os.readlink(path)}, which does not exist",
                "mount the target, or use --store to name another store",
            )


def _create_store_folders(layout: StoreLayout) -> None:
    """Create the folders of a store, and the format file last."""
    with translate_os_errors("make", layout.root):
        if layout.root.exists() and not (
            layout.root.is_dir() and can_become_store(layout.root)
        ):
            raise UsageError(
                f"{layout.root} exists and is not a store",
                "use --store to name an empty or new folder",
            )
    make_private_folder(layout.root)
    with translate_os_errors("make", layout.root):
        mode = layout.root.stat().st_mode
        if not is_shared_folder(mode) and not _is_volume_of_group(layout.root):
            layout.root.chmod(FOLDER_MODE)
    for folder in layout.folders:
        make_store_folder(folder)
    # Last: a store that was made half is made again.
    write_format(layout, STORE_SCHEMA)


def can_become_store(folder: Path) -> bool:
    """Return whether an existing folder is empty enough to create a store in it."""
    folders = StoreLayout(folder).folders
    return all(_is_half_made_store(path, folders) for path in folder.iterdir())


def _is_volume_of_group(root: Path) -> bool:
    """Return whether root owns the folder, and only our group may write it.

    Kubernetes mounts a volume so for `fsGroup`; its mode cannot be changed by us.
    """
    found = root.stat()
    return found.st_uid == 0 != os.geteuid() and not found.st_mode & stat.S_IWOTH


def _is_half_made_store(path: Path, folders: tuple[Path, ...]) -> bool:
    """Return whether a path is left over from an interrupted creation.

    The folder of revocations may exist before the store, and so may the folder that a
    file system keeps at its root.
    """
    if path.name == VOLUME_FOLDER:
        return path.is_dir() and not path.is_symlink()
    if path.name == "kills" or path.name.startswith(".kills."):
        return True
    if path.name.startswith(".format.json.") or path.name in (
        "format.json",
        BINDING_FILE,
    ):
        return True
    if path.name == "keys" and (path.parent / BINDING_FILE).exists():
        return True  # copied from another machine
    return path in folders and not any(path.iterdir())


def read_format(layout: StoreLayout, newest: int = STORE_SCHEMA) -> int:
    """Read the format version of a store.

    Raises:
        EnvironmentFailure: A newer release created it, or it is damaged.
    """
    with translate_os_errors("read", layout.format):
        data = read_regular_file(layout.format)
    try:
        reject_duplicate_names(data)
        found = msgspec.json.decode(data, type=_StoreFormat).store
    except ValueError as error:
        raise _build_damage_error(layout) from error
    if found > newest:
        raise EnvironmentFailure(
            f"the store {layout.root} has format {found}, this release reads up to "
            f"{newest}",
            "upgrade answerable, or use --store to name another store",
        )
    if found < 1:
        raise _build_damage_error(layout)
    return found


def write_format(layout: StoreLayout, version: int) -> None:
    """Write the format version of a store."""
    write_file(layout.format, msgspec.json.encode(_StoreFormat(version)) + b"\n")


def _build_damage_error(layout: StoreLayout) -> EnvironmentFailure:
    """Build the error of an invalid format file."""
    return EnvironmentFailure(
        f"{layout.format} is damaged", 'restore it; release 0.1 writes {"store":1}'
    )


def _check_format(layout: StoreLayout) -> None:
    """Check the format version, and that the key folder is private."""
    found = read_format(layout)
    if found < STORE_SCHEMA:
        raise EnvironmentFailure(
            f"the store {layout.root} has format {found}, this release writes "
            f"{STORE_SCHEMA}",
            "stop its servers, back it up, then run: answerable store migrate",
        )
    with translate_os_errors("read", layout.keys):
        if layout.keys.stat().st_uid == os.getuid():
            refuse_access_by_others(layout, layout.keys, FOLDER_MODE)


def is_open_to_others(layout: StoreLayout, path: Path) -> bool:
    """Return whether others than its owner and the store's group may use a secret.

    The store has a group if its root folder is shared with one.

    Raises:
        OSError: A permission cannot be read.
    """
    facts, root = path.stat(), layout.root.stat()
    mode = facts.st_mode & (GROUP_MODE | OTHERS_MODE)
    if is_shared_folder(root.st_mode) and facts.st_gid == root.st_gid:
        mode &= OTHERS_MODE
    return bool(mode)


def refuse_access_by_others(layout: StoreLayout, path: Path, expected: int) -> None:
    """Refuse a secret of the store that `is_open_to_others`.

    Args:
        expected: Mode without a group.

    Raises:
        EnvironmentFailure: Other users may use it.
        OSError: A permission cannot be read.
    """
    if not is_open_to_others(layout, path):
        return
    facts, root = path.stat(), layout.root.stat()
    mode = stat.S_IMODE(facts.st_mode)
    if not is_shared_folder(root.st_mode):
        raise EnvironmentFailure(
            f"{path} can be read by others (mode {mode:o}, expected {expected:o})",
            f"chmod {expected:o} {path}",
        )
    name = get_group_name(root.st_gid)
    raise EnvironmentFailure(
        f"{path} can be read by others than {name}, the group of the store "
        f"(its group is {get_group_name(facts.st_gid)}, its mode {mode:o})",
        f"chgrp {name} {path} && chmod o= {path}",
    )


def format_day(day: int) -> str:
    """Format a day number since 1970 as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(day * 86_400, tz=UTC).strftime("%Y-%m-%d")
