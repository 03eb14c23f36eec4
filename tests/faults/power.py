"""Loss of power at each step of the store: a shim that drops what was not synced.

The shim stands in for `os.fsync` and `os.fdatasync`. It keeps what was made durable: the
content of each file at its last sync, and the names in each folder at its last sync. At a
step it makes the folder that a disk may hold after the power failed: of each file that
was not synced since it changed, each sector of 512 bytes is old or new by chance, and so
is the length; of each folder, each name that changed since is old or new.
"""

import os
import random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from answerable.store import durable_files

SECTOR = 512


class PowerLost(BaseException):
    """The power failed at this step; nothing after it happens."""


class Shim:
    """The durable state of a folder, by what was synced.

    Args:
        root: The folder.
        chance: Decides what reached the disk unsynced.
        deaf: Ending of the files whose syncs are ignored.
    """

    def __init__(self, root: Path, chance: random.Random, deaf: str = "") -> None:
        self._root, self._chance, self._deaf = root, chance, deaf
        self._contents: dict[int, bytes] = {}  # by inode
        self._names: dict[int, dict[str, int]] = {}  # of folders, by inode
        self._open: dict[int, int] = {}  # inodes are not used again while this runs
        for folder, _, files in os.walk(root):
            for name in files:
                self._keep(Path(folder, name))
            self._keep_names(Path(folder))

    def close(self) -> None:
        for handle in self._open.values():
            os.close(handle)
        self._open = {}

    def synced(self, handle: int) -> None:
        """Note that a file or a folder is on disk as it is now."""
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if not path.is_relative_to(self._root):
            return
        if self._deaf and path.name.endswith(self._deaf):
            return
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            self._keep_names(path)
        else:
            self._contents[self._hold(handle)] = _whole(handle)

    def _hold(self, handle: int) -> int:
        inode = os.fstat(handle).st_ino
        if inode not in self._open:
            self._open[inode] = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY)
        return inode

    def _keep(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            self._contents[self._hold(handle)] = _whole(handle)
        finally:
            os.close(handle)

    def _keep_names(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            inode = self._hold(handle)
        finally:
            os.close(handle)
        self._names[inode] = self._listed(path)

    def _listed(self, path: Path) -> dict[str, int]:
        found = {}
        for each in os.scandir(path):
            found[each.name] = each.inode()
            if each.inode() not in self._open:
                handle = os.open(each.path, os.O_RDONLY)
                self._hold(handle)
                os.close(handle)
        return found

    def lose(self, target: Path) -> None:
        """Make the folder that the disk may hold, if the power fails now."""
        self._folder(os.stat(self._root).st_ino, target)

    def _folder(self, inode: int, target: Path) -> None:
        target.mkdir(mode=0o700)
        now = self._listed(Path(os.readlink(f"/proc/self/fd/{self._open[inode]}")))
        was = self._names.get(inode, {})
        for name in sorted(was.keys() | now.keys()):
            choices = {was.get(name), now.get(name)}
            child = self._chance.choice(sorted(choices, key=str))
            if child is None:
                continue
            if stat.S_ISDIR(os.fstat(self._open[child]).st_mode):
                self._folder(child, target / name)
            else:
                (target / name).write_bytes(self._torn(child))
                (target / name).chmod(0o600)

    def _torn(self, inode: int) -> bytes:
        was, now = self._contents.get(inode, b""), _whole(self._open[inode])
        if was == now:
            return now
        # A file may have its new length before its new bytes; those read as zeros then.
        length = self._chance.choice(
            [len(was), len(now), self._chance.randint(*sorted((len(was), len(now))))]
        )
        mixed = bytearray(length)
        for at in range(0, length, SECTOR):
            end = min(at + SECTOR, length)
            old = was[at:end].ljust(end - at, b"\0")
            new = now[at:end].ljust(end - at, b"\0")
            mixed[at:end] = self._chance.choice((old, new))
        return bytes(mixed)


def _whole(handle: int) -> bytes:
    size = os.fstat(handle).st_size
    reading = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY)
    try:
        return os.pread(reading, size, 0)
    finally:
        os.close(reading)


@contextmanager
def losing_power(
    root: Path, target: Path, step: int, chance: random.Random, deaf: str = ""
) -> Iterator[list[str]]:
    """Lose the power at the step with this number, and leave what the disk holds.

    Args:
        root: Folder of the store.
        target: Where the folder after the loss is made.
        step: Steps that go well before.
        chance: Decides what reached the disk unsynced.
        deaf: Ending of the files whose syncs are ignored.

    Yields:
        Names of the steps so far.
    """
    shim = Shim(root, chance, deaf)
    steps: list[str] = []
    fsync, fdatasync = os.fsync, os.fdatasync

    def at(name: str) -> None:
        steps.append(name)
        if len(steps) > step:
            durable_files.crash_hook = None
            shim.lose(target)
            raise PowerLost(name)

    # What the real ones would do is left out: here the shim is the disk.
    os.fsync = os.fdatasync = shim.synced
    durable_files.crash_hook = at
    try:
        yield steps
    finally:
        durable_files.crash_hook = None
        os.fsync, os.fdatasync = fsync, fdatasync
        shim.close()
