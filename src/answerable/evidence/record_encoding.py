"""Encode new events as canonical records with ingest time and salt."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from answerable.evidence.canonical_event import (
    encode_stored_columns,
    encode_stored_event,
)
from answerable.evidence.journal_batches import MAX_RECORD_SIZE
from answerable.evidence.merkle import hash_leaves
from answerable.evidence.sealing_fields import collect_sealing_fields
from answerable.model.encoded_event import EncodedEvents, SealingFields
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent

SALT_BYTES = 16
_EVENT_ID, _TIME, _DIGEST = 0, 1, 5  # places in a row


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


def encode_rows(
    rows: Sequence[tuple[object, ...]], now: int, salts: bytes
) -> EncodedEvents:
    """Encode rows of the first fields of `AuditEvent`, in their order, as new records.

    Args:
        rows: Rows; fields that are missing at the end of a row have their defaults.
        now: Ingest time, UTC nanoseconds.
        salts: 16 random bytes for each row.

    Raises:
        UsageError: A row cannot be encoded.
    """
    if not rows:
        return EncodedEvents()
    columns: Sequence[Sequence[Any]] = []
    records: list[bytes] = []
    known: list[tuple[int, SealingFields | None]] = [(len(rows), None)]
    try:
        columns = list(zip(*rows, strict=True))
        records = encode_stored_columns(columns, now, salts)
    except ValueError:  # of one row, or they differ in width
        columns = list(zip(*rows, strict=False))
    if not records or max(map(len, records)) > MAX_RECORD_SIZE:
        records = [
            _encode_single_row(row, now, salts[at * SALT_BYTES : (at + 1) * SALT_BYTES])
            for at, row in enumerate(rows)
        ]
    else:
        known = collect_sealing_fields(columns)
    return EncodedEvents(
        list(columns[_EVENT_ID]),
        list(columns[_TIME]),
        list(columns[_DIGEST]),
        records,
        hash_leaves(records),
        known,
    )


def _encode_single_row(row: tuple[object, ...], now: int, salt: bytes) -> bytes:
    """Encode a row of any content by itself."""
    try:
        (record,) = encode_stored_columns([(value,) for value in row], now, salt)
    except ValueError:
        record = b""
    if not record or len(record) > MAX_RECORD_SIZE:
        record = encode_canonical_record(AuditEvent(*row), now, salt)  # type: ignore[arg-type]  # in that order
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
