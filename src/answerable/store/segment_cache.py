"""Limit of the local copies of segments that are in object storage.

The copies that were not used for the longest time are removed first. A copy that was
used within the last ten minutes stays: a query of another process may be about to open
it. A copy that is missing is read from the bucket again.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answerable.evidence.log_entries import SegmentManifest
    from answerable.store.store_layout import StoreLayout

DEFAULT_BYTES = 20 << 30
RECENT_NS = 600 * 10**9


def mark_used(path: Path) -> None:
    """Set the time of the last use of a file, also where reading does not."""
    with suppress(OSError):  # removed meanwhile, or of another user
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def trim_segments(
    layout: "StoreLayout", segments: "Iterable[SegmentManifest]", limit: int
) -> None:
    """Remove copies of segments of the log until they have at most `limit` bytes."""
    copies: list[tuple[int, int, Path]] = []
    for each in segments:
        for ending in (".parquet", ".leaves"):
            path = layout.segment_file(each.day, each.segment, ending)
            with suppress(OSError):
                found = path.stat()
                copies.append((found.st_atime_ns, found.st_size, path))
    total = sum(size for _, size, _ in copies)
    until = time.time_ns() - RECENT_NS
    for used, size, path in sorted(copies):
        if total <= limit or used > until:
            return
        with suppress(OSError):
            path.unlink()
            total -= size
