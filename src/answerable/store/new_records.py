"""Encode new events as the records of a journal, each with a new salt."""

import os

from answerable.evidence.merkle import leaf_hash
from answerable.evidence.record_encoding import SALT_BYTES, encode_canonical_record
from answerable.model.encoded_event import EncodedEvent, EncodedEvents
from answerable.store.deduplication import StoredEvents


def encode_new_records(
    events: StoredEvents, now: int
) -> tuple[list[bytes], list[bytes]]:
    """Encode events with their ingest time and salt; an encoded event has its own.

    Returns:
        The canonical records, and their leaf hashes.

    Raises:
        UsageError: An event cannot be encoded.
    """
    if isinstance(events, EncodedEvents):
        return events.records, events.leaves
    records: list[bytes] = []
    leaves: list[bytes] = []
    salts = os.urandom(SALT_BYTES * len(events))
    for at, event in enumerate(events):
        if isinstance(event, EncodedEvent):
            record, leaf = event.record, event.leaf
        else:
            salt = salts[at * SALT_BYTES : (at + 1) * SALT_BYTES]
            record = encode_canonical_record(event, now, salt)
            leaf = leaf_hash(record)
        records.append(record)
        leaves.append(leaf)
    return records, leaves
