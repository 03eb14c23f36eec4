"""What a server is shown, and what happens to a call where there is nothing to show."""

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from answerable.connectors.gateway.parse.call_events import RawRecord, build_call_event
from answerable.evidence.spool_format import encode_record
from answerable.gateway.http.client_connection import ClientConnection
from answerable.model.spool_record import DecisionRecord
from answerable.server.wire.host_check import ServedNames
from tests.gateway.http.backend_scripts import always
from tests.gateway.http.gateway_fixture import (
    URL,
    Backend,
    Gateway,
    Peer,
    Script,
    stage,
)
from tests.gateway.http.message_builders import HOST, call, events, reply, result
from tests.gateway.http.raw_client import Client
from tests.gateway.test_upstream_token_cache import Service

OK = result(content=[{"type": "text", "text": "hello"}])
DENIED = -31403
FILES = "https://files.example"


@contextmanager
def shown(
    folder: Path, script: Script | None = None
) -> Iterator[tuple[Gateway, Backend]]:
    """A gateway whose server is shown tokens of the service at `sts.sock`."""
    sts = f'sts: {{url: "https://sts.example", listen: [{{unix: {folder}/sts.sock}}]}}'
    audience = f"audience: {FILES}"
    with stage(folder, script or always(reply(OK)), sts, shown=audience) as both:
        yield both


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    """A token service at `sts.sock`."""
    told, ready, loop = Service(), threading.Event(), asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        async with await asyncio.start_unix_server(told, str(folder / "sts.sock")):
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(60)
    try:
        yield told
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(60)
        loop.close()


def authorizations(backend: Backend) -> list[bytes]:
    return [
        line.partition(b": ")[2]
        for head, _ in backend.requests
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"authorization:")
    ]


def test_calls_of_one_delegation_show_one_token_and_never_the_callers(
    tmp_path: Path,
) -> None:
    with service(tmp_path) as told, shown(tmp_path) as (gateway, backend):
        with gateway.client() as client:
            for _ in range(3):
                client.send(call())
                assert client.answer().body == OK
        sent = authorizations(backend)
        (decided, *_) = [r for r in gateway.records() if isinstance(r, DecisionRecord)]
    assert len(told.asked) == 1
    (own,) = told.asked[0]["subject_token"]
    assert len(set(sent)) == 1
    assert len(sent) == 3
    token = sent[0].partition(b" ")[2]
    assert own.encode() not in sent[0]
    assert decided.act.credential == hashlib.sha256(token).hexdigest()
    assert decided.act.jti == "j1"
    assert token not in encode_record(decided)
    event = build_call_event("r", RawRecord(decided, encode_record(decided)), None, b"")
    assert event.identity == f"https://sts.example/{decided.caller.agent}"


def test_where_the_service_is_away_the_call_is_an_error_on_record(
    tmp_path: Path,
) -> None:
    with shown(tmp_path) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            said = json.loads(client.answer().body)["error"]
        assert said["code"] == DENIED
        assert said["data"]["decision"] == "error"
        assert backend.requests == []
        assert gateway.decisions() == [("tools/call", "read_file", "credential")]
        (decided,) = [r for r in gateway.records() if isinstance(r, DecisionRecord)]
        assert decided.decision.layer == "credential"


PEER = """
  own:
    owner: own@example.com
    mode: enforce
    callers: [{{unix: {{uid: {uid}}}}}]
    allow: [{{server: files, tools: [read_file]}}]
sts: {{url: "https://sts.example", listen: [{{unix: {sts}}}]}}
"""


def test_a_process_at_a_socket_has_no_token_got_with_one_that_it_shows(
    tmp_path: Path,
) -> None:
    more = PEER.format(uid=os.getuid(), sts=tmp_path / "sts.sock")
    place = tmp_path / "gateway.sock"
    with (
        service(tmp_path) as told,
        stage(tmp_path, always(reply(OK)), more, shown=f"audience: {FILES}") as both,
    ):
        gateway, backend = both
        served = ServedNames(frozenset({HOST}))
        listening = gateway.loop.create_unix_server(
            lambda: ClientConnection(gateway.http_server, served, URL), str(place)
        )
        server = asyncio.run_coroutine_threadsafe(listening, gateway.loop).result(10)
        with Client(place) as client:
            for agent in ("ana", "ben"):
                client.send(call(agent=agent))
                said = json.loads(client.answer().body)["error"]
                assert said["data"]["decision"] == "error"
        gateway.run(server.close)
        decided = [r for r in gateway.records() if isinstance(r, DecisionRecord)]
    assert [each.decision.reason.value for each in decided] == ["credential"] * 2
    assert {each.caller.agent for each in decided} == {"agent:declared/own"}
    assert told.asked == []
    assert backend.requests == []


def test_what_is_denied_anyway_asks_for_no_token(tmp_path: Path) -> None:
    with service(tmp_path) as told, shown(tmp_path) as (gateway, backend):
        with gateway.client() as client:
            client.send(call(agent="ben", name="write_file"))
            said = json.loads(client.answer().body)["error"]
        assert said["data"]["decision"] == "deny"
        assert backend.requests == []
        assert gateway.decisions() == [("tools/call", "write_file", "no-rule")]
    assert told.asked == []


def _said(text: str) -> bytes:
    return result(content=[{"type": "text", "text": text}])


ECHOES: dict[str, Callable[[str], bytes]] = {
    "JSON": lambda text: reply(_said(text)),
    "an event": lambda text: events(_said(text)),
    "a large answer": lambda text: reply(_said("a" * (1 << 20) + text)),
    "a field": lambda text: reply(OK, "200 OK", f"Mcp-Echo: {text}"),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_a_token_that_a_server_was_shown_never_comes_back(
    tmp_path: Path, echo: Callable[[str], bytes]
) -> None:
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        head, _ = peer.request()
        field = next(line for line in head.split(b"\r\n") if b"Bearer" in line)
        seen.append(field.partition(b" ")[2])
        peer.send(echo(seen[0].decode()))
        peer.gone()

    with service(tmp_path), shown(tmp_path, script) as (gateway, _):
        with gateway.client() as client:
            client.send(call())
            got = bytearray()
            while b"-32603" not in got and not client.is_closed():
                got += client.held or client.sock.recv(1 << 20)
                client.held = b""
        assert gateway.outcomes() == ["leaked"]
    signature = seen[0].rpartition(b".")[2]
    assert signature[-12:] not in got
    assert signature[-64:-52] not in got
