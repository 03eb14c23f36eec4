"""Measure the resident memory of this process, and return large blocks when freed."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

_STATM = Path("/proc/self/statm")
_RESIDENT = 1  # place of the resident pages (proc(5))
_M_MMAP_THRESHOLD = -3  # of mallopt(3)
MAPPED_BLOCK = 1 << 20  # bytes of a block that has a mapping of its own


def resident_bytes() -> int:
    """Return the resident memory in bytes; 0 where it is unknown."""
    try:
        pages = int(_STATM.read_text("ascii").split()[_RESIDENT])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_large_blocks_own_mappings() -> None:
    """Allocate each large block in a mapping of its own, which ends when it is freed.

    By default glibc raises its threshold to the size of the largest freed block
    (mallopt(3)): bodies of some megabytes then lie between small objects in the heap,
    and the process keeps their memory. Without effect where the C library has no
    `mallopt`.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, MAPPED_BLOCK)
