"""A wrapper of a server with a URL says over HTTP what a line cannot."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.http.gateway_fixture import Backend, Peer
from tests.gateway.http.message_builders import reply, result
from tests.gateway.stdio.wrapper_fixture import (
    META,
    Wrapped,
    call,
    decided,
    line,
    settings,
    spool_of,
    wrapper,
)

SESSION = "s-1"


def script(peer: Peer) -> None:
    """Answer as a server of either era would."""
    while True:
        head, body = peer.request()
        method = head.partition(b" ")[0]
        message = json.loads(body) if body else {}
        if method == b"GET":
            peer.send(reply(b"", "405 Method Not Allowed"))
        elif method == b"DELETE":
            peer.send(reply(b""))
        elif "id" not in message:
            peer.send(reply(b"", "202 Accepted"))
        elif message["method"] == "initialize":
            given = {"protocolVersion": "2025-06-18", "capabilities": {}}
            said = result(message["id"], **given)
            peer.send(reply(said, "200 OK", f"Mcp-Session-Id: {SESSION}"))
        elif message["params"]["name"] == "wait":
            peer.gone(20)
            raise EOFError
        elif message["params"]["name"] == "page":
            peer.send(reply(b"<html>", "500 No", kind="text/html"))
        else:
            peer.send(reply(result(message["id"], content=[])))


def fields(head: bytes) -> dict[str, str]:
    lines = head.decode().split("\r\n")[1:]
    return dict(each.lower().split(": ", 1) for each in lines)


@pytest.fixture
def backend() -> Iterator[Backend]:
    started = Backend(script)
    yield started
    started.close()


def config(backend: Backend) -> dict[str, Any]:
    asked = settings()
    url = f"http://127.0.0.1:{backend.port}/mcp"
    # Nothing is asked of it but what a client asks.
    asked["servers"]["scripted"] = {"url": url, "reads": ["*"], "pin": "off"}
    asked["agents"]["desktop"]["allow"][0]["tools"] = ["*"]
    return asked


def first(backend: Backend, method: str) -> dict[str, str]:
    """Fields of the first request of an HTTP method."""
    start = method.encode() + b" "
    return next(fields(head) for head, _ in backend.requests if head.startswith(start))


def test_a_session_is_kept_and_ended(tmp_path: Path, backend: Backend) -> None:
    with wrapper(tmp_path, config=config(backend)) as wrapped:
        wrapped.initialize()
        assert "result" in wrapped.ask(call("echo", 1, None))
        assert wrapped.end() == 0
    # A stream of notices may still be opening when the session ends.
    ended = first(backend, "DELETE")
    assert ended["mcp-session-id"] == SESSION
    # What was agreed on, not what was asked for.
    assert ended["mcp-protocol-version"] == "2025-06-18"
    assert first(backend, "GET")["mcp-session-id"] == SESSION
    assert "mcp-session-id" not in first(backend, "POST")


@pytest.mark.parametrize(
    ("name", "mirrored"),
    [("echo", "echo"), ("grüße", "=?base64?Z3LDvMOfZQ==?="), (" a", "=?base64?IGE=?=")],
)
def test_what_the_body_names_stands_in_the_head(
    tmp_path: Path, backend: Backend, name: str, mirrored: str
) -> None:
    with wrapper(tmp_path, config=config(backend)) as wrapped:
        sent = call(name, 1)
        assert "result" in wrapped.ask(sent)
    head, body = backend.requests[0]
    assert body == sent
    found = {key: value for key, value in fields(head).items() if "mcp" in key}
    assert found == {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": mirrored.lower(),
    }


def test_a_cancellation_closes_the_stream(tmp_path: Path, backend: Backend) -> None:
    cancel = line("notifications/cancelled", {"requestId": 1})
    with wrapper(tmp_path, config=config(backend)) as wrapped:
        wrapped.send(call("wait", 1), cancel)
        assert "result" in wrapped.ask(call("echo", 2))
        assert wrapped.end() == 0
    assert cancel not in [body for _, body in backend.requests]


def test_a_signal_leaves_what_is_under_way_unknown(
    tmp_path: Path, backend: Backend
) -> None:
    spool = spool_of(tmp_path)
    with wrapper(tmp_path, config=config(backend)) as wrapped:
        wrapped.ask(call("echo", 1))
        wrapped.send(call("wait", 2))
        while not any(b'"wait"' in body for _, body in backend.requests):
            time.sleep(0.01)
        wrapped.process.send_signal(signal.SIGTERM)
        assert wrapped.process.wait(60) == 128 + signal.SIGTERM
    assert [how for *_, how in decided(spool)] == ["completed", "unknown"]


def test_a_page_is_no_answer(tmp_path: Path, backend: Backend) -> None:
    with wrapper(tmp_path, config=config(backend)) as wrapped:
        assert wrapped.ask(call("page", 1))["error"]["code"] == -32603


def test_a_server_that_is_not_there_is_an_error_of_each_call(tmp_path: Path) -> None:
    gone = Backend(script)
    gone.close()
    with wrapper(tmp_path, config=config(gone)) as wrapped:
        assert lost(wrapped, 1) == lost(wrapped, 2) == -32603
        assert wrapped.end() == 0


def lost(wrapped: Wrapped, id: int) -> int:
    answer = wrapped.ask(call("echo", id, META))
    assert answer["id"] == id
    return int(answer["error"]["code"])
