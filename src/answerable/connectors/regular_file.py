"""Open and read regular files named by a user or configuration, without blocking.

Opening a named pipe waits for its other end, and a device may be endless. The pipe of a
shell's `<(COMMAND)` is accepted while it delivers data.
"""

import io
import os
import select
import stat
from pathlib import Path
from typing import BinaryIO

from answerable.model.errors import UsageError

READ_TIMEOUT = 60.0  # seconds for the next bytes of a shell's pipe
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_SHELL_PIPE_PREFIX = ("/dev/fd/", "/proc/self/fd/")
_SPECIAL_FILES = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_named_file(path: Path | str) -> BinaryIO:
    """Open a regular file, or the pipe of a shell's `<(COMMAND)`, for reading.

    Raises:
        UsageError: It is a named pipe, a socket or a device.
        OSError: It is missing, a folder, or not readable.
    """
    check_regular_file(path)
    handle = os.open(path, _FLAGS)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISREG(mode):
            os.set_blocking(handle, True)
            return os.fdopen(handle, "rb")
        _refuse_special_file(path, mode)
        if stat.S_ISFIFO(mode):
            return io.BufferedReader(_ShellPipe(path, handle))
        return os.fdopen(handle, "rb")  # says itself that it is a folder
    except BaseException:
        os.close(handle)
        raise


def read_named_file(path: Path | str, max_bytes: int = -1) -> bytes:
    """Read a file opened by `open_named_file`, up to a maximum size.

    Raises:
        UsageError: As for `open_named_file`.
        OSError: As for `open_named_file`.
    """
    with open_named_file(path) as file:
        return file.read(max_bytes)


def check_regular_file(path: Path | str) -> None:
    """Refuse special files without opening them.

    Raises:
        UsageError: It is a named pipe, a socket or a device.
        OSError: It is missing or inaccessible.
    """
    _refuse_special_file(path, os.stat(path).st_mode)


def _refuse_special_file(path: Path | str, mode: int) -> None:
    """Raise for a folder, device, socket or named pipe."""
    if stat.S_ISFIFO(mode) and str(path).startswith(_SHELL_PIPE_PREFIX):
        return
    kind = next((what for holds, what in _SPECIAL_FILES if holds(mode)), "")
    if kind:
        raise UsageError(
            f"{path} is {kind} (expected a regular file)",
            "save the data to a regular file first",
        )


class _ShellPipe(io.RawIOBase):
    """Reading end of a shell pipe; no read waits longer than `READ_TIMEOUT`."""

    def __init__(self, path: Path | str, handle: int) -> None:
        self._path, self._handle = path, handle

    def readable(self) -> bool:
        """Return True: the `io` interface of a readable stream."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._handle

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read available bytes, or wait for them."""
        if not select.select([self._handle], [], [], READ_TIMEOUT)[0]:
            raise UsageError(
                f"no data from {self._path} for {READ_TIMEOUT:.0f} seconds",
                "save the data to a regular file first",
            )
        data = os.read(self._handle, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the pipe."""
        if not self.closed:
            os.close(self._handle)
        super().close()
