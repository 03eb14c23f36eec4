"""List the files of a log folder, with marks that change with their content."""

import os
import stat

# A file that was written this recently may change again within one tick of the file
# system's clock, and keep its size and times (git calls such an entry racily clean).
SETTLING_TIME = 2_000_000_000  # nanoseconds


def list_settled_files(location: str, now: int) -> dict[str, tuple[int, ...]]:
    """List the regular files below a folder that did not change recently.

    A file that cannot be examined is left out, so that every run reads it.

    Args:
        location: Folder. For anything else the list is empty.
        now: UTC nanoseconds.

    Returns:
        Path -> size, inode, time of modification and of change (`st_ctime`).
    """
    found: dict[str, tuple[int, ...]] = {}
    for folder, _, names in os.walk(location):
        for name in names:
            path = os.path.join(folder, name)
            try:
                about = os.stat(path)
            except OSError:
                continue
            times = (about.st_mtime_ns, about.st_ctime_ns)
            is_settled = now - max(times) >= SETTLING_TIME
            if stat.S_ISREG(about.st_mode) and is_settled:
                found[path] = (about.st_size, about.st_ino, *times)
    return found
