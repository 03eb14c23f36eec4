"""What is read in short is read as in full; what is remembered, as anew."""

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from answerable.gateway.wire.fast_message_parser import (
    ExpectedCall,
    parse_plain_tool_call,
    parse_plain_tool_result,
)
from answerable.gateway.wire.mcp_request_head import (
    MAX_CACHED,
    MAX_TOTAL_BYTES,
    McpRequestHead,
    cache_repeated_heads,
    parse_request,
    parse_request_head,
)
from answerable.gateway.wire.server_messages import parse_server_message
from answerable.server.mcp.call import parse_http_call, parse_stdio_call
from answerable.server.mcp.methods import McpRevision
from answerable.server.mcp.request_metadata import VERSION_KEY
from answerable.server.wire.refusals import RequestRefused
from answerable.server.wire.request_head import parse_head
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
    b'"name":"b",',
    b'"NAME":"b",',
    b'"method":"ping",',
    b'"id":8,',
    b'"params":{},',
    b'"result":{},',
    b'"isError":true,',
    b'"requestState":"s",',
    b'"resultType":"x",',
    b'"n\\u0061me":"b",',
    b'"arguments":[],',
    b'"_meta":{},',
    b'"task":{},',
    b'"a":1,',
    b'"jsonrpc":"2.0",',
    b'"error":{"code":1},',
    b'"content":[],',
    b"\\u0061",
    b"1e1",
]


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
    except RequestRefused as refused:
        return refused.why, refused.id, refused.method


PLAINS = [
    ExpectedCall(McpRevision.V2026_07_28, "files"),
    ExpectedCall(McpRevision.V2025_11_25, "files"),
    ExpectedCall(McpRevision.UNNAMED, "files"),
]


@given(st.one_of(altered(ORDINARY), TEXTS), st.sampled_from(PLAINS))
@settings(max_examples=200)
@example(tool_call()[:-2] + b',"name":"b"}}', PLAINS[0])
@example(b'{"id":7,' + tool_call()[1:], PLAINS[0])
@example(tool_call() + b" ", PLAINS[0])
def test_a_call_that_is_read_in_short_is_read_so_in_full(
    data: bytes, plain: ExpectedCall
) -> None:
    call = read(lambda: parse_plain_tool_call(data, plain))
    full = read(lambda: parse_stdio_call(data, plain.era, plain.server))
    assert call is None or call == full


@given(st.one_of(altered(RESULTS), TEXTS))
@settings(max_examples=200)
@example(RESULTS[1][:-2] + b',"isError":true}}')
@example(RESULTS[2][:-2] + b'"isError":true,"isError":false}}')
def test_an_answer_that_is_read_in_short_is_read_so_in_full(data: bytes) -> None:
    answer = read(lambda: parse_plain_tool_result(data))
    assert answer is None or answer == read(lambda: parse_server_message(data))


@given(st.sampled_from(HEADS), st.one_of(altered(ORDINARY), TEXTS))
@settings(max_examples=200)
def test_a_request_is_what_head_and_body_say_in_full(head: bytes, data: bytes) -> None:
    found = read(lambda: parse_request(parse_request_head(head), data))
    assert found == read(lambda: parse_http_call(parse_head(head), data))


@pytest.mark.parametrize("head", [MODERN, OLD, UNNAMED])
def test_what_most_clients_send_is_read_in_short(head: bytes) -> None:
    plain = parse_request_head(head).plain
    assert plain is not None
    assert parse_plain_tool_call(tool_call(), plain) is not None


def test_what_most_servers_answer_is_read_in_short() -> None:
    assert all(parse_plain_tool_result(data) is not None for data in RESULTS[1:4])


def test_another_version_in_the_body_is_refused_as_in_full() -> None:
    meta = META | {VERSION_KEY: "2025-11-25"}
    assert parse_plain_tool_call(tool_call(_meta=meta), PLAINS[0]) is None


@given(st.lists(st.one_of(st.sampled_from(HEADS), altered(HEADS)), max_size=12))
def test_a_head_that_is_remembered_says_what_it_says(heads: list[bytes]) -> None:
    remember = cache_repeated_heads()
    for data in [*heads, *heads, *heads]:
        found = read(lambda data=data: remember(data))
        assert found == read(lambda data=data: parse_request_head(data))
        if isinstance(found, McpRequestHead):
            assert found.head == parse_head(data)


def counted() -> tuple[list[bytes], Callable[[bytes], McpRequestHead]]:
    """A reader that remembers, and what it had to read."""
    made: list[bytes] = []

    def note(data: bytes) -> McpRequestHead:
        made.append(data)
        return parse_request_head(data)

    return made, cache_repeated_heads(note)


def test_heads_that_do_not_come_again_take_no_room() -> None:
    made, remember = counted()
    for number in range(MAX_CACHED + 1):
        remember(opening(("DPoP", f"proof-{number}")))
        remember(MODERN)
    assert made.count(MODERN) == 2  # the second time it is remembered


def test_a_flood_of_heads_that_come_once_is_not_remembered() -> None:
    made, remember = counted()
    remember(MODERN)
    remember(MODERN)
    for number in range(2 * MAX_CACHED):
        remember(opening(("X", str(number))))
    remember(MODERN)
    assert made.count(MODERN) == 2


def test_the_heads_that_are_remembered_have_a_bound() -> None:
    made, remember = counted()
    for number in range(MAX_CACHED + 1):
        for _ in range(2):
            remember(opening(("X", str(number))))
    remember(opening(("X", "0")))
    assert len(made) == 2 * (MAX_CACHED + 1) + 1


def test_the_heads_that_are_remembered_have_a_bound_in_bytes() -> None:
    made, remember = counted()
    large = [opening(("X", f"{number:04}" * 800)) for number in range(500)]
    assert sum(map(len, large)) > MAX_TOTAL_BYTES > len(large[0])
    for each in [large[0], large[0], *large, *large]:
        remember(each)
    remember(large[0])  # the cache started over since it was read
    assert made.count(large[0]) == 3
