"""Answers that last: events, large results, and either side leaving."""

import json
import resource
import socket
import time
from pathlib import Path

import pytest

from tests.gateway.http.backend_scripts import always, hold_open, in_turn
from tests.gateway.http.gateway_fixture import Client, Peer, stage
from tests.gateway.http.message_builders import (
    call,
    events,
    old,
    reply,
    request,
    result,
)

OK = result(content=[])
NOTE = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}'
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def piece(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_events_pass_one_by_one_as_they_come(tmp_path: Path) -> None:
    parts = [
        b": hello\n\n",
        b"id: 1\ndata:\n\n",
        b"event: message\nid: 2\ndata: " + NOTE + b"\n\n",
        b"retry: 10\ndata: " + OK[:17] + b"\ndata: " + OK[17:] + b"\n\n",
    ]
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(EVENTS)
        for part in parts:
            peer.send(piece(part[:7]))
            peer.send(piece(part[7:]))
            while part not in seen:
                time.sleep(0.01)
        peer.send(b"0\r\n\r\n")

    with stage(tmp_path, script) as (gateway, _):
        with gateway.client() as client:
            client.send(call())
            head = client.head()
            assert head.fields["content-type"] == "text/event-stream"
            for part in parts:
                assert client.chunk() == part
                seen.append(part)
            assert client.chunk() == b""
        assert gateway.outcomes() == ["completed"]


BAD = {
    "no message": b"hello",
    "a request to the client": b'{"jsonrpc":"2.0","id":1,"method":"roots/list"}',
    "an answer to another request": result(id=2),
    "a result twice": OK.replace(b'"result"', b'"result":{},"result"'),
    "too large": b"x" * (9 * 1024 * 1024),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_an_event_that_may_not_pass_ends_the_stream_with_an_error(
    tmp_path: Path, data: bytes
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(events(NOTE, data, end=False))
        assert peer.gone()

    with stage(tmp_path, script) as (gateway, _):
        with gateway.client() as client:
            client.send(call())
            first, second, end = client.answer().body.split(b"\n\n")
            assert (first, end) == (b"data: " + NOTE, b"")
            error = json.loads(second.removeprefix(b"data: "))
            assert (error["id"], error["error"]["code"]) == (1, -32603)
            client.send(call("rm"))
            assert client.answer().status == 200
        assert gateway.outcomes() == ["upstream-error"]


def test_a_stream_that_breaks_off_ends_with_an_error_and_is_unknown(
    tmp_path: Path,
) -> None:
    with stage(tmp_path, in_turn([events(NOTE, end=False)])) as (gateway, _):
        with gateway.client() as client:
            client.send(call())
            assert b'"code":-32603' in client.answer().body
        assert gateway.outcomes() == ["unknown"]


def test_a_client_that_leaves_has_its_call_given_up(tmp_path: Path) -> None:
    gone: list[bool] = []

    def script(peer: Peer) -> None:
        peer.request()
        gone.append(peer.gone(10))

    for streams in (False, True):
        where = tmp_path / str(streams)
        with stage(where, script) as (gateway, backend):
            client = gateway.client()
            client.send(call())
            while not backend.requests:
                time.sleep(0.01)
            client.sock.close()
            while not gone:
                time.sleep(0.01)
            assert gone.pop()
            assert gateway.http_server.in_flight == {}
            assert gateway.outcomes() == ["unknown"]


def test_a_client_that_leaves_a_stream_has_it_given_up(tmp_path: Path) -> None:
    # In 2026-07-28 that is how a call is cancelled.
    gone: list[bool] = []

    with stage(tmp_path, hold_open(events(NOTE, end=False), gone)) as (gateway, _):
        client = gateway.client()
        client.send(call())
        client.head()
        client.chunk()
        client.sock.close()
        while not gone:
            time.sleep(0.01)
        assert gone == [True]
        assert gateway.outcomes() == ["unknown"]


def large(size: int) -> bytes:
    return result(content=[{"type": "text", "text": "x" * size}], requestState="s")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_result_passes_and_is_read(tmp_path: Path, chunked: bool) -> None:
    data = large(4 * 1024 * 1024)
    said = reply(data)
    if chunked:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        parts = [data[i : i + 50_000] for i in range(0, len(data), 50_000)]
        said = head + b"Transfer-Encoding: chunked\r\n\r\n"
        said += b"".join(map(piece, parts)) + b"0\r\n\r\n"

    with stage(tmp_path, always(said)) as (gateway, _):
        with gateway.client() as client:
            client.send(call("big"))
            assert client.answer().body == data
            client.send(call("big", requestState="s"))
            assert client.answer().body == data
        assert gateway.outcomes() == ["completed", "completed"]


def test_large_results_take_no_more_memory_the_more_there_are(tmp_path: Path) -> None:
    data = reply(large(4 * 1024 * 1024))

    with stage(tmp_path, always(data)) as (gateway, _), gateway.client() as client:

        def fetch() -> int:
            client.send(call("big"))
            left = int(client.head().fields["content-length"]) - len(client.held)
            client.held = b""
            while left:
                left -= len(client.sock.recv(65536))
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        before = [fetch() for _ in range(4)][-1]
        after = [fetch() for _ in range(20)][-1]
        assert after - before < 2 * 1024  # KiB


def test_a_large_result_that_asks_inputs_is_not_shown_unjudged(tmp_path: Path) -> None:
    members = json.loads(large(600_000))
    members["result"]["inputRequests"] = {"a": {"method": "elicitation/create"}}

    with stage(tmp_path, in_turn([reply(json.dumps(members).encode())])) as (
        gateway,
        _,
    ):
        with gateway.client() as client:
            client.send(call("big"))
            with pytest.raises((EOFError, ConnectionError)):
                client.answer()
        assert gateway.outcomes() == ["upstream-error"]


def test_a_large_result_cut_short_is_seen_to_be(tmp_path: Path) -> None:
    data = reply(large(600_000))[:-1]

    with stage(tmp_path, in_turn([data])) as (gateway, _):
        with gateway.client() as client:
            client.send(call("big"))
            with pytest.raises((EOFError, ConnectionError)):
                client.answer()
        assert gateway.outcomes() == ["unknown"]


def test_a_slow_client_holds_its_server_back(tmp_path: Path) -> None:
    sent: list[int] = []

    def script(peer: Peer) -> None:
        peer.request()
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        peer.send(EVENTS)
        event = piece(b": " + b"x" * 65_000 + b"\n\n")
        peer.sock.settimeout(1)
        try:
            for _ in range(2000):
                peer.send(event)
                sent.append(len(event))
        except TimeoutError:
            sent.append(0)

    with stage(tmp_path, script) as (gateway, _):
        with gateway.client() as client:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            client.send(call())
            while not sent or sent[-1]:
                time.sleep(0.05)
        # What the sockets between them hold, and no more.
        assert sum(sent) < 40 * 1024 * 1024


# Older sessions.


def session_of(client: Client) -> str:
    client.send(old("initialize", protocolVersion="2025-11-25"))
    return client.answer().fields["mcp-session-id"]


def older(peer: Peer) -> None:
    """A server with sessions, whose streams end when it is told so."""
    while True:
        head, body = peer.request()
        if head.startswith(b"GET"):
            resumed = b"last-event-id: 7" in head
            tools = result(id=3, tools=[{"name": "rm"}, {"name": "read_file"}])
            peer.send(
                EVENTS + piece(b"data: " + (tools if resumed else NOTE) + b"\n\n")
            )
            peer.gone(10)
            return
        if b"initialize" in body:
            peer.send(reply(OK, "200 OK", "Mcp-Session-Id: s-1"))
        else:
            peer.send(events(NOTE))  # and no answer: the client is to come back


def test_a_sessions_stream_is_its_callers_and_can_be_resumed(tmp_path: Path) -> None:
    version = "MCP-Protocol-Version: 2025-11-25"
    with (
        stage(tmp_path, older) as (gateway, _),
        gateway.client() as client,
        gateway.client() as other,
    ):
        session = session_of(client)
        said = f"Mcp-Session-Id: {session}"
        client.send(request(b"", version, said, method="GET"))
        assert client.head().status == 200
        assert client.chunk() == b"data: %b\n\n" % NOTE
        other.send(request(b"", version, said, method="GET", agent="ben"))
        assert other.answer().status == 404
        other.send(request(b"", version, said, "Last-Event-ID: 7", method="GET"))
        assert other.head().status == 200
        # Whatever it answers, a list holds what its caller may call.
        assert b'"tools":[{"name":"read_file"}]' in other.chunk().replace(b" ", b"")


def test_a_stream_that_an_older_server_ends_without_an_answer_is_unknown(
    tmp_path: Path,
) -> None:
    with stage(tmp_path, older) as (gateway, _):
        with gateway.client() as client:
            session = session_of(client)
            client.send(old("tools/call", session=session, name="read_file"))
            assert client.answer().body == b"data: %b\n\n" % NOTE
        assert gateway.outcomes() == ["completed", "unknown"]
