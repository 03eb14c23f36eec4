"""Whatever the slices, the same bytes and records; whatever is said, the same decision.

No socket here: both connections are transports that keep what is written, so that
hundreds of slicings run in a second.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.connectors.config.parse.document import read_config
from answerable.enforce.table import compile_table
from answerable.flows.authorize import Authority
from answerable.gateway.callers.sessions import Sessions
from answerable.gateway.exchange import Exchange
from answerable.gateway.http.door import Door
from answerable.gateway.http.front import Front
from answerable.gateway.http.pool import Pool, _Connection, endpoint
from answerable.gateway.http.ticker import Ticker
from answerable.gateway.recording.ticket import Ticket
from answerable.gateway.wire.call import Call
from answerable.gateway.wire.place import Served
from answerable.model.caller import Caller, Shown
from answerable.model.config import Config
from answerable.model.decision import Decision
from answerable.model.ids import AgentId
from tests.federate.tokens import AUD, ISS
from tests.gateway.build import META, body, sliced
from tests.gateway.http.spelling import (
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
from tests.gateway.http.stage import CONFIG, SECRET

CUTS = st.lists(st.integers(0, 2**16), max_size=8)
OK = result(content=[{"type": "text", "text": "x"}])


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.written += b"".join(parts)

    def get_extra_info(self, _: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading

    def close(self) -> None:
        self.closed = True

    abort = close


@dataclass
class Notes:
    """Keeps what is recorded; nothing waits for a disk."""

    kept: list[object] = field(default_factory=list)

    def decided(
        self, caller: Caller, call: Call, decision: Decision, body: bytes
    ) -> Ticket:
        self.kept.append((caller.agent, call, decision, body))
        id = f"{len(self.kept):032x}"
        return Ticket(id, len(self.kept), caller.agent, decision.passes, None)

    def ended(self, ticket: Ticket, end: object) -> None:
        self.kept.append((ticket.id, end))

    def refused(
        self, why: str, caller: Caller | None, server: str, method: str
    ) -> None:
        self.kept.append((str(why), server, method))


class Ana:
    """Everybody is ana."""

    def identify(self, *_: object) -> Caller:
        agent = AgentId("agent:declared/ana")
        return Caller(agent, True, "", "run", Shown.BEARER_TOKEN, "p/ana", b"", 0)


@dataclass
class Worker:
    front: Front
    client: Wire
    upstream: _Connection
    server: Wire
    notes: Notes


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@cache
def read() -> Config:
    text = CONFIG.format(port=1, more="", iss=ISS, aud=AUD)
    return read_config(text.encode(), "answerable.yaml", "/").config


def worker(loop: asyncio.AbstractEventLoop) -> Worker:
    config = read()
    ticker = Ticker(loop)
    ticker.add = lambda timed: None  # type: ignore[method-assign]
    notes: Any = Notes()
    pool = Pool(endpoint(config.servers[0]), config.limits, ticker, loop)
    exchange = Exchange(Authority(compile_table(config)), notes, {"files": pool})
    ana: Any = Ana()
    door = Door(exchange, ana, Sessions(SECRET), config.limits, ticker, loop)
    client, server = Wire(), Wire()
    front = Front(door, Served(frozenset({HOST})), "")
    front.connection_made(client)  # type: ignore[arg-type]
    upstream = _Connection(pool)
    upstream.connection_made(server)  # type: ignore[arg-type]
    pool.keep(upstream)
    return Worker(front, client, upstream, server, notes)


REQUESTS = [
    call(),
    call("big", id="x"),
    call("rm"),
    ask("tools/list"),
    ask("resources/read", uri="file:///srv/a"),
    old("tools/call", name="read_file"),
    old("initialize"),
    request(b"[]"),
    call().replace(b"HTTP/1.1", b"HTTP/1.0", 1),
]
ANSWERS = [
    reply(OK),
    reply(result(id="x", tools=[{"name": "rm"}, {"name": "read_file"}])),
    reply(result(resultType="input_required", requestState="s")),
    reply(OK, "200 OK", "Mcp-Session-Id: s-1"),
    reply(result(content=["x" * 300_000])),
    events(b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}', OK),
    events(OK, b"hello"),
    reply(OK).replace(b"Content-Length", b"Content-Length: 1\r\nContent-Length"),
    reply(OK) + b"x",
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
]


@given(st.sampled_from(REQUESTS), st.sampled_from(ANSWERS), CUTS, CUTS)
@settings(max_examples=100)
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
@settings(max_examples=100)
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
