"""Compute the ids of recorded events, as the recorders assign them."""

from answerable.model.ids import EventId, build_event_id
from answerable.model.log_sources import get_log_source_of_recorder
from answerable.model.spool_record import (
    DecisionRecord,
    ExchangeRecord,
    RefusalCountRecord,
    RevocationApplied,
)


def recorded_event_id(
    recorder: str,
    record: DecisionRecord | ExchangeRecord | RefusalCountRecord | RevocationApplied,
) -> EventId:
    """Derive an audit event's id from its recorder and record number."""
    return build_event_id(
        record.at,
        get_log_source_of_recorder(recorder),
        recorder,
        b"%d" % record.sequence,
    )
