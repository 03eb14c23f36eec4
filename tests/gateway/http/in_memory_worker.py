"""A worker without sockets: both connections are transports that keep what is written.

So hundreds of slicings run in a second, and a test says itself when a record is on disk.
"""

import asyncio
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from answerable.authorization.decision_table import compile_table
from answerable.connectors.config.parse.config_file import read_config
from answerable.gateway.call_pipeline import Exchange
from answerable.gateway.http.client_connection import Front
from answerable.gateway.http.server import Door
from answerable.gateway.http.upstream_pool import Pool, _Connection, endpoint
from answerable.gateway.session_ids import Sessions
from answerable.gateway.upstream_credentials.credential import Credential
from answerable.model.caller import Caller, Shown
from answerable.model.config import Config
from answerable.model.decision import Decision, Durability
from answerable.model.ids import AgentId
from answerable.model.spool_record import Acted
from answerable.server.deadline_timer import Ticker
from answerable.server.mcp.call import Call
from answerable.server.recording.record_ticket import Ticket
from answerable.server.wire.host_check import Served
from answerable.usecases.authorization.authorize import Authority
from tests.federation.sample_tokens import AUD, ISS
from tests.gateway.http.gateway_fixture import CONFIG, SECRET
from tests.gateway.http.message_builders import HOST


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
    """Keeps what is recorded; what is durable waits for the test, where it says so."""

    loop: asyncio.AbstractEventLoop
    kept: list[object] = field(default_factory=list)
    waits: list[asyncio.Future[None]] | None = None

    def decided(
        self,
        caller: Caller,
        call: Call,
        decision: Decision,
        body: bytes,
        shown: Credential | None = None,
        acted: Acted | None = None,
        later: bool = False,
    ) -> Ticket:
        assert shown is None
        self.kept.append((caller.agent, call, decision, body))
        id = f"{len(self.kept):032x}"
        durable = None
        if self.waits is not None and decision.durability is Durability.DURABLE:
            durable = self.loop.create_future()
            self.waits.append(durable)
        return Ticket(id, len(self.kept), caller.agent, decision.passes, durable)

    def settle(self) -> None:
        pass

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


@cache
def read() -> Config:
    text = CONFIG.format(port=1, more="", iss=ISS, aud=AUD)
    return read_config(text.encode(), "answerable.yaml", "/").config


def worker(loop: asyncio.AbstractEventLoop) -> Worker:
    config = read()
    ticker = Ticker(loop)
    ticker.add = lambda timed: None  # type: ignore[method-assign]
    notes: Any = Notes(loop)
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
