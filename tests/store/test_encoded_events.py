"""Events that a parsing process encoded are stored as events are, byte for byte."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.evidence.canonical_event import decode_seal_fields
from answerable.evidence.record_encoding import encode_rows
from answerable.model.encoded_event import EncodedEvents
from answerable.model.event import AuditEvent
from answerable.model.provenance import WrittenBy
from answerable.model.time_units import DAY_NS
from answerable.store import segment_rows
from answerable.store.segment_statistics import StatisticsCollector
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


@pytest.mark.parametrize(
    ("facts", "written_by"),
    [
        ((), WrittenBy.PLATFORM),
        ((("category", "Data"), ("region", "eu-west-1")), WrittenBy.PLATFORM),
        ((("console", "true"), ("region", 'a"b')), WrittenBy.MEDIATOR),
        ((("console", "true"),), WrittenBy.SELF_REPORTED),
        ((("region", "a"), ("region", "b")), WrittenBy.PLATFORM),
    ],
)
def test_the_fields_of_encoded_events_give_the_statistics_of_their_records(
    make: Make, facts: tuple[tuple[str, str], ...], written_by: WrittenBy
) -> None:
    events = [
        make(0, facts=facts, written_by=written_by, person="person:a"),
        make(1, facts=(*facts, ("request_id", "1")), written_by=written_by),
        make(2, source="okta", credential="cred:token/1", schema=1, agent="a:b"),
    ]
    encoded = encode(events, 1, bytes(48))
    ((count, fields),) = encoded.fields
    assert count == 3
    day = events[0].event_time // DAY_NS
    decoded, known = StatisticsCollector(day), StatisticsCollector(day)
    decoded.add(list(map(decode_seal_fields, encoded.records)))
    if len({name for name, _ in facts}) < len(facts):
        assert fields is None
        return
    assert fields is not None
    known.add_fields(fields)
    assert known.build("", 0) == decoded.build("", 0)
    names = [fields.values[0][place] for place in fields.identities]
    assert names == [event.identity for event in events]


def test_fields_are_known_for_events_of_one_day_and_schema(make: Make) -> None:
    day = DAY_NS
    several = [make(0), dataclasses.replace(make(1), event_time=day)]
    later = [make(0, schema=2), make(1)]
    text = [make(0, action="a\ud800b"), make(1)]
    for events in (several, later, text):
        assert encode(events, 1, bytes(32)).fields == [(2, None)]


def test_fields_are_known_for_each_day_of_events_in_order(make: Make) -> None:
    first = make(0).event_time
    events = [
        make(number, event_time=first + number * DAY_NS // 100) for number in range(300)
    ]
    fields = encode(events, 1, bytes(16 * 300)).fields
    days = [event.event_time // DAY_NS for event in events]
    assert [count for count, _ in fields] == [
        days.count(day) for day in sorted({*days})
    ]
    assert [each and each.day for _, each in fields] == sorted({*days})
    mixed = events[::2] + events[1::2]
    assert len(encode(mixed[:80], 1, bytes(16 * 80)).fields) == 1


def test_a_journal_is_sealed_with_and_without_known_fields(
    tmp_path: Path, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [make(number) for number in range(40)]
    monkeypatch.setattr(os, "urandom", lambda size: b"\x07" * size)
    monkeypatch.setattr(segment_rows, "MAX_SEGMENT_ROWS", 15)
    found = []
    for kind in ("known", "mixed", "unknown"):
        batches = [
            encode(events[start : start + 10], now, b"\x07" * 160)
            for start in range(0, 40, 10)
        ]
        for number, batch in enumerate(batches):
            if kind == "unknown" or (kind == "mixed" and number == 1):
                batch.fields = [(10, None)]
        with EvidenceStore.open(tmp_path / kind, now=now) as store:
            for batch in batches:
                store.append(batch, now)
            store.seal(now)
            found.append(
                (files_of(store), store.queries.get_current_sources().statistics)
            )
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) == 6


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


def test_all_events_on_disk_are_sealed_after_an_interruption(
    place: Path, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(events: EncodedEvents, others: EncodedEvents) -> None:
        events.event_ids += others.event_ids
        raise KeyboardInterrupt

    with EvidenceStore.open(place, now=now) as store:
        store.append(encode([make(1)], now, bytes(16)), now)
        with monkeypatch.context() as patch:
            patch.setattr(EncodedEvents, "extend", interrupt)
            with pytest.raises(KeyboardInterrupt):
                store.append(encode([make(2)], now, bytes(16)), now)
        store.seal(now)
        assert store.run_query("SELECT count(*) FROM events") == [(2,)]
