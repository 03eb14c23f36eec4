"""Compute the ids of recorded events, as the recorders assign them."""

from answerable.model.event_sources import source_of_recorder
from answerable.model.ids import EventId, event_id
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
    """Compute the event id of a numbered record."""
    return event_id(
        record.at, source_of_recorder(recorder), recorder, b"%d" % record.sequence
    )
