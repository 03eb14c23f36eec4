"""Object storage of a store: the local folder is its journal and its cache."""

from pathlib import Path
from typing import Annotated

import msgspec

from answerable.model.errors import EnvironmentFailure
from answerable.store.bucket import Bucket, open_bucket
from answerable.store.durable_files import (
    BINDING_FILE,
    make_private_folder,
    read_file,
    write_file,
)
from answerable.store.remote_files import RemoteFiles
from answerable.store.remote_log import RemoteLog
from answerable.store.segment_cache import DEFAULT_BYTES


class _Binding(msgspec.Struct):
    """Content of `remote.json`.

    Attributes:
        cache_bytes: Most bytes of local copies of segments; see `segment_cache`.
    """

    location: str
    cache_bytes: Annotated[int, msgspec.Meta(ge=0)] = DEFAULT_BYTES


class RemoteStore:
    """Sealed evidence of one store in object storage.

    Attributes:
        location: `s3://BUCKET/PREFIX`.
        log: Its log.
        files: Its segments and objects.
        cache_bytes: Most bytes of local copies of segments, except of recent ones.
    """

    def __init__(self, location: str, cache_bytes: int = DEFAULT_BYTES) -> None:
        self.location, self.cache_bytes = location, cache_bytes
        self.log = RemoteLog(location, self._open)
        self.files = RemoteFiles(location, self._open)
        self._bucket: Bucket | None = None

    def _open(self) -> Bucket:
        """Return the bucket, opened on first use."""
        if self._bucket is None:
            self._bucket = open_bucket(self.location)
        return self._bucket


def read_binding(root: Path) -> RemoteStore | None:
    """Return the object storage of a store's folder; None for a local store.

    Raises:
        EnvironmentFailure: The file is damaged.
    """
    path = root / BINDING_FILE
    try:
        data = read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        found = msgspec.json.decode(data, type=_Binding)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise EnvironmentFailure(
            f"{path} is damaged", "remove it, and name the store: --store s3://..."
        ) from None
    return RemoteStore(found.location, found.cache_bytes)


def bind_folder(root: Path, location: str) -> None:
    """Let the local folder of a store stand for a place in object storage."""
    if not (root / BINDING_FILE).exists():
        make_private_folder(root)
        write_file(root / BINDING_FILE, msgspec.json.encode(_Binding(location)) + b"\n")
