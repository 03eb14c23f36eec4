"""Read CloudTrail's tables in a lake in place: Parquet or Iceberg, on S3 or in a folder.

A file is skipped by the day in its path, rows by the statistics of their row group, and
only the columns that a record needs are read. Rows pass through in batches.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from answerable.connectors.cloudtrail.lake_columns import (
    PRODUCT,
    has_member,
    is_cloudtrail_table,
    is_ocsf_table,
    list_missing_members,
    list_missing_table_columns,
)
from answerable.connectors.cloudtrail.lake_tables import (
    S3,
    LakeTable,
    LakeWindow,
    find_tables,
    get_endpoint,
    open_filesystem,
)
from answerable.connectors.cloudtrail.parse.lake_rows import (
    CLOUDTRAIL_COLUMNS,
    OCSF_COLUMNS,
    rebuild_cloudtrail_row,
    rebuild_ocsf_row,
)
from answerable.connectors.cloudtrail.parse.records import parse_record
from answerable.connectors.formats.log_format import RecordRefused
from answerable.model.connector import EventBatch
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.event import AuditEvent
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.model.time_units import SECOND_NS

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema
    from pyarrow.fs import FileSystem

_BATCH_ROWS = 10_000
_NS_PER_MS = 1_000_000
_NO_CALLS = "the table contains no API calls"  # by its columns
_AWS_ERROR = "AWS Error "  # before the code, in the messages of pyarrow's S3
_AWS_HINTS = {
    "NO_SUCH_BUCKET": "name a bucket that exists: --lake lake:s3://BUCKET/PREFIX",
    "NETWORK_CONNECTION": "check the network and AWS_ENDPOINT_URL_S3",
}
_ACCESS_HINT = (
    "check the address, AWS_REGION and the credentials: s3:ListBucket and s3:GetObject"
)
_SAMPLE_ROWS = 10_000  # in which the product of a table is looked up
_MAX_REASON = 160
_NO_EVENTS = ReadProblemKind.UNREADABLE  # of a table without a needed column
# What parsers raise for metadata and rows of other types than declared.
_PARSE_ERRORS = (ValueError, TypeError, LookupError, AttributeError, EOFError)


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
        files, root = open_filesystem(location)
        found = unknown = 0
        incomplete: list[str] = []
        for table in find_tables(files, root, window):
            found += 1
            for batch in _read_table(files, table, location, window):
                unread = [p for p in batch.problems if p.kind is _NO_EVENTS]
                incomplete += [f"; {each.place}: {each.what}" for each in unread]
                unknown += bool(unread) or _NO_CALLS in batch.skipped
                yield batch
    if found and unknown == found:
        raise UsageError(
            f"no table at {location} has the columns of CloudTrail's events"
            + next(iter(incomplete), ""),
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
        code = _get_aws_code(error)
        said = f" ({code})" if code else f": {_describe_error(error)}"
        raise EnvironmentFailure(
            f"the lake at {location} cannot be read{said}",
            _AWS_HINTS.get(code, _ACCESS_HINT),
        ) from None


def _get_aws_code(error: OSError) -> str:
    """Return the code of an error of S3, empty for another error."""
    return (str(error).partition(_AWS_ERROR)[2].split() or [""])[0]


def _describe_error(error: Exception) -> str:
    """Describe an error of pyarrow or pyiceberg in a short line."""
    if isinstance(error, FileNotFoundError):
        return "a file that it names is missing"
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    said = re.sub("Could not open Parquet input source '.*?': ", "", first)
    return said.split(". ")[0].rstrip(".:")[:_MAX_REASON]


def _read_table(
    files: "FileSystem", table: LakeTable, location: str, window: LakeWindow
) -> Iterator[EventBatch]:
    """Yield the events of one table or file; one that is damaged is a problem.

    Raises:
        OSError: S3 refused the request.
    """
    import pyarrow as pa

    place = (S3 if location.startswith(S3) else "") + table.path
    try:
        yield from _read_batches(files, table, place, window)
    except (pa.ArrowException, OSError, *_PARSE_ERRORS) as error:
        if isinstance(error, OSError) and _get_aws_code(error):
            raise
        # Damaged, or removed since it was listed.
        what = f"the table could not be read: {_describe_error(error)}"
        problem = ReadProblem(ReadProblemKind.INVALID, place, what)
        yield EventBatch(place, (), (), 0, 0, problems=(problem,))


def _read_batches(
    files: "FileSystem", table: LakeTable, place: str, window: LakeWindow
) -> Iterator[EventBatch]:
    """Yield the events of one table or file."""
    if table.is_iceberg:
        schema, batches = _scan_iceberg(place, window)
    else:
        schema, batches = _scan_parquet(files, table.path, window)
    columns = list(schema.names)
    complete = is_ocsf_table(columns) or is_cloudtrail_table(columns)
    missing = (
        list_missing_members(schema)
        if complete
        else list_missing_table_columns(columns)
    )
    names_product = not complete and has_member(schema, PRODUCT)
    if names_product and not _is_of_cloudtrail(batches):
        missing = []
    if missing:
        word = "column" if len(missing) == 1 else "columns"
        what = f"{word} {', '.join(missing)} missing, or of another type"
        kind = ReadProblemKind.INVALID if complete else _NO_EVENTS
        problem = ReadProblem(kind, place, what)
        yield EventBatch(place, (), (), 0, 0, problems=(problem,))
    elif not complete:
        yield EventBatch(place, (), (), 0, 0, skipped=(_NO_CALLS,))
    if not complete:
        return
    for batch in batches:
        yield _parse_rows(batch.to_pylist(), place, window, ocsf=is_ocsf_table(columns))


def _is_of_cloudtrail(batches: "Iterable[RecordBatch]") -> bool:
    """Return whether one of the first rows of a table names CloudTrail as product."""
    rows = (row for batch in batches for row in batch.to_pylist())
    return any(
        ((row.get("metadata") or {}).get("product") or {}).get("name") == "CloudTrail"
        for row in islice(rows, _SAMPLE_ROWS)
    )


def _scan_parquet(
    files: "FileSystem", path: str, window: LakeWindow
) -> "tuple[Schema, Iterable[RecordBatch]]":
    """Scan a Parquet file: its columns, and the rows of the window."""
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
    return source.schema, scanner.to_batches()


def _scan_iceberg(
    place: str, window: LakeWindow
) -> "tuple[Schema, Iterable[RecordBatch]]":
    """Scan an Iceberg table by its metadata: columns, and the rows of the window."""
    from pyiceberg.exceptions import ValidationError
    from pyiceberg.table import StaticTable

    options = {"s3.endpoint": endpoint} if (endpoint := get_endpoint()) else {}
    try:
        table = StaticTable.from_metadata(place, options)
    except ValidationError:
        raise ValueError("its metadata is malformed") from None
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
    return schema, scan.to_arrow_batch_reader()


def _select_columns(names: Sequence[str]) -> list[str]:
    """Select the columns that a record needs."""
    wanted = (
        CLOUDTRAIL_COLUMNS
        if is_cloudtrail_table(names)
        else OCSF_COLUMNS
        if is_ocsf_table(names)
        else ("metadata",)  # which names the product
    )
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
        try:
            raw = rebuild(row)
        except _PARSE_ERRORS as error:  # a column of another type
            refused.append(_describe_error(error))
            continue
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
