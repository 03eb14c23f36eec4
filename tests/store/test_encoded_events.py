"""Events that a parsing process encoded are stored as events are, byte for byte."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.evidence.record_encoding import encode_rows
from answerable.model.encoded_event import EncodedEvents
from answerable.model.event import AuditEvent
from answerable.store.store import EvidenceStore

Make = Callable[..., AuditEvent]


def row_of(event: AuditEvent) -> tuple[object, ...]:
    return tuple(getattr(event, each.name) for each in dataclasses.fields(event))


def encode(events: list[AuditEvent], now: int, salts: bytes) -> EncodedEvents:
    return encode_rows([row_of(event) for event in events], now, salts)


def files_of(store: EvidenceStore) -> dict[str, bytes]:
    folder = store.layout.segments
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in (".parquet", ".leaves")
    }


def test_encoded_events_are_sealed_as_the_same_bytes(
    tmp_path: Path, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [make(number * 7919 % 101) for number in range(101)]
    events += [make(500, raw="another"), make(500)]
    # The name of the journal, and each salt.
    monkeypatch.setattr(os, "urandom", lambda size: b"\x07" * size)
    found = []
    for kind, batch in (
        ("plain", events),
        ("encoded", encode(events, now, b"\x07" * 16 * len(events))),
    ):
        with EvidenceStore.open(tmp_path / kind, now=now) as store:
            stored = store.append(batch, now)
            assert (stored.stored, stored.conflict) == (103, 1)
            store.seal(now)
            found.append(files_of(store))
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_an_encoded_event_is_a_duplicate_of_itself_and_of_its_event(
    store: EvidenceStore, make: Make, now: int
) -> None:
    events = [make(number) for number in range(10)]
    assert store.append(encode(events, now, bytes(160)), now).stored == 10
    assert store.append(encode(events, now, b"2" * 160), now).duplicate == 10
    assert store.append(events, now).duplicate == 10
    changed = [make(3, raw="another")]
    assert store.append(encode(changed, now, bytes(16)), now).conflict == 1
    store.seal(now)
    assert store.append(encode(events, now, bytes(160)), now).duplicate == 10
    assert store.append(encode(changed, now, bytes(16)), now).duplicate == 1
