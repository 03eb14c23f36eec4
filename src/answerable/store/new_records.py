"""Encode new events as the records of a journal, each with a new salt."""

import os

from answerable.evidence.merkle import leaf_hash
from answerable.evidence.record_encoding import SALT_BYTES, encode_canonical_record
from answerable.model.encoded_event import EncodedEvent, EncodedEvents
from answerable.store.deduplication import StoredEvents


def encode_new_events(events: StoredEvents, now: int) -> EncodedEvents:
    """Encode events with their ingest time and salt; an encoded event has its own.

    Raises:
        UsageError: An event cannot be encoded.
    """
    if isinstance(events, EncodedEvents):
        return events
    found = EncodedEvents(fields=[(len(events), None)])
    salts = os.urandom(SALT_BYTES * len(events))
    for at, event in enumerate(events):
        if isinstance(event, EncodedEvent):
            record, leaf = event.record, event.leaf
        else:
            salt = salts[at * SALT_BYTES : (at + 1) * SALT_BYTES]
            record = encode_canonical_record(event, now, salt)
            leaf = leaf_hash(record)
        found.event_ids.append(event.event_id)
        found.event_times.append(event.event_time)
        found.digests.append(event.raw_sha256)
        found.records.append(record)
        found.leaves.append(leaf)
    return found
