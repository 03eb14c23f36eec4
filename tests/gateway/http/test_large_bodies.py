"""A large body is parsed in another process, with the same result as here."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.wire.mcp_request_head import (
    McpRequestHead,
    parse_request,
    parse_request_head,
)
from answerable.server import large_body_parser
from answerable.server.large_body_parser import (
    MIN_SIZE,
    LargeBodyParser,
    _encode_head,
    _result_decoder,
)
from answerable.server.large_body_worker import build_call, parse_body
from answerable.server.mcp.call import McpCall
from answerable.server.wire.refusals import RequestRefused
from answerable.server.wire.request_head import HttpRequestHead
from tests.gateway.http.backend_scripts import always
from tests.gateway.http.gateway_fixture import stage
from tests.gateway.http.message_builders import ask, call, old, reply, request, result

VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "A", "name", "é"]), inner, max_size=3)
    ),
    max_leaves=8,
)
MESSAGES = st.one_of(
    st.builds(lambda value: call("read_file", a=value), VALUES),
    st.builds(lambda value: call("big", arguments=value), VALUES),
    st.builds(lambda value: old("tools/call", name="x", arguments=value), VALUES),
    st.builds(lambda uri: ask("resources/read", uri=uri), st.text("abc/:", max_size=5)),
    st.sampled_from(
        [
            ask("tools/list"),
            old("initialize"),
            old("notifications/cancelled", requestId=1),
            request(b"[]"),
            request(b"[" * 500),
            request(b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}'),
            request(b'{"jsonrpc":"2.0","id":7,"Method":"ping","method":"ping"}'),
            request(b"\xff" * 9),
            call("read_file", id="x", a="[" * 70),
        ]
    ),
)


def split(data: bytes) -> tuple[McpRequestHead, bytes]:
    head, end, body = data.partition(b"\r\n\r\n")
    return parse_request_head(head + end), body


def outcome(read: Callable[[], McpCall]) -> object:
    """A call with its arguments as bytes, or all that a refusal has."""
    try:
        found = read()
    except RequestRefused as no:
        return no.why, no.offset, no.id, no.method, no.jsonrpc_error(), str(no)
    return msgspec.structs.asdict(found) | {"arguments": bytes(found.arguments)}


def elsewhere(head: McpRequestHead, body: bytes) -> object:
    """What the other process answers, without a process."""
    read = msgspec.msgpack.decode(_encode_head(head.head), type=HttpRequestHead)
    result = msgspec.msgpack.encode(parse_body(read, body))
    return outcome(lambda: build_call(_result_decoder.decode(result), body))


@given(MESSAGES, st.integers(0, 200), st.binary(max_size=2))
@settings(max_examples=300)
def test_both_processes_have_the_same_result(data: bytes, at: int, bits: bytes) -> None:
    head, body = split(data)
    for each in (body, body[:at] + bits + body[at:]):
        assert elsewhere(head, each) == outcome(
            lambda each=each: parse_request(head, each)
        )


def test_the_other_process_gets_no_credential() -> None:
    data = call().replace(b"Bearer ", b"Bearer canary.", 1)
    data = data.replace(b"\r\n", b"\r\nCookie: canary\r\nDPoP: canary\r\n", 1)
    head, _ = split(data)
    assert "canary" in head.head.fields["authorization"]
    assert b"canary" not in _encode_head(head.head)


@pytest.fixture
def reports() -> list[str]:
    return []


Parse = Callable[[bytes], object]


@pytest.fixture
def parser(reports: list[str]) -> Iterator[tuple[LargeBodyParser, Parse]]:
    with asyncio.Runner() as runner:
        made = LargeBodyParser(reports.append)

        def parse(data: bytes) -> object:
            head, body = split(data)
            parsed = runner.run(made.parse(head.head, body))
            return outcome(parsed.read_call)

        yield made, parse
        runner.run(made.close())


def large(**more: Any) -> bytes:
    return call("big", a="x" * MIN_SIZE, **more)


def here(data: bytes) -> object:
    head, body = split(data)
    return outcome(lambda: parse_request(head, body))


def test_a_process_parses_one_body_after_the_other(
    parser: tuple[LargeBodyParser, Parse], reports: list[str]
) -> None:
    made, parse = parser
    assert parse(large()) == here(large())
    assert made._process is not None
    made._process.send_signal(signal.SIGINT)  # as Ctrl-C at a terminal does
    for data in (large(), request(b"[" * MIN_SIZE), large(id="other"), large()):
        assert parse(data) == here(data)
    process = made._process
    assert process is not None
    assert process.returncode is None
    assert reports == []


def test_where_the_process_ends_bodies_are_parsed_here_and_it_starts_again(
    parser: tuple[LargeBodyParser, Parse],
    reports: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, parse = parser
    assert parse(large()) == here(large())
    first = made._process
    assert first is not None
    first.kill()
    assert parse(large()) == here(large())
    assert len(reports) == 1
    assert parse(large()) == here(large())  # not started again at once
    assert made._process is None
    monkeypatch.setattr(made, "_start_at", 0.0)
    assert parse(large()) == here(large())
    assert made._process is not None
    assert made._process.pid != first.pid
    assert len(reports) == 1


def test_a_process_that_hangs_is_ended(
    parser: tuple[LargeBodyParser, Parse],
    reports: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, parse = parser
    parse(large())
    monkeypatch.setattr(large_body_parser, "_MAX_SECONDS", 0.2)
    assert made._process is not None
    made._process.send_signal(signal.SIGSTOP)
    assert parse(large()) == here(large())
    assert reports == ["TimeoutError"]
    assert made._process is None


def test_a_process_that_cannot_be_started_is_reported(
    parser: tuple[LargeBodyParser, Parse],
    reports: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, parse = parser
    monkeypatch.setattr(large_body_parser.sys, "executable", "/nowhere/python")
    assert parse(large()) == here(large())
    assert reports == ["FileNotFoundError"]


def test_a_failure_while_a_call_waits_closes_its_connection(tmp_path: Path) -> None:
    """Also where the call waits for its turn (over 32 KiB)."""
    with stage(tmp_path, always(reply(result(content=[])))) as (gateway, backend):
        failures: list[BaseException] = []
        gateway.loop.set_exception_handler(
            lambda _, context: failures.append(context["exception"])
        )
        http_server = gateway.http_server

        async def fail(*_: object) -> None:
            raise ZeroDivisionError

        def fail_now(*_: object) -> None:
            raise ZeroDivisionError

        for message, target, name, broken in (
            (large(), http_server.large_bodies, "parse", fail),
            (call("big", a="x" * 40_000), http_server.exchange, "authorize", fail_now),
        ):
            with pytest.MonkeyPatch.context() as patch, gateway.client() as client:
                patch.setattr(target, name, broken)
                client.send(message)
                assert client.is_closed_within(5)
        assert [type(each) for each in failures] == [ZeroDivisionError] * 2
        with gateway.client() as client:  # others are served, and nothing is held
            client.send(large())
            assert client.answer().status == 200
        assert len(backend.requests) == 1
        assert gateway.run(lambda: (http_server.held_bytes, http_server.in_flight)) == (
            {},
            {},
        )
