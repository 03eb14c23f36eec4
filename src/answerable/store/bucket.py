"""Bucket of object storage with conditional writes, and objects written once."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.store import bucket_openers
from answerable.store.durable_files import BINDING_FILE

# What to do about an object that is missing or changed.
RESTORE_HINT = (
    "restore it from an earlier version or a backup of the bucket; then run: "
    "answerable evidence verify"
)


class Bucket(Protocol):
    """Objects under one prefix; every write is durable when it returns.

    Each method repeats a request that failed, and raises `EnvironmentFailure` after the
    last attempt: a write may then have happened, or happen later.
    """

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Read an object and its version (ETag); None if there is none."""

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one of that key; return whether it did."""

    def overwrite(self, key: str, data: bytes) -> None:
        """Write an object, whether there is one or not."""

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Write an object if it still has this version; return the new one.

        Empty if it has another version, which a repeated request may have written.
        """

    def delete(self, key: str) -> None:
        """Delete an object, if there is one."""

    def find(self, prefix: str) -> str:
        """Return the key of an object whose key starts so; empty if there is none."""


def open_bucket(location: str) -> Bucket:
    """Open the bucket of a location with the function that the program has set.

    Raises:
        EnvironmentFailure: There is none, or a program is missing.
    """
    if not bucket_openers:
        raise EnvironmentFailure(
            f"this process cannot open {location}", "use the command: answerable"
        )
    return bucket_openers[0](location)


def write_once(
    bucket: Bucket, key: str, data: bytes, is_intact: Callable[[bytes], bool]
) -> None:
    """Write an object whose name says what it holds, unless it is there.

    One that arrived in part, at a server that kept it, is written again.
    """
    if bucket.create(key, data):
        return
    found = bucket.get(key)
    if found is None or not is_intact(found[0]):
        bucket.overwrite(key, data)


def refuse_unconditional_bucket(bucket: Bucket, location: str) -> None:
    """Refuse storage whose conditional writes do not work.

    Raises:
        EnvironmentFailure: It does.
    """
    probe = "log/probe"
    bucket.create(probe, b"1")
    ignored = bucket.create(probe, b"2")
    found = bucket.get(probe)  # None: another machine deleted it just now
    if found is not None and not bucket.replace(probe, b"3", found[1]):
        again = bucket.get(probe)
        if again is not None and again[1] == found[1]:
            raise EnvironmentFailure(
                f"{location} refuses If-Match with the object's own ETag",
                "use object storage with conditional writes: the checkpoint of the "
                "log cannot be replaced",
            )
    if ignored or bucket.replace(probe, b"4", f'"{"0" * 32}"'):
        raise EnvironmentFailure(
            f"{location} ignores If-None-Match or If-Match",
            "use object storage with conditional writes; several writers would "
            "overwrite each other's log",
        )
    bucket.delete(probe)


def refuse_remote_folder(folder: Path, what: str) -> None:
    """Refuse a file of one machine in the local folder of a store in object storage.

    Raises:
        UsageError: The folder is one: the file would not have an effect elsewhere.
    """
    if (folder / BINDING_FILE).exists():
        raise UsageError(
            f"{what} need a local store ({folder} belongs to a store in object storage)",
            "name a local store for servers and kill: --store DIR",
        )
