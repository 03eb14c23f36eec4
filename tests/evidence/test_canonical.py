"""The canonical encoding is frozen, canonical, and loses nothing."""

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.evidence import canonical_event
from answerable.model.errors import VerificationError
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import EventId
from answerable.model.provenance import WrittenBy
from tests.evidence import reference_encoding

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)

EVENTS = st.builds(
    AuditEvent,
    event_id=st.binary(min_size=16, max_size=16).map(EventId),
    event_time=INT64,
    source=TEXT,
    scope=TEXT,
    written_by=st.sampled_from(WrittenBy),
    raw_sha256=st.binary(min_size=32, max_size=32),
    action=TEXT,
    outcome=st.sampled_from(EventOutcome),
    native_id=TEXT,
    identity=TEXT,
    session=TEXT,
    credential=TEXT,
    person=TEXT,
    resource=TEXT,
    resource_prefix=TEXT,
    resources=TEXTS,
    source_ip=TEXT,
    issued=TEXT,
    issued_to=TEXT,
    issued_until=INT64,
    created=TEXT,
    deleted=TEXT,
    decision_id=TEXT,
    run=TEXT,
    entities=TEXTS,
    facts=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    recorder=TEXT,
    sequence=INT64,
    ingest_time=INT64,
    salt=st.binary(max_size=16),
    schema=st.integers(0, 3),
)


@given(EVENTS, st.integers(0, 2**62), st.binary(min_size=16, max_size=16))
def test_a_row_and_its_event_have_the_same_encoding(
    event: AuditEvent, now: int, salt: bytes
) -> None:
    row = dataclasses.astuple(event)
    wanted = canonical_event.encode_stored_event(event, now, salt)
    encode = canonical_event.encode_stored_columns
    assert encode(list(zip(row, row, strict=True)), now, salt + salt) == [wanted] * 2
    (short,) = encode([(value,) for value in row[:8]], now, salt)
    assert short == canonical_event.encode_stored_event(AuditEvent(*row[:8]), now, salt)


def test_a_row_of_a_later_schema_is_written_with_its_schema(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An absent schema is 1, whatever the default of a new event is."""
    event = event_of({**vectors()[0]["fields"], "schema": 2})
    row = dataclasses.astuple(event)
    wanted = canonical_event.encode_stored_event(event, 1, b"")
    assert b'"schema":2' in wanted
    monkeypatch.setattr(canonical_event, "_WRITTEN_DEFAULTS", {"schema": 2})
    for given_fields in (row, row[:30]):
        columns = [(value,) for value in given_fields]
        assert canonical_event.encode_stored_columns(columns, 1, b"") == [wanted]


def vectors() -> list[dict[str, Any]]:
    path = Path(__file__).with_name("vectors.json")
    listed: list[dict[str, Any]] = json.loads(path.read_text())["events"]
    return listed


def event_of(fields: dict[str, Any]) -> AuditEvent:
    made = dict(fields)
    for name in ("event_id", "raw_sha256", "salt"):
        if name in made:
            made[name] = bytes.fromhex(made[name])
    for name in ("event_time", "issued_until", "sequence", "ingest_time", "schema"):
        if name in made:
            made[name] = int(made[name])
    made["written_by"] = WrittenBy(made["written_by"])
    made["outcome"] = EventOutcome(made["outcome"])
    for name in ("resources", "entities"):
        made[name] = tuple(made.get(name, ()))
    made["facts"] = tuple((key, value) for key, value in made.get("facts", ()))
    return AuditEvent(**made)


@given(event=EVENTS)
def test_the_encoding_is_what_the_slow_encoder_writes(event: AuditEvent) -> None:
    assert canonical_event.encode_event(event) == reference_encoding.encode(event)


@given(EVENTS)
def test_decoding_gives_the_event_back(event: AuditEvent) -> None:
    assert canonical_event.decode_event(canonical_event.encode_event(event)) == event


@given(EVENTS, st.data())
def test_a_changed_field_changes_the_bytes(event: AuditEvent, data: Any) -> None:
    name = data.draw(st.sampled_from([f.name for f in dataclasses.fields(event)]))
    other = data.draw(EVENTS)
    changed = dataclasses.replace(event, **{name: getattr(other, name)})
    same = getattr(event, name) == getattr(other, name)
    assert (
        canonical_event.encode_event(changed) == canonical_event.encode_event(event)
    ) is same


@given(EVENTS, st.integers(0, 10_000), st.integers(1, 255))
def test_other_bytes_are_another_event_or_none(
    event: AuditEvent, place: int, change: int
) -> None:
    data = bytearray(canonical_event.encode_event(event))
    data[place % len(data)] ^= change
    try:
        decoded = canonical_event.decode_event(bytes(data))
    except VerificationError:
        return
    assert decoded != event
    assert canonical_event.encode_event(decoded) == data


def test_a_default_made_at_run_time_is_left_out_too() -> None:
    event = event_of(vectors()[0]["fields"])
    empty = "".join(list("ab")[:0])
    made = dataclasses.replace(
        event, native_id=empty, resources=tuple(list("a")[:0]), sequence=int("0")
    )
    assert canonical_event.encode_event(made) == canonical_event.encode_event(event)


def test_every_field_of_an_event_has_its_place_in_the_encoding() -> None:
    names = sorted(field.name for field in dataclasses.fields(AuditEvent))
    assert list(canonical_event.FIELDS) == names
    assert list(canonical_event._EventWire.__struct_fields__) == names


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: v["name"])
def test_the_test_vectors_are_frozen(vector: dict[str, Any]) -> None:
    event = event_of(vector["fields"])
    assert canonical_event.encode_event(event).decode() == vector["canonical"]
    assert canonical_event.decode_event(vector["canonical"].encode()) == event


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: v["name"])
def test_the_leaf_hashes_of_the_vectors_are_frozen(vector: dict[str, Any]) -> None:
    assert (
        reference_encoding.tree([vector["canonical"].encode()]).hex() == vector["leaf"]
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"[" * 5000,
        b'{"action":1.5}',
        b"\xff",
    ],
)
def test_what_is_no_event_is_refused(data: bytes) -> None:
    with pytest.raises(VerificationError):
        canonical_event.decode_event(data)


def test_spaces_unsorted_keys_and_written_defaults_are_refused() -> None:
    text = vectors()[0]["canonical"]
    for other in (
        text.replace(":", ": ", 1),
        text.replace("{", '{"credential":"",', 1),
        text.replace('"action"', '"source_ip":"10.0.0.1","action"', 1),
        text.replace('"event_time":"', '"event_time":"0', 1),
        text.replace('"event_id":"', '"event_id":"AA', 1),
    ):
        assert other != text
        with pytest.raises(VerificationError):
            canonical_event.decode_event(other.encode())


def test_an_integer_beyond_64_bits_is_refused() -> None:
    event = event_of(vectors()[0]["fields"])
    with pytest.raises(ValueError, match="64 bits"):
        canonical_event.encode_event(dataclasses.replace(event, event_time=2**63))


def test_a_lone_surrogate_is_refused() -> None:
    event = event_of(vectors()[0]["fields"])
    with pytest.raises(ValueError, match="surrogates"):
        canonical_event.encode_event(dataclasses.replace(event, action="\ud800"))


def test_a_fact_is_found_in_canonical_bytes_as_in_the_event() -> None:
    hostile = ['["region","here"]', '"', "\\", 'a","b', "\u2028é", '["region","']
    for value, other in itertools.product(["", "eu", *hostile], repeat=2):
        facts = (("category", other), ("region", value), ("region", "later"))
        facts += (("self:user_agent", other),)
        encoded = msgspec.json.encode(facts)
        for name in ("category", "region", "self:user_agent", "mfa"):
            wanted = next((text for key, text in facts if key == name), None)
            assert canonical_event.find_fact(encoded, name.encode()) == wanted
        first = encoded[: encoded.index(b'["self:user_agent"')]
        assert canonical_event.find_fact(first, b"region") == value
