"""Read CloudTrail records from files, folders or standard input, in batches."""

from collections.abc import Iterator
from dataclasses import replace

from answerable.connectors.cloudtrail.declaration import DECLARATION
from answerable.connectors.cloudtrail.log_files import (
    FoundLogFiles,
    LogFileStream,
    LogUnreadableError,
    find_log_files,
)
from answerable.connectors.cloudtrail.parse.record_splitter import (
    MAX_REFUSED,
    RecordPiece,
    RecordSplitter,
)
from answerable.connectors.cloudtrail.parse.records import (
    EventFactory,
    RecordRefused,
    make_event_from_row,
    parse_record,
)
from answerable.connectors.cloudtrail.parse.redaction import redact_secrets
from answerable.connectors.cloudtrail.parser_process import read_in_subprocess
from answerable.model.connector import EventBatch, EventContext
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.model.sighting import ReadProblem, ReadProblemKind

# From this size on disk, parsing in a second process is worth its start.
SUBPROCESS_BYTES = 16 << 20
# A batch also ends at this many bytes of records, and a refused record is kept up to
# the largest size that CloudTrail delivers.
_BATCH_BYTES = 16 << 20
_MAX_QUARANTINED_BYTES = 256 << 10


def read(location: str, context: EventContext) -> Iterator[EventBatch]:
    """Yield the records of a location; folders recursively, files in sorted order.

    A large input is parsed in a child process, so that parsing and storing overlap; the
    batches are the same.

    Args:
        location: File, folder, or `-` for standard input.
        context: Context with limits and files to skip.

    Raises:
        UsageError: The location does not exist or holds no such file.
        EnvironmentFailure: The location is not readable.
    """
    found = find_log_files(location, context.skip)
    if found.total >= SUBPROCESS_BYTES:
        return read_in_subprocess(location, context)
    return read_without_subprocess(found, context)


def read_without_subprocess(
    log_files: FoundLogFiles,
    context: EventContext,
    event_factory: EventFactory = make_event_from_row,
) -> Iterator[EventBatch]:
    """Yield the records of log files, parsed in this process instead of a child.

    Args:
        log_files: Files.
        context: Context with limits.
        event_factory: Factory of events from their fields.
    """
    done = 0
    if log_files.problems or log_files.skipped:
        yield EventBatch(
            place="",
            events=(),
            quarantined=(),
            done_bytes=0,
            total_bytes=log_files.total,
            problems=log_files.problems,
            skipped=log_files.skipped,
        )
    for place in log_files.files:
        reader = _LogFileReader(place, context, event_factory)
        for batch in reader.read_batches():
            yield replace(
                batch, done_bytes=done + batch.done_bytes, total_bytes=log_files.total
            )
        done += reader.source.packed


class _LogFileReader:
    """Reader of one log file into batches."""

    def __init__(
        self, place: str, context: EventContext, event_factory: EventFactory
    ) -> None:
        self._place = place
        self._make = event_factory
        self._limits = context.limits
        self.source = LogFileStream(place)
        self._events: list[AuditEvent] = []
        self._quarantined: list[QuarantinedRecord] = []
        self._skipped: list[str] = []
        self._refused = self._passed_over = 0
        self._seen = 0
        self._bytes = 0
        self._first = ""

    def read_batches(self) -> Iterator[EventBatch]:
        """Yield the file's batches; the last one lists the problems."""
        splitter = RecordSplitter(self._limits)
        broken = ""
        try:
            for chunk in self.source.iter_chunks():
                yield from self._parse_record_pieces(splitter.split_chunk(chunk))
                if splitter.is_stopped or self._is_not_a_log:
                    break
        except LogUnreadableError as refusal:
            broken = str(refusal)
        if self._is_not_a_log:
            broken = (
                f"{self._unparsed_record_count} of {self._seen} records are invalid: "
                "the rest is not read"
            )
        yield from self._parse_record_pieces(splitter.close())
        yield self._make_batch(
            self._list_problems(broken or splitter.problem, bool(broken))
        )

    @property
    def _unparsed_record_count(self) -> int:
        """Number of records that were refused or skipped."""
        return self._refused + self._passed_over

    @property
    def _is_not_a_log(self) -> bool:
        """Tell whether most of the file is not records, so that the rest is skipped."""
        return (
            self._unparsed_record_count >= MAX_REFUSED
            and 2 * self._unparsed_record_count > self._seen
        )

    def _parse_record_pieces(self, pieces: list[RecordPiece]) -> Iterator[EventBatch]:
        """Parse split records into events; yield a batch when it is full."""
        most, written_by = self._limits.batch, DECLARATION.written_by
        for piece in pieces:
            if self._is_not_a_log:
                return
            self._seen += 1
            self._bytes += len(piece.raw)
            if piece.refusal_reason:
                self._quarantine_record(piece, piece.refusal_reason)
                continue
            read = parse_record(piece.raw, written_by, self._make)
            if not isinstance(read, RecordRefused):
                self._events.append(read)
            elif read.skipped:
                self._skipped.append(read.reason)
                self._passed_over += 1
            else:
                self._quarantine_record(piece, read.reason)
            held = len(self._events) + len(self._quarantined) + len(self._skipped)
            if held >= most or self._bytes >= _BATCH_BYTES:
                yield self._make_batch(())

    def _quarantine_record(self, piece: RecordPiece, reason: str) -> None:
        """Quarantine a record that could not be parsed, with the reason."""
        self._refused += 1
        self._first = self._first or f"{reason} (offset {piece.offset})"
        raw = redact_secrets(piece.raw[:_MAX_QUARANTINED_BYTES])
        self._quarantined.append(
            QuarantinedRecord(self._place, piece.offset, reason, raw)
        )

    def _make_batch(self, problems: tuple[ReadProblem, ...]) -> EventBatch:
        """Build a batch of the collected records, and start a new one."""
        batch = EventBatch(
            place=self._place,
            events=tuple(self._events),
            quarantined=tuple(self._quarantined),
            done_bytes=self.source.packed,
            total_bytes=0,
            problems=problems,
            skipped=tuple(self._skipped),
        )
        self._events, self._quarantined, self._skipped = [], [], []
        self._bytes = 0
        return batch

    def _list_problems(
        self, reason: str, is_unreadable: bool
    ) -> tuple[ReadProblem, ...]:
        """List the problem of the file: why reading ended, or unread records."""
        kind = ReadProblemKind.UNREADABLE if is_unreadable else ReadProblemKind.INVALID
        if reason:
            kept = f"; {self._seen - self._refused} records read" if self._seen else ""
            return (ReadProblem(kind, self._place, reason + kept),)
        if self._refused:
            what = f"{self._refused} of {self._seen} records not read: {self._first}"
            return (ReadProblem(ReadProblemKind.INVALID, self._place, what),)
        return ()
