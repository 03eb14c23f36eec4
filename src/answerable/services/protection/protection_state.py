"""State of `protect`: contents for undoing, the protected files, and a redo journal.

Contents lie in files of mode 0600 by their digest, since originals hold secrets.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from answerable.model.errors import EnvironmentFailure
from answerable.services.protection import os_keyring
from answerable.store.durable_files import (
    make_private_folder,
    read_regular_file,
    sync_folder,
    translate_os_errors,
    write_file,
)

Fault = Callable[[str], None]
NEW_FILE_MODE = 0o600
_SEALED = b"answerable-sealed:"


class FileLayer(msgspec.Struct, frozen=True):
    """Change of one run: digests before (empty: no file) and after."""

    before: str
    after: str


class ProtectedFile(msgspec.Struct):
    """Changed file, with a layer for each run that changed it.

    Attributes:
        target: File that a link led to when it was changed; empty without a link.
    """

    path: str
    client: str
    layers: list[FileLayer]
    is_secret: bool = False
    target: str = ""


class Step(msgspec.Struct, frozen=True):
    """Change of one file: digests before and after, empty for no file."""

    path: str
    before: str
    after: str


class ProtectionRecord(msgspec.Struct):
    """All files that are changed now.

    Attributes:
        folders: Folders that did not exist before, which `unprotect` removes once they
            are empty.
        sealing_key: Entry of the keyring that encrypts the originals; empty for none.
    """

    files: list[ProtectedFile] = []
    folders: list[str] = []
    sealing_key: str = ""


class Journal(msgspec.Struct):
    """Steps of a run that has begun, and the record once they are done."""

    steps: list[Step]
    record: ProtectionRecord


def digest_of(data: bytes | None) -> str:
    """Return the digest of a content; empty for no file."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


def read_present(path: Path) -> bytes | None:
    """Read a file, or an entry of the keyring; None where there is none.

    Raises:
        EnvironmentFailure: It cannot be read.
    """
    if str(path).startswith(os_keyring.PREFIX):
        return os_keyring.read_entry(str(path))
    try:
        return read_regular_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot read {path}: {error.strerror}", "check the permissions of the file"
        ) from None


@dataclass(slots=True)
class ProtectionState:
    """State folder of `protect`.

    Args:
        folder: Folder of its own in the state folder.
        fault: Called before each durable step with its name, for tests.
        sealing_key: Entry of the keyring that encrypts new contents; empty for none.
    """

    folder: Path
    fault: Fault = field(default=lambda _: None)
    sealing_key: str = ""

    @property
    def _journal_path(self) -> Path:
        return self.folder / "journal.json"

    @property
    def _record_path(self) -> Path:
        return self.folder / "protected.json"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock of the state for one run.

        Raises:
            EnvironmentFailure: Another run holds it.
        """
        handle = self._open_lock()
        try:
            yield
        finally:
            os.close(handle)

    def _open_lock(self) -> int:
        """Open and lock the lock file, which the end of another run may remove."""
        path = self.folder / "lock"
        while True:
            make_private_folder(self.folder)
            try:
                handle = os.open(path, os.O_RDWR | os.O_CREAT, NEW_FILE_MODE)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
            except BlockingIOError:
                os.close(handle)
                raise EnvironmentFailure(
                    "another protect or unprotect is running",
                    "run the command again when it has ended",
                ) from None
            except FileNotFoundError:
                pass
            os.close(handle)

    def read_record(self) -> ProtectionRecord:
        """Read the record of protected files; empty where there is none."""
        data = read_present(self._record_path)
        return (
            ProtectionRecord()
            if data is None
            else msgspec.json.decode(data, type=ProtectionRecord)
        )

    def keep(self, data: bytes) -> str:
        """Keep a content for later, and return its digest."""
        digest = digest_of(data)
        path = self.folder / "contents" / digest
        if not path.exists():
            self.fault("content")
            make_private_folder(path.parent)
            write_file(path, self._encrypt_content(data), private=True)
        return digest

    def get(self, digest: str) -> bytes | None:
        """Return a kept content; None for the empty digest."""
        if not digest:
            return None
        data = read_regular_file(self.folder / "contents" / digest)
        return self._decrypt_content(data) if data.startswith(_SEALED) else data

    def _encrypt_content(self, data: bytes) -> bytes:
        """Encrypt a content with a key in the keyring, where `protect` uses one."""
        if not self.sealing_key:
            return data
        from cryptography.fernet import Fernet

        key = os_keyring.read_entry(self.sealing_key)
        if key is None:
            key = Fernet.generate_key()
            os_keyring.write_entry(self.sealing_key, key)
        mark = _SEALED + self.sealing_key.encode() + b"\n"
        return mark + Fernet(key).encrypt(data)

    def _decrypt_content(self, data: bytes) -> bytes:
        """Decrypt a content.

        Raises:
            EnvironmentFailure: Its key is not in the keyring, or it was changed.
        """
        from cryptography.fernet import Fernet, InvalidToken

        name, _, token = data.removeprefix(_SEALED).partition(b"\n")
        key = os_keyring.read_entry(name.decode())
        try:
            if key is not None:
                return Fernet(key).decrypt(token)
        except (InvalidToken, ValueError):
            pass
        raise EnvironmentFailure(
            "a backup cannot be decrypted: its key is not in the keyring",
            "unlock the keyring in which protect stored the key, then try again",
        )

    def run(self, journal: Journal) -> tuple[str, ...]:
        """Write the journal, then change each file; return the paths left alone."""
        self.fault("journal")
        write_file(self._journal_path, msgspec.json.encode(journal))
        return self._finish_journal(journal)

    def recover(self) -> str:
        """Complete a run that has begun, or remove what one left before it began.

        Returns:
            `completed`, `rolled back`, or empty where there was nothing to do.
        """
        data = read_present(self._journal_path)
        if data is not None:
            self._finish_journal(msgspec.json.decode(data, type=Journal))
            return "completed"
        return "rolled back" if self._remove_unused(self.read_record()) else ""

    def _finish_journal(self, journal: Journal) -> tuple[str, ...]:
        """Do the steps of a journal that are not done, and remove the journal."""
        left = [step.path for step in journal.steps if not self._do_step(step)]
        record = journal.record
        # Those that hold this state go last.
        above = {str(self.folder), *map(str, self.folder.parents)}
        gone = [each for each in record.folders if each not in above]
        gone = [each for each in reversed(gone) if _remove_empty_folder(Path(each))]
        record.folders = [each for each in record.folders if each not in gone]
        self.fault("record")
        write_file(self._record_path, msgspec.json.encode(record))
        self._remove_unused(record)
        self.fault("end")
        self._journal_path.unlink()
        sync_folder(self.folder)
        return tuple(left)

    def remove_if_unused(self, folders: Sequence[str] = ()) -> None:
        """Remove the state of a home without protected files; call it under the lock.

        Args:
            folders: Folders that this run has created, and that no record names.
        """
        record = self.read_record()
        if record.files or self._journal_path.exists():
            return
        self._remove_unused(record)
        if record.sealing_key and os_keyring.read_entry(record.sealing_key):
            os_keyring.delete_entry(record.sealing_key)
        self.fault("state")
        _remove_empty_folder(self.folder / "contents")
        self._record_path.unlink(missing_ok=True)
        self.fault("lock")
        (self.folder / "lock").unlink(missing_ok=True)
        _remove_empty_folder(self.folder)
        for folder in reversed((*record.folders, *folders)):
            _remove_empty_folder(Path(folder))

    def _do_step(self, step: Step) -> bool:
        """Change one file; False where its content is neither the old nor the new."""
        path = Path(step.path)
        present = digest_of(read_present(path))
        if present == step.after:
            return True
        if present != step.before:
            return False
        self.fault(f"write {path.name}")
        data = self.get(step.after)
        if step.path.startswith(os_keyring.PREFIX):
            if data is None:
                os_keyring.delete_entry(step.path)
            else:
                os_keyring.write_entry(step.path, data)
            return True
        if data is None:
            with translate_os_errors("remove", path):
                path.unlink()
                sync_folder(path.parent)
            return True
        replace_file(path, data, self.fault)
        return True

    def _remove_unused(self, record: ProtectionRecord) -> bool:
        """Remove contents that no layer of a record has; return whether any was."""
        used = {
            digest
            for file in record.files
            for layer in file.layers
            for digest in (layer.before, layer.after)
        }
        folder = self.folder / "contents"
        unused = (
            [p for p in folder.iterdir() if p.name not in used]
            if folder.is_dir()
            else []
        )
        for path in unused:
            path.unlink()
        return bool(unused)


def list_missing_folders(path: Path) -> list[str]:
    """List the folders above a path that do not exist, the outermost first."""
    return [str(each) for each in reversed(path.parents) if not each.exists()]


def _remove_empty_folder(path: Path) -> bool:
    """Remove a folder if it is empty; return whether there is none any more."""
    with contextlib.suppress(OSError):
        path.rmdir()
    return not path.is_dir()


def replace_file(path: Path, data: bytes, fault: Fault) -> None:
    """Replace a file atomically, with its present mode; 0600 for a new one.

    A link stays; the file that it leads to is replaced.
    """
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        make_private_folder(path.parent)
    with translate_os_errors("write", path):
        mode = path.stat().st_mode & 0o7777 if path.exists() else NEW_FILE_MODE
        temporary = path.with_name(f".{path.name}.answerable-new")
        temporary.unlink(missing_ok=True)  # of a run that was killed
        how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        handle = os.open(temporary, how, NEW_FILE_MODE)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        fault(f"rename {path.name}")
        temporary.replace(path)
        sync_folder(path.parent)
