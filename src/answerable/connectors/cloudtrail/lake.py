"""Read CloudTrail's tables in a lake in place: Parquet or Iceberg, on S3 or in a folder.

A file is skipped by the day in its path, rows by the statistics of their row group, and
only the columns that a record needs are read. Rows pass through in batches.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from answerable.connectors.cloudtrail.parse.lake_rows import (
    CLOUDTRAIL_COLUMNS,
    OCSF_COLUMNS,
    is_cloudtrail_table,
    is_ocsf_table,
    rebuild_cloudtrail_row,
    rebuild_ocsf_row,
)
from answerable.connectors.cloudtrail.parse.records import parse_record
from answerable.connectors.formats.log_format import RecordRefused
from answerable.connectors.user_path import expand_user_path
from answerable.model.connector import EventBatch
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.event import AuditEvent
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.model.time_units import DAY_NS, SECOND_NS

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyarrow.fs import FileSystem

S3 = "s3://"
_DAY = re.compile(r"(?i)eventday=(\d{4})-?(\d{2})-?(\d{2})")
_VERSION = re.compile(r"v?(\d+).*")
_BATCH_ROWS = 10_000
_NS_PER_MS = 1_000_000
_NO_CALLS = "the table contains no API calls"  # by its columns
_AWS_ERROR = "AWS Error"  # in the messages of pyarrow's S3


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
class _Table:
    """Iceberg table, or a Parquet file.

    Attributes:
        path: Path of the file, or of the newest metadata of the table.
    """

    path: str
    is_iceberg: bool


def read_lake(location: str, window: LakeWindow) -> Iterator[EventBatch]:
    """Yield the events of the CloudTrail tables below a location.

    Args:
        location: `s3://BUCKET/PREFIX`, or a folder.
        window: Time of the rows.

    Raises:
        UsageError: The location does not exist, or holds no table of CloudTrail.
        EnvironmentFailure: It cannot be read, or pyarrow is not installed.
    """
    with _translate_lake_errors(location):
        files, root = _open_filesystem(location)
        found = unknown = 0
        for table in _find_tables(files, root, window):
            found += 1
            for batch in _read_table(files, table, location, window):
                unknown += _NO_CALLS in batch.skipped
                yield batch
    if found and unknown == found:
        raise UsageError(
            f"no table at {location} has the columns of CloudTrail's events",
            "expected metadata, actor, api and time (OCSF, as Security Lake writes them), "
            "or eventname, eventsource, eventtime and useridentity",
        )
    if not found:
        raise UsageError(
            f"no Parquet file or Iceberg table of that time at {location}",
            "name the folder of the table, e.g. s3://BUCKET/aws/CLOUD_TRAIL_MGMT/2.0",
        )


@contextmanager
def _translate_lake_errors(location: str) -> Iterator[None]:
    """Translate errors of the file system into ours."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pyarrow", "pyiceberg"):
            raise
        raise EnvironmentFailure(
            f"--lake requires {error.name}, which is not installed",
            "pip install 'answerable[lake]'",
        ) from None
    except FileNotFoundError:
        raise UsageError(
            f"no lake at {location}", "name s3://BUCKET/PREFIX, or a folder"
        ) from None
    except OSError as error:
        said = str(error).splitlines()[0]
        raise EnvironmentFailure(
            f"the lake at {location} cannot be read: {said}",
            "check the address and the credentials: s3:ListBucket and s3:GetObject",
        ) from None


def _get_endpoint() -> str:
    """Return the S3 endpoint of the environment, empty for the usual one."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _open_filesystem(location: str) -> "tuple[FileSystem, str]":
    """Open the file system of a location; return it with the path in it."""
    from pyarrow import fs

    if not location.startswith(S3):
        return fs.LocalFileSystem(), str(expand_user_path(location).absolute())
    endpoint = _get_endpoint()
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


def _find_tables(
    files: "FileSystem", folder: str, window: LakeWindow
) -> Iterator[_Table]:
    """Yield the tables and files below a folder, without the days out of the window."""
    from pyarrow import fs

    entries = sorted(
        files.get_file_info(fs.FileSelector(folder)), key=lambda each: each.path
    )
    by_name = {each.base_name: each for each in entries}
    if "metadata" in by_name and (newest := _find_newest_metadata(files, folder)):
        yield _Table(newest, is_iceberg=True)
        return
    for entry in entries:
        if not _is_day_in_window(entry.base_name, window):
            continue
        if entry.type == fs.FileType.Directory:
            yield from _find_tables(files, entry.path, window)
        elif entry.base_name.endswith(".parquet"):
            yield _Table(entry.path, is_iceberg=False)


def _find_newest_metadata(files: "FileSystem", folder: str) -> str:
    """Find the newest metadata file of an Iceberg table; empty if there is none."""
    from pyarrow import fs

    found = [
        each
        for each in files.get_file_info(fs.FileSelector(f"{folder}/metadata"))
        if each.base_name.endswith(".metadata.json")
    ]
    numbered = [
        (int(number[1]), each.path)
        for each in found
        if (number := _VERSION.fullmatch(each.base_name))
    ]
    return max(numbered, default=(0, ""))[1]


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


def _read_table(
    files: "FileSystem", table: _Table, location: str, window: LakeWindow
) -> Iterator[EventBatch]:
    """Yield the events of one table or file; one that is damaged is a problem.

    Raises:
        OSError: S3 refused the request.
    """
    import pyarrow as pa

    place = (S3 if location.startswith(S3) else "") + table.path
    try:
        yield from _read_batches(files, table, place, window)
    except (pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0]
        if _AWS_ERROR in said:
            raise
        # Damaged, or removed since it was listed.
        what = f"the table could not be read: {said}"
        problem = ReadProblem(ReadProblemKind.INVALID, place, what)
        yield EventBatch(place, (), (), 0, 0, problems=(problem,))


def _read_batches(
    files: "FileSystem", table: _Table, place: str, window: LakeWindow
) -> Iterator[EventBatch]:
    """Yield the events of one table or file."""
    if table.is_iceberg:
        columns, batches = _scan_iceberg(place, window)
    else:
        columns, batches = _scan_parquet(files, table.path, window)
    if not (is_ocsf_table(columns) or is_cloudtrail_table(columns)):
        yield EventBatch(place, (), (), 0, 0, skipped=(_NO_CALLS,))
        return
    for batch in batches:
        yield _parse_rows(batch.to_pylist(), place, window, ocsf=is_ocsf_table(columns))


def _scan_parquet(
    files: "FileSystem", path: str, window: LakeWindow
) -> "tuple[list[str], Iterable[RecordBatch]]":
    """Scan a Parquet file: names of its columns, and the rows of the window."""
    import pyarrow as pa
    from pyarrow import dataset

    source = dataset.dataset(path, filesystem=files, format="parquet")
    names = list(source.schema.names)
    condition = None
    for bound, is_upper in ((window.since, False), (window.until, True)):
        name, value = _convert_bound(names, bound, source.schema, is_upper=is_upper)
        if name:
            field = dataset.field(name)
            one = field < pa.scalar(value) if is_upper else field >= pa.scalar(value)
            condition = one if condition is None else condition & one
    scanner = source.scanner(
        columns=_select_columns(names),
        filter=condition,
        batch_size=_BATCH_ROWS,
        batch_readahead=2,
        fragment_readahead=1,
    )
    return names, scanner.to_batches()


def _scan_iceberg(
    place: str, window: LakeWindow
) -> "tuple[list[str], Iterable[RecordBatch]]":
    """Scan an Iceberg table by its metadata: columns, and the rows of the window."""
    from pyiceberg.table import StaticTable

    options = {"s3.endpoint": endpoint} if (endpoint := _get_endpoint()) else {}
    table = StaticTable.from_metadata(place, options)
    schema = table.schema().as_arrow()
    names = list(schema.names)
    conditions = []
    for bound, is_upper in ((window.since, False), (window.until, True)):
        name, value = _convert_bound(names, bound, schema, is_upper=is_upper)
        if name:
            text = value if isinstance(value, int) else f"'{value}'"
            conditions.append(f"{name} {'<' if is_upper else '>='} {text}")
    scan = table.scan(
        row_filter=" and ".join(conditions) or "true",
        selected_fields=tuple(_select_columns(names)),
    )
    return names, scan.to_arrow_batch_reader()


def _select_columns(names: Sequence[str]) -> list[str]:
    """Select the columns that a record needs."""
    wanted = OCSF_COLUMNS if is_ocsf_table(names) else CLOUDTRAIL_COLUMNS
    return [name for name in names if name in wanted]


def _convert_bound(
    names: Sequence[str], bound: int, schema: Any, *, is_upper: bool
) -> tuple[str, int | str]:
    """Convert a time to the column that holds times, and its type; empty for none.

    Bounds are wider than the window by one unit of the column: events are compared
    again with their exact time.
    """
    import pyarrow.types as kinds

    if not bound:
        return "", 0
    name = "time" if is_ocsf_table(names) else "eventtime"
    kind = schema.field(name).type if name in names else None
    if kind is not None and kinds.is_int64(kind):
        return name, bound // _NS_PER_MS + is_upper
    if kind is not None and (kinds.is_string(kind) or kinds.is_large_string(kind)):
        at = datetime.fromtimestamp(bound // SECOND_NS + is_upper, UTC)
        # Without the Z, which sorts after the point of a fraction.
        return name, at.strftime("%Y-%m-%dT%H:%M:%S")
    return "", 0


def _parse_rows(
    rows: list[dict[str, Any]], place: str, window: LakeWindow, *, ocsf: bool
) -> EventBatch:
    """Parse rows into a batch of events; refused ones are counted as a problem."""
    rebuild = rebuild_ocsf_row if ocsf else rebuild_cloudtrail_row
    events: list[AuditEvent] = []
    skipped: list[str] = []
    refused: list[str] = []
    for row in rows:
        raw = rebuild(row)
        if raw is None:
            skipped.append("the row is of another product")
            continue
        read = parse_record(raw, {})
        if not isinstance(read, RecordRefused):
            events.append(read)
        elif read.skipped:
            skipped.append(read.reason)
        else:
            refused.append(read.reason)
    events = [each for each in events if _is_in_window(each, window)]
    problems: tuple[ReadProblem, ...] = ()
    if refused:
        what = f"{len(refused)} of {len(rows)} rows could not be read: {refused[0]}"
        problems = (ReadProblem(ReadProblemKind.INVALID, place, what),)
    return EventBatch(
        place, tuple(events), (), 0, 0, problems=problems, skipped=tuple(skipped)
    )


def _is_in_window(event: AuditEvent, window: LakeWindow) -> bool:
    """Return whether an event is of the window."""
    return event.event_time >= window.since and (
        not window.until or event.event_time < window.until
    )
