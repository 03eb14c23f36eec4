"""Read the records of log files into batches of audit events, for any log format."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import msgspec

from answerable.connectors.encoded_batches import (
    ROWS_AT_ONCE,
    encode_batches,
    keep_row,
)
from answerable.connectors.formats.json_records.record_blocks import RecordPiece
from answerable.connectors.formats.json_records.record_lists import RecordLists
from answerable.connectors.formats.json_records.record_splitter import (
    MAX_REFUSED,
    RecordSplitter,
)
from answerable.connectors.formats.json_records.redaction import redact_secrets
from answerable.connectors.formats.log_format import (
    EventFactory,
    LogFormat,
    LogOptions,
    ParsedRecord,
    RecordRefused,
    make_event_from_row,
    refuse_after_parser_error,
)
from answerable.connectors.log_files import (
    FoundLogFiles,
    LogFileStream,
    LogUnreadableError,
    find_log_files,
    split_log_location,
)
from answerable.connectors.log_positions import FileRead, plan_file_reads
from answerable.model.connector import EventBatch, EventContext
from answerable.model.coverage import ReadProblem, ReadProblemKind
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.model.log_position import FilePosition, LogCursor

# From this size on disk, parsing in a second process is worth its start.
SUBPROCESS_BYTES = 16 << 20
# A batch also ends at this many bytes of records, and a refused record is kept up to
# the largest size that CloudTrail delivers.
_BATCH_BYTES = 16 << 20
_MAX_QUARANTINED_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """Log files of a location, with their format and options."""

    format: LogFormat
    files: FoundLogFiles
    options: LogOptions


def open_log(
    log: LogFormat, location: str, cursor: LogCursor | None = None
) -> OpenedLog:
    """Find the files of a location, and check its options.

    Raises:
        UsageError: The location does not exist, holds no such file, or lacks an option.
        EnvironmentFailure: The location is not readable.
    """
    path, options = split_log_location(location, log.declaration.location_options)
    log.check_options(options)
    inodes = {each.inode for each in (cursor or {}).values()}
    return OpenedLog(log, find_log_files(path, log, inodes), options)


def read_log(
    log: LogFormat, location: str, context: EventContext
) -> Iterator[EventBatch]:
    """Yield the records of a location; folders recursively, files in sorted order.

    A large input is parsed in a child process, so that parsing and storing overlap; the
    batches are the same.

    Args:
        log: Format of the log.
        location: File, folder, or `-` for standard input, with the format's options.
        context: Context with limits, and positions of an earlier run.

    Raises:
        UsageError: The location does not exist, holds no such file, or lacks an option.
        EnvironmentFailure: The location is not readable.
    """
    opened = open_log(log, location, context.cursor)
    if opened.files.total >= SUBPROCESS_BYTES:
        from answerable.connectors.log_parser_process import read_in_subprocess

        return read_in_subprocess(log.module, location, context)
    if context.ingest_time:
        return read_encoded(opened, context)
    return read_without_subprocess(opened, context)


def read_encoded(log: OpenedLog, context: EventContext) -> Iterator[EventBatch]:
    """Yield the records of log files in their stored encoding, parsed in this process.

    Args:
        log: Files with their format.
        context: Context with limits and an ingest time.
    """
    most = context.limits.batch
    limits = replace(context.limits, batch=min(most, ROWS_AT_ONCE))
    rows = read_without_subprocess(log, replace(context, limits=limits), keep_row)
    return encode_batches(rows, context.ingest_time, most)


def read_without_subprocess(
    log: OpenedLog,
    context: EventContext,
    event_factory: EventFactory = make_event_from_row,
) -> Iterator[EventBatch]:
    """Yield the records of log files, parsed in this process instead of a child.

    Args:
        log: Files with their format.
        context: Context with limits.
        event_factory: Factory of events from their fields.
    """
    done, found = 0, log.files
    unchanged: dict[str, FilePosition] = {}
    reads = [FileRead(path) for path in found.files]
    if context.cursor is not None:
        plan = list(plan_file_reads(found.files, context.cursor, context.now))
        unchanged = {p.path: p.after for p in plan if p.is_unchanged and p.after}
        reads = [each for each in plan if not each.is_unchanged]
    problems = (*found.problems, *_list_known_problems(unchanged))
    if problems or found.skipped or unchanged:
        yield EventBatch(
            place="",
            events=(),
            quarantined=(),
            done_bytes=0,
            total_bytes=found.total,
            problems=problems,
            skipped=found.skipped,
            positions=unchanged,
        )
    for part in reads:
        reader = _LogFileReader(part, log, context, event_factory)
        for batch in reader.read_batches():
            yield replace(
                batch, done_bytes=done + batch.done_bytes, total_bytes=found.total
            )
        done += reader.source.packed


def _list_known_problems(positions: LogCursor) -> Iterator[ReadProblem]:
    """Yield the problems of unchanged files, which last until a file is replaced."""
    for path, position in positions.items():
        if position.problem:
            yield ReadProblem(ReadProblemKind.INVALID, path, position.problem)
        if position.has_open_line:
            what = f"the last line of the file is incomplete (offset {position.offset})"
            yield ReadProblem(ReadProblemKind.INVALID, path, what)


def read_downloaded_file(
    log: LogFormat, path: str, place: str, context: EventContext
) -> Iterator[EventBatch]:
    """Yield the records of a file that was downloaded from another place.

    Args:
        log: Its format.
        path: The file.
        place: Its name in evidence.
        context: Context with limits.
    """
    opened = OpenedLog(log, FoundLogFiles((path,), 0, (), ()), {})
    part = FileRead(path, place=place)
    return _LogFileReader(part, opened, context, make_event_from_row).read_batches()


def build_quarantined_record(
    log: LogFormat, raw: bytes, reason: str, place: str, offset: int
) -> QuarantinedRecord:
    """Build the quarantined form of a record, without content and secrets.

    Args:
        raw: The record.
        place: File or sender.
        offset: Offset in the file, 0 for a sender.
    """
    if log.is_content:
        kept = b"sha256:" + hashlib.sha256(raw).hexdigest().encode()
        return QuarantinedRecord(place, offset, reason, kept)
    found = [raw.find(member) for member in log.content_members]
    end = min((at for at in found if at >= 0), default=_MAX_QUARANTINED_BYTES)
    kept = redact_secrets(raw[: min(end, _MAX_QUARANTINED_BYTES)])
    return QuarantinedRecord(place, offset, reason, kept)


class _LogFileReader:
    """Reader of one log file into batches."""

    def __init__(
        self,
        part: FileRead,
        log: OpenedLog,
        context: EventContext,
        event_factory: EventFactory,
    ) -> None:
        self._place, self._part = part.place or part.path, part
        self._log = log
        self._make = event_factory
        self._limits = context.limits
        self.source = LogFileStream(part.path, part.start, part.end)
        self._events: list[AuditEvent] = []
        self._quarantined: list[QuarantinedRecord] = []
        self._skipped: list[str] = []
        self._refused = self._passed_over = 0
        self._seen = 0
        self._bytes = 0
        self._first = ""

    def read_batches(self) -> Iterator[EventBatch]:
        """Yield the file's batches; the last one lists the problems."""
        lists = RecordLists(self._log.format.lists)
        splitter = RecordSplitter(self._limits, lists, self._part.start)
        broken, position = "", self._part.after
        try:
            for chunk in self.source.iter_chunks():
                yield from self._parse_record_pieces(splitter.split_chunk(chunk))
                if splitter.is_stopped or self._is_not_a_log:
                    break
        except LogUnreadableError as refusal:
            broken, position = str(refusal), self._part.before
        if self._is_not_a_log:
            broken = (
                f"{self._unparsed_record_count} of {self._seen} records are invalid: "
                "the rest is not read"
            )
        yield from self._parse_record_pieces(splitter.close())
        problems = self._list_problems(broken or splitter.problem, bool(broken))
        positions = {}
        if position is not None:
            earlier = tuple(_list_known_problems({self._place: position}))
            if problems and not position.problem:
                position = msgspec.structs.replace(position, problem=problems[0].what)
            problems, positions = problems + earlier, {self._place: position}
        yield replace(self._make_batch(problems), positions=positions)

    @property
    def _unparsed_record_count(self) -> int:
        """Number of records that were refused or skipped."""
        return self._refused + self._passed_over

    @property
    def _is_not_a_log(self) -> bool:
        """Return whether most of the file is not records, so that the rest is skipped."""
        return (
            self._unparsed_record_count >= MAX_REFUSED
            and 2 * self._unparsed_record_count > self._seen
        )

    def _parse_record_pieces(self, pieces: list[RecordPiece]) -> Iterator[EventBatch]:
        """Parse split records into events; yield a batch when it is full."""
        most = self._limits.batch
        start = 0
        while start < len(pieces):
            held = len(self._events) + len(self._quarantined) + len(self._skipped)
            part = pieces[start : start + max(most - held, 1)]
            start += len(part)
            if not self._parse_block(part):
                for piece in part:
                    if self._is_not_a_log:
                        return
                    self._parse_piece(piece)
                    if self._bytes >= _BATCH_BYTES:
                        yield self._make_batch(())
            held = len(self._events) + len(self._quarantined) + len(self._skipped)
            if held >= most or self._bytes >= _BATCH_BYTES:
                yield self._make_batch(())

    def _parse_block(self, pieces: Sequence[RecordPiece]) -> bool:
        """Parse records together; False if they must be parsed one at a time."""
        _, raws, reasons = zip(*pieces, strict=True)
        size = self._bytes + sum(map(len, raws))
        if (
            any(reasons)
            or size >= _BATCH_BYTES
            or self._unparsed_record_count + len(pieces) >= MAX_REFUSED
        ):
            return False
        log = self._log
        try:
            found = log.format.parse_records(raws, log.options, self._make)
        except Exception as error:  # noqa: BLE001 - one record stops no log
            refuse_after_parser_error(error)
            return False
        self._seen += len(raws)
        self._bytes = size
        if not {RecordRefused, list} & set(map(type, found)):
            self._events += cast("list[AuditEvent]", found)
            return True
        for piece, read in zip(pieces, found, strict=True):
            self._add_parsed_record(piece, read)
        return True

    def _parse_piece(self, piece: RecordPiece) -> None:
        """Parse one record."""
        self._seen += 1
        self._bytes += len(piece.raw)
        if piece.refusal_reason:
            self._quarantine_record(piece, piece.refusal_reason)
            return
        log = self._log
        try:
            read = log.format.parse(piece.raw, log.options, self._make)
        except Exception as error:  # noqa: BLE001 - one record stops no log
            read = refuse_after_parser_error(error)
        self._add_parsed_record(piece, read)

    def _add_parsed_record(
        self, piece: RecordPiece, read: ParsedRecord | list[ParsedRecord]
    ) -> None:
        """Add what a record gives: an event, several, or a refusal."""
        if isinstance(read, RecordRefused):
            self._refuse_record(piece, read)
        elif isinstance(read, list):
            self._add_parsed_records(piece, read)
        else:
            self._events.append(read)

    def _add_parsed_records(
        self, piece: RecordPiece, parsed: list[ParsedRecord]
    ) -> None:
        """Add the events and refusals of a record that gives several."""
        count = 0
        for each in parsed:
            if not isinstance(each, RecordRefused):
                self._events.append(each)
                count += 1
            elif each.skipped:  # the rest of the record is read: it is a log
                self._skipped += [each.reason] * each.count
            else:
                self._refuse_record(piece, each)
                count += each.count
        self._seen += max(count, 1) - 1

    def _refuse_record(self, piece: RecordPiece, refused: RecordRefused) -> None:
        """Count a record of another kind, or quarantine an unreadable one."""
        if refused.skipped:
            self._skipped.append(refused.reason)
            self._passed_over += 1
        else:
            self._quarantine_record(piece, refused.reason, refused.count)

    def _quarantine_record(
        self, piece: RecordPiece, reason: str, count: int = 1
    ) -> None:
        """Quarantine a record of which all or some could not be parsed."""
        self._refused += count
        self._first = self._first or f"{reason} (offset {piece.offset})"
        record = build_quarantined_record(
            self._log.format, piece.raw, reason, self._place, piece.offset
        )
        self._quarantined.append(replace(record, count=count))

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
        """List the problem of the file: why reading ended, or unreadable records."""
        kind = ReadProblemKind.UNREADABLE if is_unreadable else ReadProblemKind.INVALID
        if reason:
            kept = f"; {self._seen - self._refused} records read" if self._seen else ""
            return (ReadProblem(kind, self._place, reason + kept),)
        if self._refused:
            what = (
                f"{self._refused} of {self._seen} records could not be read: "
                f"{self._first}"
            )
            return (ReadProblem(ReadProblemKind.INVALID, self._place, what),)
        return ()
