"""Parse a recorder's lines: check sequence and hash chain, join calls with ends."""

from collections.abc import Iterator

import msgspec

from answerable.connectors.gateway.parse.call_events import (
    RawRecord,
    build_call_event,
    build_refusals_event,
    build_revocation_event,
    has_matching_id,
)
from answerable.connectors.gateway.parse.exchange_events import (
    build_exchange_event,
    has_matching_exchange_id,
)
from answerable.connectors.gateway.parse.sign_in_events import build_sign_in_event
from answerable.evidence.spool_format import (
    initial_chain_hash,
    parse_spool_line,
    verify_chain_hash,
)
from answerable.model.errors import ParseError
from answerable.model.event import AuditEvent
from answerable.model.spool_record import (
    CallEndRecord,
    DecisionRecord,
    ExchangeRecord,
    RecorderClosed,
    RecorderOpened,
    RefusalCountRecord,
    RevocationApplied,
    SignInRecord,
    SpoolRecord,
)


class ReadProgress(msgspec.Struct):
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


class RecorderLines:
    """Parser of one recorder's lines.

    Args:
        name: The recorder's name.
        progress: Start position; updated while reading, except `waiting` (`save_unfinished_calls`).

    Attributes:
        problems: Missing or invalid records, one line each.
        starts: Number of recorder starts and ends.
    """

    def __init__(self, name: str, progress: ReadProgress) -> None:
        self.problems: list[str] = []
        self.starts = 0
        self._name, self._progress = name, progress
        if progress.next == 1:
            progress.chain = initial_chain_hash(name).hex()
        self._waiting = {
            number: self._decode_saved_decision(raw.encode())
            for number, raw in progress.waiting.items()
        }

    def parse_line_to_event(self, line: bytes) -> AuditEvent | None:
        """Parse one line of an audit spool; return the event it completes.

        Args:
            line: Line with its end.

        Returns:
            The event that it completes, if any.

        Raises:
            ParseError: It is not a record, or the end of an unknown decision.
        """
        try:
            record, raw, chain = parse_spool_line(line)
        except ParseError:
            self._progress.chain = ""  # unknown: the next line cannot be held to it
            raise
        if not self._check_sequence(record, raw, chain):
            return None
        return self._event_of_record(record, raw)

    def unfinished_calls(self) -> Iterator[AuditEvent]:
        """Yield decisions that will never get an end: their outcome is unknown."""
        for number in sorted(self._waiting):
            yield build_call_event(self._name, self._waiting[number], None, b"")
        self._waiting.clear()

    def save_unfinished_calls(self) -> None:
        """Save the decisions without an end in the read progress."""
        self._progress.waiting = {
            number: told.raw.decode() for number, told in self._waiting.items()
        }

    def _check_sequence(self, record: SpoolRecord, raw: bytes, chain: bytes) -> bool:
        """Return whether a record is new, and report sequence or chain faults."""
        progress, number = self._progress, record.sequence
        if number < progress.next:
            # Written again after a disk error: the last copy continues the chain.
            leads_on = number == progress.next - 1
            if leads_on and progress.chain and progress.chain != chain.hex():
                self._report_broken_record(number)
            return False
        if number > progress.next:
            last = number - 1
            span = f"{progress.next}-{last}" if last > progress.next else f"{last}"
            what = "records" if last > progress.next else "record"
            self.problems.append(f"gateway {self._name}: {what} {span} missing")
        elif progress.chain and not verify_chain_hash(
            raw, chain, bytes.fromhex(progress.chain)
        ):
            self._report_broken_record(number)
        progress.next, progress.chain = number + 1, chain.hex()
        return True

    def _report_broken_record(self, number: int) -> None:
        """Add a problem for a record that breaks the hash chain."""
        self.problems.append(f"gateway {self._name}: record {number} is invalid")

    def _event_of_record(self, record: SpoolRecord, raw: bytes) -> AuditEvent | None:
        """Build the event of a record; None if it has none yet."""
        match record:
            case DecisionRecord():
                return self._handle_decision(record, raw)
            case CallEndRecord():
                return self._handle_end(record, raw)
            case RefusalCountRecord():
                return build_refusals_event(self._name, record, raw)
            case RevocationApplied():
                return build_revocation_event(self._name, record, raw)
            case ExchangeRecord():
                return self._handle_exchange(record, raw)
            case SignInRecord():
                return build_sign_in_event(self._name, record, raw)
            case RecorderOpened():
                self._progress.previous = record.previous
                self._progress.recorded = record.recorded
                self.starts += 1
            case RecorderClosed():
                self.starts += 1
        return None

    def _handle_decision(self, record: DecisionRecord, raw: bytes) -> AuditEvent | None:
        """Return a refusal's event; a passed call waits for its end."""
        if not has_matching_id(self._name, record):
            raise ParseError("another record has the same decision id")
        if not record.decision.passes:
            return build_call_event(self._name, RawRecord(record, raw), None, b"")
        self._waiting[record.sequence] = RawRecord(record, raw)
        return None

    def _handle_exchange(self, record: ExchangeRecord, raw: bytes) -> AuditEvent:
        """Build the event of a token exchange, after checking its id."""
        if not has_matching_exchange_id(self._name, record):
            raise ParseError("another record has the same exchange id")
        return build_exchange_event(self._name, record, raw)

    def _handle_end(self, record: CallEndRecord, raw: bytes) -> AuditEvent:
        """Build the event of the decision that this end completes."""
        told = self._waiting.pop(record.decided, None)
        if told is None:
            raise ParseError("the decision of this outcome is missing")
        return build_call_event(self._name, told, record, raw)

    def _decode_saved_decision(self, raw: bytes) -> RawRecord:
        """Decode a decision that an earlier read saved because it had no end yet."""
        record = msgspec.json.decode(raw, type=DecisionRecord)
        return RawRecord(record, raw)
