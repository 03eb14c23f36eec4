"""A bucket in a folder, shared by processes, that fails as it is told to."""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

from answerable.model.errors import EnvironmentFailure

# Of an operation and a key: "" to work, "before" or "after" to fail there, "torn" to
# keep half of the object and fail.
Fault = Callable[[str, str], str]


class FolderBucket:
    """Objects as files, with conditional writes under a lock."""

    def __init__(self, folder: Path, fault: Fault = lambda operation, key: "") -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.fault = folder, fault
        self.reads: list[str] = []

    def path(self, key: str) -> Path:
        return self.folder / quote(key, safe="")

    def names(self) -> list[str]:
        return sorted(unquote(path.name) for path in self.folder.iterdir())

    @contextmanager
    def _operation(self, operation: str, key: str) -> Iterator[str]:
        fault = self.fault(operation, key)
        if fault == "before":
            raise EnvironmentFailure(f"cannot {operation} {key} (InternalError)", "")
        with open(self.folder.parent / f"{self.folder.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield fault
        if fault:
            raise EnvironmentFailure(f"cannot {operation} {key} (InternalError)", "")

    def _write(self, key: str, data: bytes, fault: str) -> None:
        fresh = self.folder.parent / f"{self.folder.name}.new"
        fresh.write_bytes(data[: len(data) // 2] if fault == "torn" else data)
        fresh.replace(self.path(key))

    def get(self, key: str) -> tuple[bytes, str] | None:
        self.reads.append(key)
        with self._operation("read", key):
            if not self.path(key).exists():
                return None
            data = self.path(key).read_bytes()
            return data, hashlib.md5(data, usedforsecurity=False).hexdigest()

    def create(self, key: str, data: bytes) -> bool:
        with self._operation("create", key) as fault:
            if self.path(key).exists():
                return False
            self._write(key, data, fault)
        return True

    def overwrite(self, key: str, data: bytes) -> None:
        with self._operation("overwrite", key) as fault:
            self._write(key, data, fault)

    def replace(self, key: str, data: bytes, version: str) -> str:
        with self._operation("replace", key) as fault:
            found = self.path(key).read_bytes() if self.path(key).exists() else None
            if found is None or _version(found) != version:
                return ""
            self._write(key, data, fault)
        return _version(data)

    def delete(self, key: str) -> None:
        with self._operation("delete", key):
            self.path(key).unlink(missing_ok=True)

    def find(self, prefix: str) -> str:
        with self._operation("list", prefix):
            return next((k for k in self.names() if k.startswith(prefix)), "")


def _version(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
