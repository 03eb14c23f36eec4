"""A streamed answer says what the same answer says when it is held."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from answerable.gateway.wire.server_messages import ServerMessage, parse_server_message
from answerable.gateway.wire.streaming_summary import (
    MAX_SKETCH,
    MAX_TEXT,
    StreamingSummary,
)
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from tests.gateway.reference_parser import OBJECTS, TEXTS, VALUES
from tests.gateway.request_builders import sliced, steps


def skim(*slices: bytes) -> ServerMessage | RefusalReason:
    reader = StreamingSummary()
    try:
        for data in slices:
            reader.feed(data)
        return reader.parse_summary()
    except RequestRefused as refused:
        return refused.why


def held(data: bytes) -> ServerMessage | RefusalReason:
    try:
        return parse_server_message(data)
    except RequestRefused as refused:
        return refused.why


KEYS = ["isError", "resultType", "requestState", "taskId", "task", "inputRequests"]
KEYS += ["content", "structuredContent", "iserror", "\\u0069sError", "x"]
MEMBER = st.tuples(
    st.sampled_from(KEYS),
    st.one_of(
        VALUES,
        st.sampled_from(['{"a":{"method":"roots/list"}}', '{"taskId":"t"}', "true"]),
    ),
).map(lambda it: f'"{it[0]}" : {it[1]}')
INSIDE = st.lists(MEMBER, max_size=4).map(lambda parts: "{" + ",".join(parts) + "}")
ANSWERS = st.tuples(
    st.sampled_from(["result", "error", "params", "r\\u0065sult", "method"]),
    st.one_of(INSIDE, VALUES, st.just('{"code":-32602,"data":[[1]]}')),
).map(lambda it: f'{{"jsonrpc":"2.0", "id":1,"{it[0]}":{it[1]}}}'.encode())
ASKING = b"""{"jsonrpc": "2.0", "id": 1, "result": {"content": [[], {"a": "b"}],
  "inputRequests": {"x": {"params": {"a": [1]}, "method": "roots/list"}},
  "task": {"x": [], "taskId": "t"}, "requestState": "blob"}}"""
CUTS = st.lists(st.integers(0, 2**16), max_size=9)


@given(ANSWERS, CUTS)
@settings(max_examples=80)
@example(b'{"jsonrpc":"2.0","id":1,"result":{"a":"\\\\"}}', list(range(50)))
@example(b'{"jsonrpc":"2.0","id":1,"result":{"a":["\\"]"],"isError":true}}', [44, 45])
@example(ASKING, [99, 120])
def test_a_streamed_answer_is_read_as_a_held_one(data: bytes, cuts: list[int]) -> None:
    assert skim(*sliced(data, cuts)) == held(data)
    assert skim(*(data[at : at + 1] for at in range(len(data)))) == held(data)


@given(st.one_of(TEXTS, OBJECTS), st.integers(0, 2), CUTS)
def test_any_bytes_are_an_answer_or_a_refusal(
    data: bytes, place: int, cuts: list[int]
) -> None:
    around = [b"%b", b'{"jsonrpc":"2.0","id":1,"result":%b}']
    around += [b'{"jsonrpc":"2.0","id":1,"result":{"content":%b}}']
    whole = around[place] % data
    assert skim(*sliced(whole, cuts)) == skim(whole)


def test_a_large_result_is_never_held() -> None:
    content = [{"type": "text", "text": 'x"\\\n' * 300_000, "isError": True}]
    data = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "result": {
                "note": "y" * 300_000,
                "task": {"taskId": "t"},
                "content": content,
                "structuredContent": {str(n): [n] for n in range(20_000)},
                "isError": True,
            },
        }
    ).encode()
    assert len(data) > 2_000_000
    reader = StreamingSummary()
    for at in range(0, len(data), 65_536):
        reader.feed(data[at : at + 65_536])
        text = sum(map(len, reader._text or []))
        assert len(reader._sketch) + text <= 2 * MAX_TEXT
    assert reader.parse_summary() == held(data)
    assert reader.parse_summary().failed


@pytest.mark.parametrize(
    "data",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{"requestState":"' + b"x" * MAX_TEXT,
        b'{"jsonrpc":"2.0","id":1,"result":{"inputRequests":{"a":"' + b"x" * MAX_TEXT,
        b'{"jsonrpc":"2.0","id":1,"result":{"' + b"x" * MAX_TEXT,
        b"{" + b" " * MAX_SKETCH,
        b"{" + b'"a":1,' * MAX_SKETCH,
    ],
    ids=["state", "inputs", "key", "white space", "members"],
)
def test_what_cannot_be_left_out_is_bounded(data: bytes) -> None:
    assert skim(data) is RefusalReason.EVENT_TOO_LARGE
    assert (
        skim(*sliced(data, list(range(0, len(data), 1000))))
        is RefusalReason.EVENT_TOO_LARGE
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"jsonrpc":"2.0","id":1,"result":{"a":"b',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":[1',
        b'{"jsonrpc":"2.0","id":1,"result":{}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}"x',
    ],
)
def test_an_answer_that_is_cut_short_is_none(data: bytes) -> None:
    assert skim(data) is RefusalReason.NOT_JSON


def test_an_answer_that_is_too_deep_is_refused_as_it_arrives() -> None:
    reader = StreamingSummary()
    reader.feed(b'{"jsonrpc":"2.0","id":1,"result":{"a":')
    with pytest.raises(RequestRefused, match="too-deep"):
        reader.feed(b"[" * 100_000)


@pytest.mark.parametrize("piece", [b"[", b'"', b"\\", b"x", b'{"a":1},'])
def test_steps_grow_with_bytes_and_no_faster(piece: bytes) -> None:
    start = b'{"jsonrpc":"2.0","id":1,"result":{"content":["'

    def feed(size: int) -> None:
        skim(start, *[piece] * size)

    assert steps(lambda: feed(400)) <= 2 * steps(lambda: feed(200)) + 200
