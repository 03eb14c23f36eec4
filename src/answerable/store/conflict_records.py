"""Encode the events of which a store has several records with different content."""

from collections.abc import Iterable

import msgspec

CONFLICT = "conflict"  # kind of the objects


def encode_conflicts(records: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode records that differ from stored ones: event ids and raw digests."""
    return msgspec.json.encode(
        [{"event_id": event.hex(), "raw_sha256": raw.hex()} for event, raw in records]
    )
