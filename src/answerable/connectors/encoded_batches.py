"""Encode batches of parsed rows in the form in which the store keeps them."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from answerable.evidence.record_encoding import SALT_BYTES, encode_rows
from answerable.model.connector import EventBatch
from answerable.model.event import AuditEvent

# An event factory that keeps the row: it is faster to make, to send and to encode.
keep_row = cast("Callable[[tuple[Any, ...]], AuditEvent]", tuple)


def encode_batch(batch: EventBatch, ingest_time: int) -> EventBatch:
    """Encode the rows of a batch as new records, each with a new salt.

    Args:
        batch: Batch whose events are rows, by `keep_row`.
        ingest_time: UTC nanoseconds.
    """
    rows = cast("Sequence[tuple[object, ...]]", batch.events)
    encoded = encode_rows(rows, ingest_time, os.urandom(SALT_BYTES * len(rows)))
    return replace(batch, events=(), encoded=encoded)
