"""Resident memory of this process, as its metrics show it."""

import os
from pathlib import Path

_STATM = Path("/proc/self/statm")
_RESIDENT = 1  # place of the resident pages (proc(5))


def resident_bytes() -> int:
    """Give the bytes of memory that this process occupies now; 0 where none tells."""
    try:
        pages = int(_STATM.read_text("ascii").split()[_RESIDENT])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
