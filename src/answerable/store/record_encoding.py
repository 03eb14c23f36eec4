"""Encode new events as canonical records with ingest time and salt."""

import dataclasses

from answerable.evidence.canonical_event import encode_stored_event
from answerable.evidence.journal_format import MAX_RECORD_SIZE
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent


def encode_canonical_record(event: AuditEvent, now: int, salt: bytes) -> bytes:
    """Encode an event as a canonical record, with its ingest time and salt.

    Raises:
        UsageError: It cannot be encoded (an integer beyond 64 bits), or is too long.
    """
    try:
        try:
            record = encode_stored_event(event, now, salt)
        except UnicodeEncodeError:
            record = encode_stored_event(_replace_surrogates(event), now, salt)
        if len(record) > MAX_RECORD_SIZE:
            raise ValueError("the record is larger than 16 MiB")
    except ValueError as error:
        raise UsageError(
            f"event {event.event_id.hex()} cannot be stored: {error}"
        ) from error
    return record


def _replace_surrogates(event: AuditEvent) -> AuditEvent:
    """Replace lone surrogates, which UTF-8 cannot encode; the raw digest is kept."""

    def clean(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(clean(item) for item in value)
        if isinstance(value, str) and type(value) is str:
            return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        return value

    changes = {f.name: clean(getattr(event, f.name)) for f in dataclasses.fields(event)}
    return dataclasses.replace(event, **changes)  # type: ignore[arg-type]  # same types
