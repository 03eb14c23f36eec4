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
from answerable.connectors.cloudtrail.lake_row_parsing import (
    END_TIME,
    FIRST_TIME,
    PARSE_ERRORS,
    LakeBatch,
    TableRowParser,
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
)
from answerable.connectors.s3_location import (
    refuse_credentials,
    refuse_other_scheme,
    require_bucket,
)
from answerable.model.errors import EnvironmentFailure, UsageError
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


def read_lake(location: str, window: LakeWindow) -> Iterator[LakeBatch]:
    """Yield the events of the CloudTrail tables below a location.

    Args:
        location: `s3://BUCKET/PREFIX`, or a folder.
        window: Time of the rows.

    Raises:
        UsageError: The location does not exist, or holds no table of CloudTrail.
        EnvironmentFailure: It cannot be read, or pyarrow is not installed.
    """
    refuse_other_scheme(location, "a lake")
    if location.startswith(S3):
        refuse_credentials(location)
        require_bucket(location)
    with _translate_lake_errors(location):
        files, root = open_filesystem(location)
        found = unknown = days = 0
        incomplete: list[str] = []
        for table in find_tables(files, root, window):
            if table.is_out_of_window:
                days += 1
                continue
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
    if not found and not days:
        raise UsageError(
            f"no Parquet file or Iceberg table at {location}",
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
    except NotADirectoryError:
        raise UsageError(
            f"{location} is a file, and no Parquet file",
            "name a folder, or a file whose name ends with .parquet",
        ) from None
    except ValueError as error:
        if type(error).__module__.partition(".")[0] != "pyarrow":
            raise
        raise UsageError(
            f"not the address of a lake (got {location[:80]!r})",
            "expected s3://BUCKET/PREFIX, or a folder",
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
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    said = re.sub("Could not open Parquet input source '.*?': ", "", first)
    return said.split(". ")[0].rstrip(".:")[:_MAX_REASON]


def _describe_damage(error: Exception) -> str:
    """Describe why a table could not be read, without the words of a library."""
    if isinstance(error, FileNotFoundError):
        return "a file that it names is missing"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return "it is damaged, or no Parquet file or Iceberg table"


def _read_table(
    files: "FileSystem", table: LakeTable, location: str, window: LakeWindow
) -> Iterator[LakeBatch]:
    """Yield the events of one table or file; one that is damaged is a problem.

    Raises:
        OSError: S3 refused the request.
    """
    import pyarrow as pa

    place = (S3 if location.startswith(S3) else "") + table.path
    try:
        yield from _read_batches(files, table, place, window)
    except (pa.ArrowException, OSError, *PARSE_ERRORS) as error:
        if isinstance(error, OSError) and _get_aws_code(error):
            raise
        # Damaged, or removed since it was listed.
        what = f"the table could not be read: {_describe_damage(error)}"
        problem = ReadProblem(ReadProblemKind.INVALID, place, what)
        yield LakeBatch(place, problems=(problem,))


def _read_batches(
    files: "FileSystem", table: LakeTable, place: str, window: LakeWindow
) -> Iterator[LakeBatch]:
    """Yield the events of one table or file."""
    import pyarrow as pa

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
        yield LakeBatch(place, problems=(problem,))
    elif not complete:
        yield LakeBatch(place, skipped=(_NO_CALLS,))
    if not complete:
        return
    parser = TableRowParser(place, window, is_ocsf=is_ocsf_table(columns))
    try:
        for batch in batches:
            yield parser.parse(batch.to_pylist())
    except (pa.ArrowException, OSError, *PARSE_ERRORS):
        yield LakeBatch(place, problems=parser.list_problems())
        raise
    yield LakeBatch(place, problems=parser.list_problems())


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
    bounds = _convert_bounds(names, window, source.schema)
    if bounds is not None:
        field = dataset.field(bounds.name)
        since, until = pa.scalar(bounds.since), pa.scalar(bounds.until)
        first, end = pa.scalar(bounds.first), pa.scalar(bounds.end)
        condition = (
            ((field >= since) & (field < until))
            | (field < first)
            | (field >= end)
            | field.is_null()
        )
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
    condition = "true"
    if (bounds := _convert_bounds(names, window, schema)) is not None:
        name = bounds.name
        since, until, first, end = (
            str(each) if isinstance(each, int) else f"'{each}'"
            for each in (bounds.since, bounds.until, bounds.first, bounds.end)
        )
        condition = (
            f"({name} >= {since} and {name} < {until}) or {name} < {first} "
            f"or {name} >= {end} or {name} is null"
        )
    scan = table.scan(
        row_filter=condition,
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


@dataclass(frozen=True, slots=True)
class _TimeBounds:
    """Bounds of the column that holds times, in its type.

    Attributes:
        name: The column.
        since: Inclusive.
        until: Exclusive.
        first: Rows before it have another unit: they are read, and refused.
        end: So are rows from it on.
    """

    name: str
    since: int | str
    until: int | str
    first: int | str
    end: int | str


def _convert_bounds(
    names: Sequence[str], window: LakeWindow, schema: Any
) -> _TimeBounds | None:
    """Convert a window to bounds of the column that holds times; None for no bounds.

    Bounds are wider than the window by one unit of the column: events are compared
    again with their exact time.
    """
    import pyarrow.types as kinds

    if not window.since and not window.until:
        return None
    name = "time" if is_ocsf_table(names) else "eventtime"
    kind = schema.field(name).type if name in names else None
    since = max(window.since, FIRST_TIME)
    until = min(window.until + SECOND_NS if window.until else END_TIME, END_TIME)
    times = since, until, FIRST_TIME, END_TIME
    if kind is not None and kinds.is_int64(kind):
        return _TimeBounds(name, *(each // _NS_PER_MS for each in times))
    if kind is not None and (kinds.is_string(kind) or kinds.is_large_string(kind)):
        # Without the Z, which sorts after the point of a fraction.
        form = "%Y-%m-%dT%H:%M:%S"
        at = (datetime.fromtimestamp(each // SECOND_NS, UTC) for each in times)
        return _TimeBounds(name, *(each.strftime(form) for each in at))
    return None
