"""Lines that wrap a list of records each: the records and places of each line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.formats.json_records.record_lists import RecordLists
from answerable.connectors.formats.json_records.record_splitter import RecordSplitter
from answerable.model.connector import EventLimits

_NAMES = ("resourceSpans", "resourceLogs")
_RECORD = {"resource": {"a": 1}, "scopeSpans": [{"spans": [{"name": "x"}]}]}
_ONE = json.dumps({"resourceSpans": [_RECORD]}, separators=(",", ":"))


def _split(
    text: bytes, size: int = 1 << 20
) -> tuple[list[tuple[int, bytes, str]], str]:
    splitter = RecordSplitter(EventLimits(), RecordLists(_NAMES))
    pieces = []
    for at in range(0, len(text), size):
        pieces += splitter.split_chunk(text[at : at + size])
    pieces += splitter.close()
    return [tuple(piece) for piece in pieces], splitter.problem


_LINES = st.sampled_from(
    [
        _ONE,
        json.dumps({"resourceSpans": [_RECORD, {"n": 2}]}),
        json.dumps({"resourceLogs": [{"n": 3}]}, separators=(",", ":")),
        '{"resourceSpans":[]}',
        '{"resourceSpans":[{"n":4}] }',
        '{"resourceSpans":[{"n":5}],"other":1}',
        '{"resourceSpans":[7]}',
        '{"resourceSpans":[{"n":8}}',
        '{"other":{},"resourceSpans":[{"n":9}]}',
        '{"n":10}',
        "",
        "\r",
        _ONE + "\r",
    ]
)


@given(st.lists(_LINES, max_size=8), st.integers(600, 900))
def test_many_lines_give_the_records_that_each_line_gives_alone(
    lines: list[str], size: int
) -> None:
    text = "\n".join(lines).encode() + b"\n"
    found, _ = _split(text)
    for offset, raw, reason in found:
        assert reason or text[offset : offset + len(raw)] == raw
    assert [raw for _, raw, _ in _split(text, size)[0]] == [raw for _, raw, _ in found]


@pytest.mark.parametrize("count", [1, 2, 300])
def test_each_line_with_one_list_gives_its_record_and_place(count: int) -> None:
    found, problem = _split((_ONE + "\n").encode() * count)
    record = json.dumps(_RECORD, separators=(",", ":")).encode()
    start = len('{"resourceSpans":[')
    assert found == [(n * (len(_ONE) + 1) + start, record, "") for n in range(count)]
    assert not problem


def test_a_line_that_is_cut_short_ends_no_other_line() -> None:
    found, problem = _split(f"{_ONE}\n{_ONE}\n{_ONE[:-9]}".encode())
    assert len([raw for _, raw, reason in found if not reason]) == 2
    assert problem
