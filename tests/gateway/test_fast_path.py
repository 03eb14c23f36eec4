"""What is read in short is read as in full; what is remembered, as anew."""

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from answerable.gateway.wire.fast_path import Plain, plain_answer, plain_call
from answerable.gateway.wire.mcp_request_head import (
    MOST,
    Opening,
    read_opening,
    read_request,
    remembering,
)
from answerable.gateway.wire.server_messages import read_answer
from answerable.server.mcp.call import read_call, read_line
from answerable.server.mcp.methods import Era
from answerable.server.mcp.request_metadata import VERSION_KEY
from answerable.server.wire.refusals import Refused
from answerable.server.wire.request_head import read_head
from tests.gateway.reference_parser import MARKS, TEXTS
from tests.gateway.request_builders import FIELDS, META, VERSION, head_bytes

LINE = "POST /mcp/weather HTTP/1.1"


def compact(value: object) -> bytes:
    """JSON as most clients write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def message(**members: object) -> bytes:
    return compact({"jsonrpc": "2.0", "id": 7} | members)


def tool_call(name: str = "a", **params: object) -> bytes:
    said = {"name": name, "arguments": {"b": [1]}, "_meta": META} | params
    return message(method="tools/call", params=said)


def opening(*fields: tuple[str, str]) -> bytes:
    return head_bytes([*FIELDS.items(), *fields], LINE, host=None)


MODERN = opening(
    ("MCP-Protocol-Version", VERSION), ("Mcp-Method", "tools/call"), ("Mcp-Name", "a")
)
OLD = opening(("MCP-Protocol-Version", "2025-11-25"), ("Mcp-Session-Id", "s"))
UNNAMED = opening()
HEADS = [
    MODERN,
    OLD,
    UNNAMED,
    MODERN.replace(b"Mcp-Name: a", b"Mcp-Name: =?base64?YQ==?="),
    MODERN.replace(b"Mcp-Name: a", b"Mcp-Name: =?base64?YR==?="),
    MODERN.replace(b"Mcp-Name: a\r\n", b""),
    MODERN.replace(b"Mcp-Method: tools/call", b"Mcp-Method: tools/list"),
    MODERN.replace(b"Mcp-Method: tools/call\r\n", b""),
    OLD.replace(b"\r\n\r\n", b"\r\nMcp-Name: b\r\n\r\n"),
    OLD.replace(b"\r\n\r\n", b"\r\nMcp-Method: ping\r\n\r\n"),
    OLD.replace(b"Mcp-Session-Id: s", b"Mcp-Session-Id: s s"),
    MODERN.replace(b"/mcp/weather", b"/mcp/weather/"),
    MODERN.replace(b"2026-07-28", b"2031-01-01"),
    MODERN.replace(b"application/json, ", b""),
    b"GET" + OLD[4:],
    MODERN.replace(b"POST", b"DELETE"),
]
ORDINARY = [
    tool_call(),
    tool_call("é"),
    tool_call(arguments={}),
    message(method="tools/call", params={"name": "a"}),
    message(method="tools/call", params={"_meta": META, "name": "a"}),
    compact(
        {"id": "x", "params": {"name": "a"}, "method": "tools/call", "jsonrpc": "2.0"}
    ),
]
RESULTS = [
    message(result={"content": [{"type": "text", "text": "é"}], "isError": True}),
    message(result={"content": [], "resultType": "complete", "isError": False}),
    message(result={}),
    message(result={"structuredContent": {"a": 1}, "_meta": {}, "content": []}),
    message(result={"resultType": "input_required", "requestState": "s"}),
    message(result={"resultType": ""}),
    message(result={"task": {"taskId": "t"}}),
    message(result={"isError": None, "content": []}),
    message(error={"code": -32600, "message": "no"}),
    compact({"id": "x", "result": {"content": []}, "jsonrpc": "2.0"}),
]
# What could be there beside what is read, or read as something else.
MORE = [
    b'"name":"b",', b'"NAME":"b",', b'"method":"ping",', b'"id":8,', b'"params":{},',
    b'"result":{},', b'"isError":true,', b'"requestState":"s",', b'"resultType":"x",',
    b'"n\\u0061me":"b",', b'"arguments":[],', b'"_meta":{},', b'"task":{},', b'"a":1,',
    b'"jsonrpc":"2.0",', b'"error":{"code":1},', b'"content":[],', b"\\u0061", b"1e1",
]  # fmt: skip


def altered(texts: list[bytes]) -> st.SearchStrategy[bytes]:
    """Texts, and such as are nearly those: a piece more, in place of some bytes."""
    return st.tuples(
        st.sampled_from(texts),
        st.lists(
            st.tuples(
                st.integers(0, 2**16),
                st.integers(0, 4),
                st.sampled_from([*MORE, *MARKS, b""]),
            ),
            max_size=3,
        ),
    ).map(_alter)


def _alter(given: tuple[bytes, list[tuple[int, int, bytes]]]) -> bytes:
    data, edits = given
    for at, less, more in edits:
        # Mostly where a member could begin.
        places = [n + 1 for n, byte in enumerate(data) if byte in b"{,"]
        start = places[at % len(places)] if places and at % 4 else at % (len(data) + 1)
        data = data[:start] + more + data[start + (less if at % 4 == 0 else 0) :]
    return data


def read(work: Callable[[], object]) -> object:
    """What is read, or all that a refusal says."""
    try:
        return work()
    except Refused as refused:
        return refused.why, refused.id, refused.method


PLAINS = [
    Plain(Era.V2026_07_28, "files"),
    Plain(Era.V2025_11_25, "files"),
    Plain(Era.UNNAMED, "files"),
]


@given(st.one_of(altered(ORDINARY), TEXTS), st.sampled_from(PLAINS))
@settings(max_examples=200)
@example(tool_call()[:-2] + b',"name":"b"}}', PLAINS[0])
@example(b'{"id":7,' + tool_call()[1:], PLAINS[0])
@example(tool_call() + b" ", PLAINS[0])
def test_a_call_that_is_read_in_short_is_read_so_in_full(
    data: bytes, plain: Plain
) -> None:
    call = read(lambda: plain_call(data, plain))
    full = read(lambda: read_line(data, plain.era, plain.server))
    assert call is None or call == full


@given(st.one_of(altered(RESULTS), TEXTS))
@settings(max_examples=200)
@example(RESULTS[1][:-2] + b',"isError":true}}')
@example(RESULTS[2][:-2] + b'"isError":true,"isError":false}}')
def test_an_answer_that_is_read_in_short_is_read_so_in_full(data: bytes) -> None:
    answer = read(lambda: plain_answer(data))
    assert answer is None or answer == read(lambda: read_answer(data))


@given(st.sampled_from(HEADS), st.one_of(altered(ORDINARY), TEXTS))
@settings(max_examples=200)
def test_a_request_is_what_head_and_body_say_in_full(head: bytes, data: bytes) -> None:
    found = read(lambda: read_request(read_opening(head), data))
    assert found == read(lambda: read_call(read_head(head), data))


@pytest.mark.parametrize("head", [MODERN, OLD, UNNAMED])
def test_what_most_clients_send_is_read_in_short(head: bytes) -> None:
    plain = read_opening(head).plain
    assert plain is not None
    assert plain_call(tool_call(), plain) is not None


def test_what_most_servers_answer_is_read_in_short() -> None:
    assert all(plain_answer(data) is not None for data in RESULTS[1:4])


def test_another_version_in_the_body_is_refused_as_in_full() -> None:
    meta = META | {VERSION_KEY: "2025-11-25"}
    assert plain_call(tool_call(_meta=meta), PLAINS[0]) is None


@given(st.lists(st.one_of(st.sampled_from(HEADS), altered(HEADS)), max_size=12))
def test_a_head_that_is_remembered_says_what_it_says(heads: list[bytes]) -> None:
    remember = remembering()
    for data in [*heads, *heads]:
        found = read(lambda data=data: remember(data))
        assert found == read(lambda data=data: read_opening(data))
        if isinstance(found, Opening):
            assert found.head == read_head(data)


def counted() -> tuple[list[bytes], Callable[[bytes], Opening]]:
    """A reader that remembers, and what it had to read."""
    made: list[bytes] = []

    def note(data: bytes) -> Opening:
        made.append(data)
        return read_opening(data)

    return made, remembering(note)


def test_heads_that_do_not_come_again_take_no_room() -> None:
    made, remember = counted()
    for number in range(MOST + 1):
        remember(opening(("DPoP", f"proof-{number}")))
        remember(MODERN)
    assert made.count(MODERN) == 1


def test_the_heads_that_are_remembered_have_a_bound() -> None:
    made, remember = counted()
    for number in range(MOST + 1):
        remember(opening(("X", str(number))))
    remember(opening(("X", "0")))
    assert len(made) == MOST + 2
