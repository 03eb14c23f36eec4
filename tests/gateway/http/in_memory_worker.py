"""A worker without sockets: both connections are transports that keep what is written.

So hundreds of slicings run in a second, and a test says itself when a record is on disk.
"""

import asyncio
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from answerable.authorization.decision_table import build_decision_table
from answerable.connectors.config.parse.config_file import parse_config
from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.http.client_connection import ClientConnection
from answerable.gateway.http.server import GatewayHttpServer
from answerable.gateway.http.upstream_pool import (
    UpstreamPool,
    _UpstreamConnection,
    parse_endpoint,
)
from answerable.gateway.session_ids import SessionIdBinder
from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.config import Config
from answerable.model.decision import Decision, RecordDurability
from answerable.model.ids import AgentId
from answerable.model.spool_record import CallBehaviour
from answerable.server.admission import AdmissionControl
from answerable.server.deadline_timer import DeadlineTimer
from answerable.server.mcp.call import McpCall
from answerable.server.recording.record_ticket import RecordTicket
from answerable.server.wire.host_check import ServedNames
from answerable.usecases.authorization.authorize import Authorizer
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

    def record_decision(
        self,
        caller: VerifiedCaller,
        call: McpCall,
        decision: Decision,
        body: bytes,
        credential: PresentedCredential | None = None,
        behaviour: CallBehaviour | None = None,
        deferred: bool = False,
    ) -> RecordTicket:
        assert credential is None
        self.kept.append((caller.agent, call, decision, body))
        id = f"{len(self.kept):032x}"
        durable = None
        if self.waits is not None and decision.durability is RecordDurability.DURABLE:
            durable = self.loop.create_future()
            self.waits.append(durable)
        return RecordTicket(id, len(self.kept), caller.agent, decision.passes, durable)

    def write_deferred(self) -> None:
        pass

    def record_end(self, ticket: RecordTicket, end: object) -> None:
        self.kept.append((ticket.id, end))

    def count_refused(
        self, why: str, caller: VerifiedCaller | None, server: str, method: str
    ) -> None:
        self.kept.append((str(why), server, method))


class Ana:
    """Everybody is ana."""

    def authenticate(self, *_: object) -> VerifiedCaller:
        agent = AgentId("agent:declared/ana")
        return VerifiedCaller(
            agent, True, "", "run", AuthenticationMethod.BEARER_TOKEN, "p/ana", b"", 0
        )


@dataclass
class Worker:
    front: ClientConnection
    client: Wire
    upstream: _UpstreamConnection
    server: Wire
    notes: Notes


@cache
def read() -> Config:
    text = CONFIG.format(port=1, more="", iss=ISS, aud=AUD)
    return parse_config(text.encode(), "answerable.yaml", "/").config


def worker(loop: asyncio.AbstractEventLoop) -> Worker:
    config = read()
    ticker = DeadlineTimer(loop)
    ticker.add = lambda timed: None  # type: ignore[method-assign]
    notes: Any = Notes(loop)
    pool = UpstreamPool(parse_endpoint(config.servers[0]), config.limits, ticker, loop)
    exchange = CallPipeline(
        Authorizer(build_decision_table(config)), notes, {"files": pool}
    )
    ana: Any = Ana()
    http_server = GatewayHttpServer(
        exchange,
        ana,
        SessionIdBinder(SECRET),
        config.limits,
        ticker,
        loop,
        admission=AdmissionControl(config.limits),
    )
    client, server = Wire(), Wire()
    front = ClientConnection(http_server, ServedNames(frozenset({HOST})), "")
    front.connection_made(client)  # type: ignore[arg-type]
    upstream = _UpstreamConnection(pool)
    upstream.connection_made(server)  # type: ignore[arg-type]
    pool.add_idle(upstream)
    return Worker(front, client, upstream, server, notes)
