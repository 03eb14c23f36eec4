"""A parsing process encodes records as the store does, and its frames are checked."""

import dataclasses
from pathlib import Path

import pytest

from answerable.connectors import log_parser_process, log_reader
from answerable.connectors.cloudtrail import fetch
from answerable.connectors.cloudtrail.log_format import FORMAT
from answerable.evidence.canonical_event import decode_event
from answerable.evidence.merkle import leaf_hash
from answerable.evidence.record_encoding import encode_canonical_record, encode_rows
from answerable.model.connector import EventContext
from answerable.model.errors import EnvironmentFailure

DATA = Path(__file__).parents[2] / "data" / "cloudtrail"


@pytest.mark.parametrize("least_bytes", [0, 1 << 40])
def test_records_are_encoded_as_the_store_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least_bytes: int
) -> None:
    """In a process of their own, or in this one."""
    (tmp_path / "a.json").write_bytes((DATA / "day.json").read_bytes())
    events = [
        event
        for batch in fetch.read(str(tmp_path), EventContext())
        for event in batch.events
    ]
    monkeypatch.setattr(log_reader, "SUBPROCESS_BYTES", least_bytes)
    read = list(fetch.read(str(tmp_path), EventContext(ingest_time=7)))
    assert not any(batch.events for batch in read)
    encoded = [each for batch in read for each in batch.encoded]
    salts = [decode_event(each.record).salt for each in encoded]
    assert len(set(salts)) == len(encoded) == len(events)
    for event, each, salt in zip(events, encoded, salts, strict=True):
        assert each.record == encode_canonical_record(event, 7, salt)
        assert each.leaf == leaf_hash(each.record)
        assert (each.event_id, each.event_time) == (event.event_id, event.event_time)
        assert each.raw_sha256 == event.raw_sha256


def test_a_record_with_a_lone_surrogate_is_encoded_without_it(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes((DATA / "day.json").read_bytes())
    event, *_ = [
        event
        for batch in fetch.read(str(tmp_path), EventContext())
        for event in batch.events
    ]
    event = dataclasses.replace(event, action="s3:\ud800Get")
    row = tuple(getattr(event, each.name) for each in dataclasses.fields(event))
    (encoded,) = encode_rows([row], 7, bytes(16))
    assert encoded.record == encode_canonical_record(event, 7, bytes(16))
    assert decode_event(encoded.record).action == "s3:\ufffd\ufffd\ufffdGet"


def test_a_damaged_frame_of_a_parsing_process_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_bytes((DATA / "day.json").read_bytes())
    real = log_parser_process.isal_zlib.crc32
    monkeypatch.setattr(
        log_parser_process.isal_zlib, "crc32", lambda data: real(data) ^ 1
    )
    read = log_parser_process.read_in_subprocess
    with pytest.raises(EnvironmentFailure, match="damaged"):
        list(read(FORMAT.module, str(tmp_path), EventContext(ingest_time=7)))
