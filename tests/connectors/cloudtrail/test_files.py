"""Files, folders and streams: every shape is read, and what breaks is told once."""

import gzip
import io
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.connectors import log_parser_process, log_reader
from answerable.connectors.cloudtrail import fetch
from answerable.connectors.cloudtrail.log_format import FORMAT
from answerable.connectors.formats.json_records.record_lists import RecordLists
from answerable.connectors.formats.json_records.record_splitter import (
    MAX_REFUSED,
    RecordSplitter,
)
from answerable.connectors.formats.json_records.redaction import redact_secrets
from answerable.model.connector import EventBatch, EventContext, EventLimits
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.event import AuditEvent
from answerable.model.sighting import ReadProblem

DATA = Path(__file__).parents[2] / "data" / "cloudtrail"
DAY = json.loads((DATA / "day.json").read_text())["Records"]
Split = Callable[[bytes], list[bytes]]


def batches(
    location: Path | str, limits: EventLimits | None = None
) -> list[EventBatch]:
    return list(fetch.read(str(location), EventContext(limits or EventLimits())))


def events(location: Path | str) -> list[AuditEvent]:
    return [event for batch in batches(location) for event in batch.events]


def problems(location: Path | str) -> list[ReadProblem]:
    return [problem for batch in batches(location) for problem in batch.problems]


def split(data: bytes, size: int = 1 << 20, limits: EventLimits | None = None):
    splitter = RecordSplitter(limits or EventLimits(), RecordLists(FORMAT.lists))
    pieces = []
    for at in range(0, len(data), size):
        pieces += splitter.split_chunk(data[at : at + size])
    pieces += splitter.close()
    return pieces, splitter.problem


def day(indent: int | None = None) -> bytes:
    return json.dumps({"Records": DAY}, indent=indent).encode()


def lines(*values: object) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in values)


SHAPES: dict[str, bytes] = {
    "log file": day(),
    "log file, spaced": day(indent=2),
    "list": json.dumps(DAY).encode(),
    "lines": lines(*DAY),
    "lines of Windows": b"\r\n".join(json.dumps(record).encode() for record in DAY),
    "log files in a row": day() + b"\n" + day(indent=1),
    "a log file a line": day() + b"\n" + day() + b"\n",
    "values in a row": b"".join(json.dumps(r, indent=1).encode() for r in DAY),
    "behind a nested member": b'{"x": {"y": [{"z": 1}]}, ' + day()[1:],
    "a record, then a log file": lines(DAY[0], {"Records": DAY[1:]}),
    "one record a log file": lines(*({"Records": [each]} for each in DAY)),
    "byte order mark": b"\xef\xbb\xbf" + day(),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1 << 20, 1000, 7])
def test_every_shape_is_split_alike_at_any_chunk_size(shape: str, size: int) -> None:
    data = SHAPES[shape]
    pieces, problem = split(data, size)
    assert [json.loads(piece.raw) for piece in pieces] in (DAY, DAY + DAY)
    assert problem == ""
    assert all(data[p.offset : p.offset + len(p.raw)] == p.raw for p in pieces)


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
things = st.dictionaries(
    st.sampled_from(["eventVersion", "a", '"},{"eventVersion"', "Records"]),
    nested,
    min_size=1,
    max_size=4,
)


@settings(max_examples=80)
@given(
    st.lists(things, min_size=1, max_size=12),
    st.integers(1, 300),
    st.sampled_from([None, 1]),
)
def test_any_list_of_objects_is_split_where_a_json_reader_splits_it(
    listed: list[dict[str, Any]], size: int, indent: int | None
) -> None:
    data = json.dumps({"Records": listed}, indent=indent).encode()
    pieces, problem = split(data, size)
    assert ([json.loads(piece.raw) for piece in pieces], problem) == (listed, "")


@settings(max_examples=80)
@given(st.binary(max_size=400), st.integers(1, 50))
def test_no_bytes_break_the_splitter_and_none_pass_unseen(data: bytes, size: int):
    pieces, problem = split(data, size)
    assert pieces or problem or not data.strip(b" \t\r\n[],")


@settings(max_examples=50)
@given(st.integers(0, len(day())), st.integers(1, 5000))
def test_a_file_cut_anywhere_gives_the_records_before_the_cut(cut: int, size: int):
    pieces, problem = split(day()[:cut], size)
    whole = [json.loads(piece.raw) for piece in pieces if not piece.refusal_reason]
    assert whole == DAY[: len(whole)]
    assert problem or cut == len(day())


def test_a_lookup_answer_carries_the_same_event_as_the_log_file() -> None:
    (event,) = events(DATA / "lookup.json")
    assert event.event_id == events(DATA / "day.json")[4].event_id


def test_rows_of_a_lake_carry_the_same_events_as_the_log_file() -> None:
    found = [event.event_id for event in events(DATA / "lake.jsonl")]
    assert found == [event.event_id for event in events(DATA / "day.json")[:3]]


def test_a_lake_answer_with_a_cell_per_column_is_read() -> None:
    rows = [[{"eventID": "x"}, {"eventJson": json.dumps(DAY[0])}]]
    pieces, _ = split(json.dumps({"QueryResultRows": rows}).encode())
    assert len(pieces) == 1


def test_a_digest_file_is_skipped_and_said_to_be_one() -> None:
    (batch,) = batches(DATA / "digest.json")
    assert batch.skipped == ("a CloudTrail digest file, not a log file",)
    assert not batch.quarantined
    assert not batch.problems


def test_a_folder_is_read_recursively_in_order_and_the_rest_is_counted(
    tmp_path: Path,
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.json.gz").write_bytes(gzip.compress(day()))
    (tmp_path / "a.json.zst").write_bytes(zstandard.compress(day()))
    (tmp_path / "z.ndjson").write_bytes(SHAPES["lines"])
    (tmp_path / "README.md").write_text("not a log")
    read = batches(tmp_path)
    places = [batch.place for batch in read if batch.events]
    assert places == [
        str(tmp_path / n) for n in ("a.json.zst", "b/2.json.gz", "z.ndjson")
    ]
    assert sum(len(batch.events) for batch in read) == 3 * len(DAY)
    assert [s for batch in read for s in batch.skipped] == [
        "not a .json, .jsonl or .ndjson file"
    ]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(gzip.compress(day()))

    monkeypatch.setattr("sys.stdin", Input)
    assert len(events("-")) == len(DAY)


def test_compression_is_told_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(gzip.compress(day()) + gzip.compress(day()))
    assert len(events(tmp_path / "a.json")) == 2 * len(DAY)


def pack(name: str, data: bytes) -> bytes:
    return zstandard.compress(data) if name.endswith("zst") else gzip.compress(data)


@pytest.mark.parametrize("name", ["b.json.gz", "b.json.zst"])
def test_a_cut_archive_is_told_and_what_it_gave_is_kept(
    tmp_path: Path, name: str
) -> None:
    packed = pack(name, json.dumps({"Records": DAY * 40}).encode() + os.urandom(9000))
    (tmp_path / name).write_bytes(packed[: len(packed) - 5000])
    (tmp_path / "c.json").write_bytes(day())
    (problem,) = problems(tmp_path)
    assert problem.place.endswith(name)
    assert len(events(tmp_path)) >= len(DAY)


@pytest.mark.parametrize("name", ["b.json.gz", "b.json.zst"])
def test_a_damaged_archive_is_told(tmp_path: Path, name: str) -> None:
    packed = bytearray(pack(name, day()))
    packed[len(packed) // 2] ^= 0xFF
    packed[-6] ^= 0xFF
    (tmp_path / name).write_bytes(packed)
    (problem,) = problems(tmp_path)
    assert "damaged" in problem.what or "not" in problem.what


@pytest.mark.parametrize("name", ["b.json.gz", "b.json.zst"])
def test_a_bomb_is_left_and_memory_stays_flat(tmp_path: Path, name: str) -> None:
    body = b'{"Records":[{"a":"' + b"0" * (64 << 20)
    (tmp_path / name).write_bytes(pack(name, body))
    limits = EventLimits(record_bytes=1 << 20, file_bytes=8 << 20)
    tracemalloc.start()
    read = batches(tmp_path, limits)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80 << 20
    (problem,) = [p for batch in read for p in batch.problems]
    assert "more than 100 times its size" in problem.what


def test_a_record_beyond_the_limit_is_set_aside_by_its_head() -> None:
    small = EventLimits(record_bytes=2000)
    huge = {"eventVersion": "1.10", "blob": "x" * 50_000}
    data = json.dumps({"Records": [DAY[0], huge, DAY[1]]}).encode()
    for size in (1 << 20, 512):
        pieces, problem = split(data, size, small)
        assert [bool(piece.refusal_reason) for piece in pieces] == [False, True, False]
        assert len(pieces[1].raw) <= 4096
        assert problem == ""


def test_nesting_without_end_stops_the_file_and_says_so() -> None:
    for data in (b"[" * 1_000_000, b'{"Records":[' + b'{"a":' * 1_000_000):
        pieces, problem = split(data)
        assert "nested too deep" in problem
        assert len(pieces) == 1


def test_refusals_without_end_stop_the_file_and_say_so() -> None:
    pieces, problem = split(b'{"Records":[' + b"1," * 50_000 + b"]}")
    assert len(pieces) == MAX_REFUSED
    assert "not read" in problem


def test_a_bad_record_among_good_ones_costs_only_itself(tmp_path: Path) -> None:
    listed = [DAY[0], {"no": "record"}, DAY[1]]
    (tmp_path / "a.json").write_text(json.dumps({"Records": listed}))
    (batch,) = batches(tmp_path / "a.json")
    assert len(batch.events) == 2
    (aside,) = batch.quarantined
    assert aside.raw == b'{"no": "record"}'
    (problem,) = batch.problems
    assert problem.what.startswith(
        "1 of 3 records could not be read: not a CloudTrail record"
    )


def test_secrets_in_what_is_set_aside_are_taken_out(tmp_path: Path) -> None:
    spoilt = {k: v for k, v in DAY[3].items() if k != "eventName"}
    (tmp_path / "a.json").write_text(json.dumps({"Records": [spoilt]}))
    carried = {"CloudTrailEvent": json.dumps(spoilt)}
    (tmp_path / "b.json").write_text(json.dumps({"Events": [carried]}))
    kept = [q.raw for batch in batches(tmp_path) for q in batch.quarantined]
    assert len(kept) == 2
    for raw in kept:
        assert b"EXAMPLESESSIONTOKEN" not in raw
        assert b"ASIAIOSFODNN7EXAMPL1" in raw
        json.loads(raw)  # still JSON


def test_a_secret_cut_short_is_taken_out_too() -> None:
    assert (
        redact_secrets(b'{"secretAccessKey": "abc/def') == b'{"secretAccessKey": null'
    )


def test_a_place_that_is_not_there_or_holds_no_log_is_a_usage_error(
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match="no such file"):
        batches(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no \\.json"):
        batches(tmp_path)


def test_a_folder_that_may_not_be_listed_is_a_problem_or_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.json").write_bytes(day())
    real = os.scandir

    def closed(path: str) -> object:
        if str(path).endswith(closed_name):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", closed)
    closed_name = "closed"
    (problem,) = problems(tmp_path)
    assert problem.place == str(tmp_path / "closed")
    closed_name = tmp_path.name
    with pytest.raises(EnvironmentFailure, match="no permission to list"):
        batches(tmp_path)


def test_batches_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"Records": DAY * 20}))
    sizes = [len(b.events) for b in batches(tmp_path, EventLimits(batch=50))]
    assert max(sizes) == 50
    assert sum(sizes) == 20 * len(DAY)


def test_a_process_of_its_own_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (tmp_path / f"{number}.json").write_bytes(day())
    (tmp_path / "garbage.json").write_bytes(b"\x00garbage")
    here = batches(tmp_path)
    monkeypatch.setattr(log_reader, "SUBPROCESS_BYTES", 0)
    apart_ = batches(tmp_path)
    for attribute in ("events", "quarantined", "problems", "skipped"):
        found = [x for batch in apart_ for x in getattr(batch, attribute)]
        assert found == [x for batch in here for x in getattr(batch, attribute)]
    assert apart_[-1].done_bytes == here[-1].done_bytes == here[-1].total_bytes


def test_a_parsing_process_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_parser_process, "__name__", "json.tool")
    read = log_parser_process.read_in_subprocess
    with pytest.raises(EnvironmentFailure, match="ended early"):
        list(read(FORMAT.module, str(DATA), EventContext()))


def test_a_reader_that_stops_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"Records": DAY * 2000}))
    monkeypatch.setattr(log_reader, "SUBPROCESS_BYTES", 0)
    reading = fetch.read(str(tmp_path), EventContext(EventLimits(batch=10)))
    assert next(reading).events
    reading.close()  # type: ignore[attr-defined]  # a generator


def shared(name: str) -> Path:
    path = Path(__file__).parents[4] / "shared" / "data" / "cloud-audit" / name
    if not path.exists():
        pytest.skip("shared data not present")
    return path


@pytest.mark.parametrize(
    ("name", "count", "aside"),
    [
        ("aws-invictus/CloudTrail", 2900, 0),
        ("aws-stratus/docs", 310, 0),
        ("trailscraper/tests/cloudtrail", 4, 0),
        ("plaso/test_data/jsonl/aws_cloudtrail.jsonl", 6, 0),
        ("gcp", 0, 18),
        ("panther", 0, 1688),
    ],
)
def test_published_trails_are_read_whole(name: str, count: int, aside: int) -> None:
    read = batches(shared(name))
    assert sum(len(batch.events) for batch in read) == count
    assert sum(len(batch.quarantined) for batch in read) == aside


def test_published_single_events_of_a_rule_set_are_read_where_they_say_enough(
    tmp_path: Path,
) -> None:
    packed = (shared("panther") / "panther_tests_dev.jsonl.zst").read_bytes()
    lines = zstandard.ZstdDecompressor().decompressobj().decompress(packed).splitlines()
    cases = [json.loads(line) for line in lines]
    trail = [c["event"] for c in cases if c["log_type"] == "AWS.CloudTrail"]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(event) for event in trail))
    read = batches(tmp_path)
    needed = ("eventTime", "eventSource", "eventName")
    whole = [
        event
        for event in trail
        if all(event.get(name) for name in needed) and event["eventTime"] != "redacted"
    ]
    assert len(trail) == 384
    assert sum(len(batch.events) for batch in read) == len(whole)
    assert sum(len(batch.quarantined) for batch in read) == len(trail) - len(whole)
