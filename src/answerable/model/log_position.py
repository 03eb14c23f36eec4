"""Position in a log file that grows, is rotated, or is replaced."""

from collections.abc import Mapping

import msgspec


class FilePosition(msgspec.Struct, frozen=True, array_like=True):
    """Position up to which one file of a log was read.

    Attributes:
        inode: Inode of the file, which a rename keeps.
        mark: Size, inode and times of the file when it was read; empty if it might
            have changed since without a change of these.
        offset: End of the last line that was read; 0 for a file that is always read
            whole.
        digest: SHA-256 of the beginning of the file and of the bytes before `offset`,
            hex.
        problem: Parts of the file that could not be read; empty for none.
        has_open_line: The file ends inside a line.
    """

    inode: int
    mark: tuple[int, ...] = ()
    offset: int = 0
    digest: str = ""
    problem: str = ""
    has_open_line: bool = False


LogCursor = Mapping[str, FilePosition]  # by path
