"""Whatever the slices, the same bytes and records; whatever is said, the same decision."""

import asyncio
import gc
import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.http.client_connection import ClientConnection
from answerable.server.wire.host_check import ServedNames
from tests.gateway.http.in_memory_worker import Wire, worker
from tests.gateway.http.message_builders import (
    HOST,
    ask,
    call,
    events,
    modern,
    old,
    reply,
    request,
    result,
)
from tests.gateway.request_builders import META, body, sliced

CUTS = st.lists(st.integers(0, 2**16), max_size=8)
OK = result(content=[{"type": "text", "text": "x"}])


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def compact(request: bytes) -> bytes:
    """The same request as most clients write it."""
    head, _, body = request.partition(b"\r\n\r\n")
    short = json.dumps(json.loads(body), separators=(",", ":")).encode()
    was, now = (b"Content-Length: %d" % len(each) for each in (body, short))
    return head.replace(was, now) + b"\r\n\r\n" + short


REQUESTS = [
    call(),
    call("big", id="x"),
    call("rm"),
    ask("tools/list"),
    ask("resources/read", uri="file:///srv/a"),
    old("tools/call", name="read_file"),
    old("initialize"),
    request(b"[]"),
    compact(call()),
    compact(call("big", id="x")),
    compact(old("tools/call", name="read_file", arguments={})),
    call().replace(b"HTTP/1.1", b"HTTP/1.0", 1),
]
# What comes after an answer is told apart from it by time alone (test_upstreams).
ANSWERS = [
    reply(OK),
    reply(result(id="x", tools=[{"name": "rm"}, {"name": "read_file"}])),
    reply(result(resultType="input_required", requestState="s")),
    reply(OK, "200 OK", "Mcp-Session-Id: s-1"),
    reply(result(content=["x" * 300_000])),
    events(b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}', OK),
    events(OK, b"hello"),
    reply(OK).replace(b"Content-Length", b"Content-Length: 1\r\nContent-Length"),
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
]


@given(st.sampled_from(REQUESTS), st.sampled_from(ANSWERS), CUTS, CUTS)
@settings(max_examples=50)
def test_however_both_sides_are_sliced_the_same_goes_out_and_is_recorded(
    loop: asyncio.AbstractEventLoop,
    sent: bytes,
    said: bytes,
    cuts: list[int],
    other_cuts: list[int],
) -> None:
    def run(requests: list[bytes], answers: list[bytes]) -> tuple[object, ...]:
        made = worker(loop)
        for data in requests:
            made.front.data_received(data)
        if made.server.written:
            for data in answers:
                if not made.server.closed:
                    made.upstream.data_received(data)
        shown = dechunked(made.client.written)
        return shown, made.server.written, made.client.closed, made.notes.kept

    assert run(sliced(sent, cuts), sliced(said, other_cuts)) == run([sent], [said])


def dechunked(data: bytes) -> bytes:
    """The same body may come in other chunks."""
    head, mark, rest = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head:
        return data
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return head + mark + body


# What a client says of itself, of its reasons, or of whoever it speaks for.
SAID = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
FIELDS = st.dictionaries(
    st.sampled_from(
        ["User-Agent", "Baggage", "Traceparent", "Tracestate", "X-Agent", "Forwarded"]
    ),
    SAID,
)
CLIENT = st.fixed_dictionaries({"name": SAID, "version": SAID, "title": SAID})


@given(
    st.sampled_from(["read_file", "rm"]), FIELDS, CLIENT, st.dictionaries(SAID, SAID)
)
@settings(max_examples=50)
def test_nothing_that_is_said_changes_what_is_decided_or_passed_on(
    loop: asyncio.AbstractEventLoop,
    name: str,
    fields: dict[str, str],
    client: dict[str, str],
    more: dict[str, str],
) -> None:
    said = {f"example.com/{key}": value for key, value in more.items()}
    meta = META | {"io.modelcontextprotocol/clientInfo": client} | said
    data = body("tools/call", {"name": name, "arguments": {}}, meta=meta)
    lines = [f"{key}: {value.strip()}" for key, value in fields.items()]
    made = worker(loop)
    made.front.data_received(request(data, *modern("tools/call", name), *lines))
    (_, _, decision, recorded) = made.notes.kept[0]  # type: ignore[misc]
    plain = worker(loop)
    plain.front.data_received(call(name))
    assert decision == plain.notes.kept[0][2]  # type: ignore[index]
    assert recorded == data
    passed = made.server.written.partition(b"\r\n\r\n")[2]
    assert passed == (data if decision.passes else b"")
    if not decision.passes:
        error = json.loads(made.client.written.partition(b"\r\n\r\n")[2])["error"]
        assert set(error["data"]) == {"decision", "decision_id"}


BODY = call()
DEEP = b"[" * 9_000
HOSTILE = {
    "nothing": b"",
    "a part of a head": BODY[:50],
    "no head": b"\x00" * 3_000 + b"\r\n\r\n",
    "no head in two pieces": b"GET / HTTP/1.1\r\nhost",
    "a part of a large body": request(b"x" * 100_000)[:90_000],
    "no JSON": request(b"x" * 5_000),
    "too deep": request(DEEP),
    "a repeated key": request(b'{"id":1,"id":2}'),
    "no UTF-8": request(b"\xff" * 1_000),
    "wrong chunks": b"POST /mcp/files HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
    "unknown path": BODY.replace(b"/mcp/files", b"/mcp", 1),
    "a denied call": call("rm"),
    "a call without an answer": BODY,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_client_that_leaves_leaves_nothing_for_the_collector(
    loop: asyncio.AbstractEventLoop, kind: str
) -> None:
    """Garbage of large bodies would fill the memory before it is collected."""
    made = worker(loop)
    http_server = made.front.http_server

    def visit() -> None:
        front = ClientConnection(http_server, ServedNames(frozenset({HOST})), "")
        front.connection_made(Wire())  # type: ignore[arg-type]
        if HOSTILE[kind]:
            front.data_received(HOSTILE[kind])
        front.data_received(b"\x00\r\n")
        front.connection_lost(None)
        made.notes.kept.clear()

    visit()
    loop.run_until_complete(asyncio.sleep(0))
    gc.collect()
    gc.disable()
    try:
        visit()
        loop.run_until_complete(asyncio.sleep(0))
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_call_leaves_nothing_for_the_collector(
    loop: asyncio.AbstractEventLoop,
) -> None:
    made = worker(loop)
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            made.front.data_received(call())
            made.upstream.data_received(reply(OK))
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert made.client.written.count(b"200 OK") == 10
