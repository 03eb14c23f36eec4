"""Digest of the listing of a log, which changes whenever its files do."""

import hashlib
import os
from collections.abc import Iterator

from answerable.connectors import registry
from answerable.connectors.log_files import split_log_location
from answerable.connectors.log_positions import mark_file
from answerable.services.inventory.scan_sources import find_source_capability


def digest_log_listing(source: str, now: int) -> bytes:
    """Compute the digest of the names, sizes and times of the files of a log.

    Args:
        source: `NAME:LOCATION`, with an absolute path.
        now: UTC nanoseconds.

    Returns:
        The digest; empty if a file changed a moment ago or cannot be examined, and for
        a source that is no log on disk.
    """
    name, _, location = source.partition(":")
    if find_source_capability(name) != registry.EVENTS:
        return b""
    options = registry.find_connector(name).spec.location_options
    path, _ = split_log_location(location, options)
    digest = hashlib.sha256()
    try:
        for each in _iter_paths(path):
            mark = mark_file(os.stat(each), now)
            if not mark:
                return b""
            digest.update(repr((each, mark)).encode())
    except OSError:
        return b""
    return digest.digest()


def _iter_paths(path: str) -> Iterator[str]:
    """Yield a path and, of a folder, everything below it.

    Raises:
        OSError: A folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise error

    yield path
    if not os.path.isdir(path):
        return
    for folder, folders, names in os.walk(path, onerror=refuse):
        folders.sort()
        yield from (os.path.join(folder, name) for name in sorted(names))
