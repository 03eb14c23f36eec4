"""Tables and files below a location of a lake, without the days out of a window."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from answerable.connectors.user_path import expand_user_path
from answerable.model.time_units import DAY_NS, SECOND_NS

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

S3 = "s3://"
_DAY = re.compile(r"(?i)eventday=(\d{4})-?(\d{2})-?(\d{2})")
_VERSION = re.compile(r"v?(\d+).*")


@dataclass(frozen=True, slots=True)
class LakeWindow:
    """Time of the rows to read, UTC nanoseconds; 0 for no limit.

    Attributes:
        since: Inclusive.
        until: Exclusive.
    """

    since: int = 0
    until: int = 0


@dataclass(frozen=True, slots=True)
class LakeTable:
    """Iceberg table, or a Parquet file.

    Attributes:
        path: Path of the file, or of the newest metadata of the table.
        is_iceberg: Whether it is an Iceberg table.
        is_out_of_window: Whether it is the folder of a day that is not read.
    """

    path: str
    is_iceberg: bool
    is_out_of_window: bool = False


def get_endpoint() -> str:
    """Return the S3 endpoint of the environment, empty for the usual one."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def open_filesystem(location: str) -> "tuple[FileSystem, str]":
    """Open the file system of a location; return it with the path in it."""
    from pyarrow import fs

    if not location.startswith(S3):
        return fs.LocalFileSystem(), str(expand_user_path(location).absolute())
    endpoint = get_endpoint()
    scheme, _, host = endpoint.rpartition("://")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    files = fs.S3FileSystem(
        region=region or None,
        endpoint_override=host or None,
        scheme=scheme or "https",
        connect_timeout=10,
        request_timeout=60,
    )
    return files, location.removeprefix(S3).rstrip("/")


def find_tables(
    files: "FileSystem", folder: str, window: LakeWindow
) -> Iterator[LakeTable]:
    """Yield the tables and files below a folder, and the days out of the window.

    A location that is a Parquet file is the only one.
    """
    from pyarrow import fs

    if folder.endswith(".parquet"):
        (here,) = files.get_file_info([folder])
        if here.type == fs.FileType.File:
            yield LakeTable(folder, is_iceberg=False)
            return
    entries = sorted(
        files.get_file_info(fs.FileSelector(folder)), key=lambda each: each.path
    )
    by_name = {each.base_name: each for each in entries}
    if "metadata" in by_name and (newest := _find_newest_metadata(files, folder)):
        yield LakeTable(newest, is_iceberg=True)
        return
    for entry in entries:
        if not _is_day_in_window(entry.base_name, window):
            yield LakeTable(entry.path, is_iceberg=False, is_out_of_window=True)
        elif entry.type == fs.FileType.Directory:
            yield from find_tables(files, entry.path, window)
        elif entry.base_name.endswith(".parquet"):
            yield LakeTable(entry.path, is_iceberg=False)


def _find_newest_metadata(files: "FileSystem", folder: str) -> str:
    """Find the newest metadata file of an Iceberg table; empty if there is none."""
    from pyarrow import fs

    there = files.get_file_info(fs.FileSelector(f"{folder}/metadata"))
    found = [each for each in there if each.base_name.endswith(".metadata.json")]
    numbered = [
        (int(number[1]), each.path)
        for each in found
        if (number := _VERSION.fullmatch(each.base_name))
    ]
    # Without its metadata, a table does not say which of its files are its rows.
    is_table = any(each.base_name.endswith(".avro") for each in there)
    lost = f"{folder}/metadata/missing.metadata.json" if is_table else ""
    return max(numbered, default=(0, lost))[1]


def _is_day_in_window(name: str, window: LakeWindow) -> bool:
    """Return whether a folder may have rows of the window; other folders always may."""
    parts = _DAY.fullmatch(name)
    if parts is None:
        return True
    try:
        day = datetime.strptime("".join(parts.groups()), "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return True
    start = int(day.timestamp()) * SECOND_NS
    # A late record may lie in the folder of the next day.
    return (not window.since or start + 2 * DAY_NS > window.since) and (
        not window.until or start - DAY_NS < window.until
    )
