"""Lines that wrap a list of records each: the records and places of each line."""

import json
from collections import Counter

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


_TWO = '{"resourceSpans":[{"n":1}],"resourceLogs":[{"n":2}]}'
_LONG = '{"resourceSpans":[%s],"x":{"y":[]},"resourceLogs" : [ {"n":2}]}'


@pytest.mark.parametrize("text", [f"{_TWO}\n{_TWO}\n", f'{{"n":0}}\n{_TWO}\n', _TWO])
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_of_an_object_with_two_lists_both_are_read_or_it_is_a_problem(
    text: str, size: int
) -> None:
    found, problem = _split(text.encode(), size)
    read = Counter(raw for _, raw, reason in found if not reason)
    assert problem or read[b'{"n":1}'] == read[b'{"n":2}'] == text.count('"n":2')
    assert not problem or size == 1 or "\n" not in text


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_a_second_list_after_a_long_one_is_a_problem(size: int) -> None:
    text = _LONG % ",".join('{"n":1}' for _ in range(500))
    found, problem = _split(text.encode(), size)
    assert len(found) == 500
    assert "second list" in problem
    assert not _split(text.replace('{"n":2}', "").encode(), size)[1]


@pytest.mark.parametrize("prefix", ["", '{"n":0}\n'])
def test_a_list_with_a_repeated_name_is_refused_or_a_problem(prefix: str) -> None:
    text = prefix + '{"resourceSpans":[{"n":1}],"resourceSpans":[{"n":2}]}\n'
    found, problem = _split(text.encode())
    whole = [raw for _, raw, _ in found if raw.startswith(b'{"resourceSpans"')]
    assert problem or whole
