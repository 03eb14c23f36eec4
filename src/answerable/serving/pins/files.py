"""The pins on disk: a file for each server in the state folder, replaced whole.

A file outlives a restart, and holds definitions in full, so that a change can be shown.
Whoever changes one holds a lock and begins with what stands there.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from answerable.model.errors import EnvironmentRefused
from answerable.model.pin import NO_PINS, Pins
from answerable.store.disk import make_folder, read_file, refused, write_file

Stamp = tuple[int, int, int]
Found = TypeVar("Found", bound=Pins | None)

_HINT = "restore it from a copy; without it, what the server says next is learned anew"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """A file as it is written."""

    schema: str
    server: str
    pins: Pins


_SCHEMA = "answerable/pins/v1"
_decoder = msgspec.json.Decoder(_File)


class PinFiles:
    """The files.

    Args:
        state: The gateway's own folder.
    """

    def __init__(self, state: Path) -> None:
        self.folder = state / "pins"

    def read(self, server: str) -> Pins:
        """Read what is pinned of a server; no file is nothing.

        Raises:
            EnvironmentRefused: It may not be read, or is none of ours.
        """
        found = self.find(server)
        return NO_PINS if found is None else found

    def find(self, server: str) -> Pins | None:
        """Read what is pinned of a server; None where there is no file.

        Raises:
            EnvironmentRefused: As `read`.
        """
        path = self.path(server)
        try:
            file = _decoder.decode(read_file(path))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            file = None
        if file is None or file.schema != _SCHEMA or file.server != server:
            raise EnvironmentRefused(f"{path} holds no pins of {server}", _HINT)
        return file.pins

    def change(self, server: str, change: Callable[[Pins], Found]) -> Found:
        """Change what is pinned of a server; durable when this returns.

        Args:
            server: Its name.
            change: Gives what stands there then; None leaves it as it is.

        Raises:
            EnvironmentRefused: It cannot be read or written.
        """
        make_folder(self.folder)
        with refused("lock", self.folder):
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            before = self.read(server)
            after = change(before)
            if after is not None and after != before:
                file = _File(_SCHEMA, server, after)
                write_file(self.path(server), msgspec.json.encode(file))
            return after
        finally:
            os.close(handle)

    def servers(self) -> list[str]:
        """Name the servers of which something is pinned."""
        if not self.folder.is_dir():
            return []
        return sorted(path.stem for path in self.folder.glob("[!.]*.json"))

    def path(self, server: str) -> Path:
        """Name the file of a server."""
        return self.folder / f"{server}.json"

    def stamp(self, server: str) -> Stamp:
        """Tell one state of a file from another without reading it."""
        try:
            facts = self.path(server).stat()
        except OSError:
            return 0, 0, 0
        return facts.st_ino, facts.st_mtime_ns, facts.st_size
