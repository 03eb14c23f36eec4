"""Derived files whose content was found to match the MAC in their name.

Hashing all files of a question takes longer than reading what it needs of them. So a
process notes the state of the files that it hashed: a file with the same inode, size and
times was not written since. Without privileges a process can set the time of the last
write, but not the time of the last change. The note has a MAC; without a valid one,
files are hashed again.
"""

import contextlib
import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import read_file, write_file

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_FILE = "files.checked"
_VERSION = 2
_MAC_BYTES = 24
# A file that was changed just before may be written again within the same clock tick.
_LEAST_AGE = 2 * 10**9
# Format of the content; device, inode, size, and times of the last write and change.
_FileState = tuple[str, int, int, int, int, int]
_States = dict[str, _FileState]


def select_valid_files(
    store: "EvidenceStore",
    form: str,
    files: Iterable[Path],
    has_own_mac: Callable[[Path], bool],
) -> list[Path]:
    """Select the files of `derived/` whose name has the MAC of their content.

    Args:
        store: The store.
        form: Name and version of the format that the MAC is of; a file that was checked
            for another one is hashed again.
        files: The files.
        has_own_mac: Hashes a file, and compares its MAC.
    """
    checked = store.get_or_create_cached("checked files", _CheckedFiles)
    return checked.select(form, files, has_own_mac)


def forget_checked_files(store: "EvidenceStore") -> None:
    """Forget the note, so that the next process hashes all files: one may be damaged.

    The time of a file does not change when its disk loses a bit.
    """
    with contextlib.suppress(OSError):
        (store.derived / _FILE).unlink()


class _CheckedFiles:
    """States of the files that this process or an earlier one has hashed."""

    def __init__(self, store: "EvidenceStore") -> None:
        self._store = store
        self._path = store.derived / _FILE
        self._states = self._load()

    def select(
        self, form: str, files: Iterable[Path], has_own_mac: Callable[[Path], bool]
    ) -> list[Path]:
        """Select the files whose name has the MAC of their content in a format."""
        now = time.time_ns()
        found: list[Path] = []
        added: _States = {}
        for file in files:
            name = str(file.relative_to(self._store.derived))
            state = _read_state(form, file)
            if state is None:
                continue
            if self._states.get(name) != state:
                if not has_own_mac(file):
                    continue
                self._states[name] = state
                if state[-1] < now - _LEAST_AGE:
                    added[name] = state
            found.append(file)
        if added:
            self._save(added)
        return found

    def _load(self) -> _States:
        """Load the noted states; none without a valid note."""
        with contextlib.suppress(OSError, EnvironmentFailure, msgspec.MsgspecError):
            data = read_file(self._path)
            mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
            if mac == self._compute_mac(body):
                return msgspec.msgpack.decode(body, type=_States)
        return {}

    def _save(self, added: _States) -> None:
        """Note more states, and drop those of removed files; do nothing on a full disk."""
        states = self._select_present({**self._load(), **added})
        self._states = self._select_present(self._states)  # of a long process
        body = msgspec.msgpack.encode(states)
        with contextlib.suppress(EnvironmentFailure):
            write_file(self._path, self._compute_mac(body) + body, sync=False)

    def _select_present(self, states: _States) -> _States:
        """Select the states of the files that were not removed."""
        folder = self._store.derived
        return {
            name: each for name, each in states.items() if (folder / name).is_file()
        }

    def _compute_mac(self, body: bytes) -> bytes:
        """Compute the MAC of a note, with the fingerprint key of the store."""
        named = f"checked files {_VERSION} {sha256(body).hexdigest()}"
        return self._store.fingerprint(named).encode()


def _read_state(form: str, file: Path) -> _FileState | None:
    """Read the state of a file of a format; None without one."""
    try:
        facts = file.stat()
    except OSError:
        return None
    return (
        form,
        facts.st_dev,
        facts.st_ino,
        facts.st_size,
        facts.st_mtime_ns,
        facts.st_ctime_ns,
    )
