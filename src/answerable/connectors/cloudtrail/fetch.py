"""Fetch of CloudTrail records from files, folders and standard input, in batches."""

from collections.abc import Iterator

from answerable.connectors.cloudtrail.declaration import SPEC
from answerable.connectors.cloudtrail.log_files import (
    Found,
    Source,
    UnreadableError,
    find,
)
from answerable.connectors.cloudtrail.parse.record_splitter import (
    MOST_REFUSED,
    Piece,
    Splitter,
)
from answerable.connectors.cloudtrail.parse.records import Make, Refused, read_record
from answerable.connectors.cloudtrail.parse.redaction import redacted
from answerable.connectors.cloudtrail.parser_process import read_apart
from answerable.model.connector import EventBatch, EventContext
from answerable.model.event import AuditEvent, Quarantined
from answerable.model.sighting import Problem, ProblemKind

# From this size on disk, parsing in a second process is worth its start.
APART = 16 << 20
# A batch also ends at this many bytes of records, and a refused record is kept up to
# the largest size that CloudTrail delivers.
_BATCH_BYTES = 16 << 20
_KEPT = 256 << 10


def read(location: str, context: EventContext) -> Iterator[EventBatch]:
    """Yield the records of a location; folders recursively, files in sorted order.

    A large input is parsed in a child process, so that parsing and storing overlap; the
    batches are the same.

    Args:
        location: File, folder, or `-` for standard input.
        context: Context with limits.

    Raises:
        UsageError: The location does not exist or holds no such file.
        EnvironmentRefused: The location is not readable.
    """
    found = find(location)
    if found.total >= APART:
        return read_apart(location, context)
    return read_here(found, context)


def read_here(
    found: Found, context: EventContext, make: Make = AuditEvent
) -> Iterator[EventBatch]:
    """Yield the records of the found files, in this process.

    Args:
        found: Files.
        context: Context with limits.
        make: Factory of events from their fields.
    """
    done = 0
    if found.problems or found.skipped:
        yield EventBatch("", (), (), 0, found.total, found.problems, found.skipped)
    for place in found.files:
        reader = _File(place, context, make)
        for batch in reader.batches():
            yield EventBatch(
                place,
                batch.events,
                batch.quarantined,
                done + batch.done_bytes,
                found.total,
                batch.problems,
                batch.skipped,
            )
        done += reader.source.packed


class _File:
    """Reader of one log file into batches."""

    def __init__(self, place: str, context: EventContext, make: Make) -> None:
        self._place = place
        self._make = make
        self._limits = context.limits
        self.source = Source(place)
        self._events: list[AuditEvent] = []
        self._quarantined: list[Quarantined] = []
        self._skipped: list[str] = []
        self._refused = self._passed_over = 0
        self._seen = 0
        self._bytes = 0
        self._first = ""

    def batches(self) -> Iterator[EventBatch]:
        """Yield the file's batches; the last one lists the problems."""
        splitter = Splitter(self._limits)
        broken = ""
        try:
            for chunk in self.source.chunks():
                yield from self._take(splitter.feed(chunk))
                if splitter.dead or self._is_no_log:
                    break
        except UnreadableError as refusal:
            broken = str(refusal)
        if self._is_no_log:
            broken = f"{self._useless} of {self._seen} records are none: the rest is not read"
        yield from self._take(splitter.close())
        yield self._batch(self._problems(broken or splitter.problem, bool(broken)))

    @property
    def _useless(self) -> int:
        return self._refused + self._passed_over

    @property
    def _is_no_log(self) -> bool:
        """Tell whether most of the file is not records, so that the rest is skipped."""
        return self._useless >= MOST_REFUSED and 2 * self._useless > self._seen

    def _take(self, pieces: list[Piece]) -> Iterator[EventBatch]:
        most, written_by = self._limits.batch, SPEC.written_by
        for piece in pieces:
            if self._is_no_log:
                return
            self._seen += 1
            self._bytes += len(piece.raw)
            if piece.why:
                self._refuse(piece, piece.why)
                continue
            read = read_record(piece.raw, written_by, self._make)
            if not isinstance(read, Refused):
                self._events.append(read)
            elif read.skipped:
                self._skipped.append(read.why)
                self._passed_over += 1
            else:
                self._refuse(piece, read.why)
            held = len(self._events) + len(self._quarantined) + len(self._skipped)
            if held >= most or self._bytes >= _BATCH_BYTES:
                yield self._batch(())

    def _refuse(self, piece: Piece, why: str) -> None:
        self._refused += 1
        self._first = self._first or f"{why} (offset {piece.offset})"
        raw = redacted(piece.raw[:_KEPT])
        self._quarantined.append(Quarantined(self._place, piece.offset, why, raw))

    def _batch(self, problems: tuple[Problem, ...]) -> EventBatch:
        batch = EventBatch(
            self._place,
            tuple(self._events),
            tuple(self._quarantined),
            self.source.packed,
            0,
            problems,
            tuple(self._skipped),
        )
        self._events, self._quarantined, self._skipped = [], [], []
        self._bytes = 0
        return batch

    def _problems(self, why: str, unreadable: bool) -> tuple[Problem, ...]:
        kind = ProblemKind.UNREADABLE if unreadable else ProblemKind.INVALID
        if why:
            kept = f"; {self._seen - self._refused} records read" if self._seen else ""
            return (Problem(kind, self._place, why + kept),)
        if self._refused:
            what = f"{self._refused} of {self._seen} records not read: {self._first}"
            return (Problem(ProblemKind.INVALID, self._place, what),)
        return ()
