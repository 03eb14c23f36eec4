"""Lines of one recorder: sequence and hash chain checks, decisions joined with ends."""

from collections.abc import Iterator

import msgspec

from answerable.connectors.gateway.parse.call_events import (
    Told,
    event_of,
    is_own,
    kill_of,
    refusals_of,
)
from answerable.connectors.gateway.parse.exchange_events import (
    exchange_of,
    is_own_exchange,
)
from answerable.connectors.gateway.parse.sign_in_events import visit_of
from answerable.evidence.spool_format import chain_start, follows, read_line
from answerable.model.errors import ParseError
from answerable.model.event import AuditEvent
from answerable.model.spool_record import (
    Closed,
    Decided,
    Ended,
    Exchanged,
    Kill,
    Opened,
    Record,
    Refusals,
    Visited,
)


class Progress(msgspec.Struct):
    """Reading progress of a recorder, stored in `shipped.json`.

    Attributes:
        file: Number of the file that is read next.
        offset: Byte offset in it.
        next: Sequence number that comes next.
        chain: Chain hash before it, hex; empty after an unreadable line.
        waiting: Chained bytes of decisions without an end, by number. They are kept
            here, so that one long call does not keep its file.
        previous: Preceding recorder.
        recorded: Number of its records.
    """

    file: int = 1
    offset: int = 0
    next: int = 1
    chain: str = ""
    waiting: dict[int, str] = {}
    previous: str = ""
    recorded: int = 0


class Lines:
    """Parser of one recorder's lines.

    Args:
        name: The recorder's name.
        progress: Start position; updated while reading, except `waiting` (`keep`).

    Attributes:
        problems: Missing or invalid records, one line each.
        starts: Number of recorder starts and ends.
    """

    def __init__(self, name: str, progress: Progress) -> None:
        self.problems: list[str] = []
        self.starts = 0
        self._name, self._progress = name, progress
        if progress.next == 1:
            progress.chain = chain_start(name).hex()
        self._waiting = {
            number: self._kept(raw.encode()) for number, raw in progress.waiting.items()
        }

    def take(self, line: bytes) -> AuditEvent | None:
        """Parse one line.

        Args:
            line: Line with its end.

        Returns:
            The event that it completes, if any.

        Raises:
            ParseError: It is not a record, or the end of an unknown decision.
        """
        try:
            record, raw, chain = read_line(line)
        except ParseError:
            self._progress.chain = ""  # unknown: the next line cannot be held to it
            raise
        if not self._is_next(record, raw, chain):
            return None
        return self._event(record, raw)

    def left(self) -> Iterator[AuditEvent]:
        """Yield decisions that will never get an end: their outcome is unknown."""
        for number in sorted(self._waiting):
            yield event_of(self._name, self._waiting[number], None, b"")
        self._waiting.clear()

    def keep(self) -> None:
        """Save decisions without an end in the progress."""
        self._progress.waiting = {
            number: told.raw.decode() for number, told in self._waiting.items()
        }

    def _is_next(self, record: Record, raw: bytes, chain: bytes) -> bool:
        """Tell whether a record is new, and report sequence or chain faults."""
        progress, number = self._progress, record.sequence
        if number < progress.next:
            # Written anew after an error of the disk: the last of them leads on.
            leads_on = number == progress.next - 1
            if leads_on and progress.chain and progress.chain != chain.hex():
                self._does_not_hold(number)
            return False
        if number > progress.next:
            last = number - 1
            span = f"{progress.next}-{last}" if last > progress.next else f"{last}"
            what = "records" if last > progress.next else "record"
            self.problems.append(f"gateway {self._name}: {what} {span} missing")
        elif progress.chain and not follows(raw, chain, bytes.fromhex(progress.chain)):
            self._does_not_hold(number)
        progress.next, progress.chain = number + 1, chain.hex()
        return True

    def _does_not_hold(self, number: int) -> None:
        self.problems.append(f"gateway {self._name}: record {number} does not hold")

    def _event(self, record: Record, raw: bytes) -> AuditEvent | None:
        match record:
            case Decided():
                return self._decided(record, raw)
            case Ended():
                return self._ended(record, raw)
            case Refusals():
                return refusals_of(self._name, record, raw)
            case Kill():
                return kill_of(self._name, record, raw)
            case Exchanged():
                return self._exchanged(record, raw)
            case Visited():
                return visit_of(self._name, record, raw)
            case Opened():
                self._progress.previous = record.previous
                self._progress.recorded = record.recorded
                self.starts += 1
            case Closed():
                self.starts += 1
        return None

    def _decided(self, record: Decided, raw: bytes) -> AuditEvent | None:
        if not is_own(self._name, record):
            raise ParseError("the decision has the id of another record")
        if not record.decision.passes:
            return event_of(self._name, Told(record, raw), None, b"")
        self._waiting[record.sequence] = Told(record, raw)
        return None

    def _exchanged(self, record: Exchanged, raw: bytes) -> AuditEvent:
        if not is_own_exchange(self._name, record):
            raise ParseError("the exchange has the id of another record")
        return exchange_of(self._name, record, raw)

    def _ended(self, record: Ended, raw: bytes) -> AuditEvent:
        told = self._waiting.pop(record.decided, None)
        if told is None:
            raise ParseError("the end of a decision that is not there")
        return event_of(self._name, told, record, raw)

    def _kept(self, raw: bytes) -> Told:
        record = msgspec.json.decode(raw, type=Decided)
        return Told(record, raw)
