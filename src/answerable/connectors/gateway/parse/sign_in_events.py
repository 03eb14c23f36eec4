"""Build audit events of sign-ins, refused sign-ins and sign-outs at the web page.

As with decisions, the event is a function of the record's bytes alone.
"""

import hashlib

from answerable.connectors.gateway.declaration import DECLARATION
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import build_event_id
from answerable.model.log_sources import get_log_source_of_recorder
from answerable.model.spool_record import SignInRecord


def build_sign_in_event(recorder: str, record: SignInRecord, raw: bytes) -> AuditEvent:
    """Build the event of a sign-in, a refused sign-in or a sign-out."""
    source = get_log_source_of_recorder(recorder)
    told = {"by": record.by, "refused": record.why, "roles": " ".join(record.roles)}
    return AuditEvent(
        event_id=build_event_id(record.at, source, recorder, b"%d" % record.sequence),
        event_time=record.at,
        source=source,
        scope=recorder,
        written_by=DECLARATION.written_by,
        raw_sha256=hashlib.sha256(raw).digest(),
        action=f"web:{record.what}",
        outcome=EventOutcome.DENIED if record.why else EventOutcome.SUCCESS,
        native_id=str(record.sequence),
        person=record.person,
        facts=tuple(sorted(pair for pair in told.items() if pair[1])),
        recorder=recorder,
        sequence=record.sequence,
    )
