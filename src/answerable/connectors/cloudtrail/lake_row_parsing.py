"""Parse the rows of a lake's table into events, and count what cannot be read."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from answerable.connectors.cloudtrail.lake_tables import LakeWindow
from answerable.connectors.cloudtrail.parse.lake_rows import (
    LakeRowError,
    Row,
    rebuild_cloudtrail_row,
    rebuild_ocsf_row,
)
from answerable.connectors.cloudtrail.parse.records import parse_record
from answerable.connectors.formats.log_format import RecordRefused
from answerable.model.event import AuditEvent
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.model.time_units import SECOND_NS

# What parsers raise for metadata and rows of other types than declared.
PARSE_ERRORS = (ValueError, TypeError, LookupError, AttributeError, EOFError)
# Another time has another unit than the table declares.
FIRST_TIME = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * SECOND_NS
END_TIME = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * SECOND_NS


@dataclass(frozen=True, slots=True)
class LakeBatch:
    """Events of some rows of a table.

    Attributes:
        place: Address of the table or file.
        table_format: `ocsf` or `cloudtrail`, empty for another table.
        events: The events.
        problems: Columns and rows that could not be read.
        skipped: A reason per row or table that has no API call of CloudTrail.
    """

    place: str
    table_format: str = ""
    events: tuple[AuditEvent, ...] = ()
    problems: tuple[ReadProblem, ...] = ()
    skipped: tuple[str, ...] = ()


class TableRowParser:
    """Parser of the rows of one table, with counts over all of its rows.

    Args:
        place: Address of the table or file.
        window: Time of the events.
        is_ocsf: Whether its columns are those of OCSF.
    """

    def __init__(self, place: str, window: LakeWindow, *, is_ocsf: bool) -> None:
        self._place, self._window = place, window
        self._format = "ocsf" if is_ocsf else "cloudtrail"
        self._rebuild = rebuild_ocsf_row if is_ocsf else rebuild_cloudtrail_row
        self._id_column = "metadata.uid" if is_ocsf else "eventid"
        self._rows = self._refused = self._without_id = 0
        self._reason = ""
        self._damaged: Counter[str] = Counter()  # rows by column

    def parse(self, rows: Sequence[Row]) -> LakeBatch:
        """Parse rows into events."""
        events: list[AuditEvent] = []
        skipped: list[str] = []
        for row in rows:
            read = self._parse_row(row)
            if isinstance(read, AuditEvent):
                if self._is_in_window(read):
                    events.append(read)
                    self._without_id += not read.native_id
            elif read.skipped:
                skipped.append(read.reason)
            else:
                self._refused += 1
                self._reason = self._reason or read.reason
        self._rows += len(rows)
        return LakeBatch(
            self._place, self._format, tuple(events), skipped=tuple(skipped)
        )

    def list_problems(self) -> tuple[ReadProblem, ...]:
        """List what could not be read of the rows so far, a line per column."""
        return tuple(
            ReadProblem(ReadProblemKind.INVALID, self._place, what)
            for what in self._describe_problems()
        )

    def _parse_row(self, row: Row) -> AuditEvent | RecordRefused:
        """Parse one row."""
        damaged: list[str] = []
        try:
            raw = self._rebuild(row, damaged)
        except LakeRowError as error:
            return RecordRefused(str(error))
        except PARSE_ERRORS:
            return RecordRefused("a column has another type than expected")
        if raw is None:
            return RecordRefused("the row is of another product", skipped=True)
        read = parse_record(raw, {})
        if not isinstance(read, AuditEvent):
            return read
        if not FIRST_TIME <= read.event_time < END_TIME:
            return RecordRefused("its time is not between 2000 and 2100: another unit?")
        self._damaged.update(damaged)
        return read

    def _describe_problems(self) -> Iterable[str]:
        """Describe each problem in a line."""
        if self._refused:
            yield f"{self._refused} of {self._rows} rows could not be read: {self._reason}"
        for column, count in sorted(self._damaged.items()):
            yield (
                f"column {column}: damaged JSON in {count} of {self._rows} rows; "
                "resources and issued credentials may be missing"
            )
        if self._without_id:
            yield (
                f"column {self._id_column}: empty in {self._without_id} of "
                f"{self._rows} rows; they cannot be compared with other records"
            )

    def _is_in_window(self, event: AuditEvent) -> bool:
        """Return whether an event is of the window."""
        since, until = self._window.since, self._window.until
        return event.event_time >= since and (not until or event.event_time < until)
