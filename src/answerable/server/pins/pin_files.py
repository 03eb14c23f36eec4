"""Read and write pin files: one for each server, replaced atomically.

A file survives a restart, and contains complete definitions, so that a change can be
shown. A writer locks the folder and starts from the present contents.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from answerable.model.definition_pin import NO_PINS, ServerPins
from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import (
    make_store_folder,
    read_file,
    translate_os_errors,
    write_file,
)

PinFileStamp = tuple[int, int, int]
PinsT = TypeVar("PinsT", bound=ServerPins | None)

_HINT = "restore it from a backup; without it, the next definitions are pinned as new"


class _PinFile(msgspec.Struct, forbid_unknown_fields=True):
    """Contents of a pin file."""

    schema: str
    server: str
    pins: ServerPins


_SCHEMA = "answerable/pins/v1"
_decoder = msgspec.json.Decoder(_PinFile)


class PinFiles:
    """Pin files of one gateway.

    Args:
        state: State folder of the gateway.
    """

    def __init__(self, state: Path) -> None:
        self.folder = state / "pins"

    def read_pins(self, server: str) -> ServerPins:
        """Read the pins of a server; a missing file has none.

        Raises:
            EnvironmentFailure: It may not be read, or is no pin file.
        """
        found = self.find_pins(server)
        return NO_PINS if found is None else found

    def find_pins(self, server: str) -> ServerPins | None:
        """Read the pins of a server; None where it has no file.

        Raises:
            EnvironmentFailure: As `read_pins`.
        """
        path = self.pin_file_path(server)
        try:
            file = _decoder.decode(read_file(path))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            file = None
        if file is None or file.schema != _SCHEMA or file.server != server:
            raise EnvironmentFailure(f"{path} contains no pins of {server}", _HINT)
        return file.pins

    def change_pins(self, server: str, change: Callable[[ServerPins], PinsT]) -> PinsT:
        """Change a server's pinned definitions under a lock, and fsync.

        Args:
            server: Name of the server.
            change: Returns the new pins; None leaves them unchanged.

        Raises:
            EnvironmentFailure: They cannot be read or written.
        """
        make_store_folder(self.folder)
        with translate_os_errors("lock", self.folder):
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            before = self.read_pins(server)
            after = change(before)
            if after is not None and after != before:
                file = _PinFile(_SCHEMA, server, after)
                write_file(self.pin_file_path(server), msgspec.json.encode(file))
            return after
        finally:
            os.close(handle)

    def list_servers(self) -> list[str]:
        """List the servers with pins."""
        if not self.folder.is_dir():
            return []
        return sorted(path.stem for path in self.folder.glob("[!.]*.json"))

    def pin_file_path(self, server: str) -> Path:
        """Return the path of the file with a server's pinned definitions."""
        return self.folder / f"{server}.json"

    def file_stamp(self, server: str) -> PinFileStamp:
        """Return inode, modification time and size, to detect a change."""
        try:
            facts = self.pin_file_path(server).stat()
        except OSError:
            return 0, 0, 0
        return facts.st_ino, facts.st_mtime_ns, facts.st_size
