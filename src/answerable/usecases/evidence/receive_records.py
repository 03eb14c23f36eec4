"""Store log records that a sender delivers over the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.connectors.formats.log_format import (
    LogFormat,
    ParsedRecord,
    RecordRefused,
    make_event_from_row,
    refuse_after_parser_error,
)
from answerable.connectors.log_reader import build_quarantined_record
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.store.collection_state import add_quarantined_records
from answerable.store.store import AppendResult, EvidenceStore

MAX_RECORD = 4 << 20  # bytes, as of a record in a file


@dataclass(frozen=True, slots=True)
class ReceivedRecords:
    """Parsed records of one delivery.

    Attributes:
        events: Their events.
        quarantined: Records that could not be parsed.
        rejected: Number of records without an event that are not of another kind.
        reason: Reason of the first rejection.
    """

    events: tuple[AuditEvent, ...]
    quarantined: tuple[QuarantinedRecord, ...]
    rejected: int
    reason: str


def parse_received_records(
    log: LogFormat, raws: Sequence[bytes], options: Mapping[str, str], place: str
) -> ReceivedRecords:
    """Parse the records of one delivery.

    Args:
        log: Format of the records.
        raws: The records.
        options: Options of the format, set by the receiver.
        place: Name of the sender as a source.
    """
    events: list[AuditEvent] = []
    quarantined: list[QuarantinedRecord] = []
    rejected, first = 0, ""
    for raw in raws:
        parsed = _parse_record(log, raw, options)
        for each in parsed if isinstance(parsed, list) else [parsed]:
            if isinstance(each, AuditEvent):
                events.append(each)
            elif not each.skipped:
                rejected += each.count
                first = first or each.reason
                record = build_quarantined_record(log, raw, each.reason, place, 0)
                quarantined.append(replace(record, count=each.count))
    return ReceivedRecords(tuple(events), tuple(quarantined), rejected, first)


def _parse_record(
    log: LogFormat, raw: bytes, options: Mapping[str, str]
) -> ParsedRecord | list[ParsedRecord]:
    """Parse one record; refuse one that is too large or that its parser fails on."""
    if len(raw) > MAX_RECORD and not log.is_content:
        return RecordRefused(f"larger than {MAX_RECORD} bytes")
    try:
        return log.parse(raw, options, make_event_from_row)
    except Exception as error:  # noqa: BLE001 - the sender would repeat it for ever
        return refuse_after_parser_error(error)


def store_received_records(
    store: EvidenceStore, deliveries: Sequence[ReceivedRecords], now: int
) -> AppendResult:
    """Store the records of deliveries; they are durable when this returns.

    Unreadable records are counted first: the sender does not repeat them, even if this
    process is killed now.

    Raises:
        EnvironmentFailure: The disk failed; the deliveries may be repeated.
    """
    events = [event for each in deliveries for event in each.events]
    appended = store.append(events, now)
    aside: dict[str, list[QuarantinedRecord]] = {}
    for record in (record for each in deliveries for record in each.quarantined):
        aside.setdefault(record.place, []).append(record)
    for place, records in aside.items():
        add_quarantined_records(
            store.layout,
            place,
            now,
            sum(each.count for each in records),
            store.count_new_quarantined_records(records),
        )
        store.quarantine(records, now)
    return appended
