"""Measure the resident memory of this process, for its metrics."""

import os
from pathlib import Path

_STATM = Path("/proc/self/statm")
_RESIDENT = 1  # place of the resident pages (proc(5))


def resident_bytes() -> int:
    """Return the resident memory in bytes; 0 where it is unknown."""
    try:
        pages = int(_STATM.read_text("ascii").split()[_RESIDENT])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
