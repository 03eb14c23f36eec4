"""Encode batches of parsed rows in the form in which the store keeps them.

Rows are encoded a few at a time, while they are in the processor's cache; then the
batches of one file are joined, because each costs the store some steps.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from answerable.evidence.record_encoding import SALT_BYTES, encode_rows
from answerable.model.connector import EventBatch
from answerable.model.encoded_event import EncodedEvents
from answerable.model.event import AuditEvent

ROWS_AT_ONCE = 250
_JOINED_BYTES = 4 << 20

# An event factory that keeps the row: it is faster to make, to send and to encode.
keep_row = cast("Callable[[tuple[Any, ...]], AuditEvent]", tuple)


def encode_batches(
    batches: Iterable[EventBatch], ingest_time: int, most: int
) -> Iterator[EventBatch]:
    """Encode the rows of batches as new records, each with a new salt.

    Args:
        batches: Batches of at most `ROWS_AT_ONCE` rows, by `keep_row`.
        ingest_time: UTC nanoseconds.
        most: Maximum events in a joined batch.
    """
    joined: EventBatch | None = None
    count = size = 0
    for batch in batches:
        rows = cast("Sequence[tuple[object, ...]]", batch.events)
        encoded = encode_rows(rows, ingest_time, os.urandom(SALT_BYTES * len(rows)))
        added = len(rows) + len(batch.quarantined) + len(batch.skipped)
        added_bytes = sum(map(len, encoded.records))
        added_bytes += sum(len(each.raw) for each in batch.quarantined)
        if joined is None:
            joined = replace(batch, events=(), encoded=encoded)
        elif (
            batch.place == joined.place
            and count + added <= most
            and size + added_bytes <= _JOINED_BYTES
        ):
            joined = _join_batches(joined, batch, encoded)
        else:
            yield joined
            joined = replace(batch, events=(), encoded=encoded)
            count = size = 0
        count, size = count + added, size + added_bytes
    if joined is not None:
        yield joined


def _join_batches(
    joined: EventBatch, batch: EventBatch, encoded: EncodedEvents
) -> EventBatch:
    """Join a batch of a file, whose rows are encoded, with those before it."""
    joined.encoded.extend(encoded)
    return replace(
        batch,
        events=(),
        quarantined=joined.quarantined + batch.quarantined,
        problems=joined.problems + batch.problems,
        skipped=joined.skipped + batch.skipped,
        positions={**joined.positions, **batch.positions},
        encoded=joined.encoded,
    )
