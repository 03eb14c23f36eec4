"""Listeners under a flood: how much one iteration of the event loop begins."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from answerable.model.worker_limits import WorkerLimits
from answerable.server import tls_server
from answerable.server.accept_loop import ACCEPTS_PER_TURN, AcceptLoop
from answerable.server.admission import AdmissionControl
from answerable.server.listeners import start_accepting
from answerable.server.listening_sockets import BACKLOG
from tests.authority import Authority

FLOOD = 300  # connections that wait to be accepted


class TurnCounter:
    """Counts events per iteration of the event loop."""

    def __init__(self) -> None:
        self.total = self.most = self._now = self._wanted = 0
        self._reached = asyncio.Event()

    def add(self) -> None:
        self.total += 1
        self._now += 1
        self.most = max(self.most, self._now)
        if self.total == self._wanted:
            self._reached.set()

    async def wait_for(self, total: int) -> None:
        """Wait until that many were counted, from a first iteration on."""
        loop = asyncio.get_running_loop()
        self._wanted = total

        def begin_turn() -> None:
            self._now = 0
            if not self._reached.is_set():
                loop.call_soon(begin_turn)

        begin_turn()
        async with asyncio.timeout(60):
            await self._reached.wait()


def listening(family: socket.AddressFamily, where: Any) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.bind(where)
    bound.listen(BACKLOG)
    return bound


@contextmanager
def flood(bound: socket.socket, first: bytes = b"") -> Iterator[None]:
    """Connect many times before any of the connections is accepted."""
    with ExitStack() as held:
        for _ in range(FLOOD):
            wire = held.enter_context(socket.socket(bound.family, socket.SOCK_STREAM))
            wire.connect(bound.getsockname())
            wire.sendall(first)
        yield


def client_hello() -> bytes:
    """Return what a client sends first in a TLS handshake."""
    sent = ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        context.wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()
    raise AssertionError


@pytest.mark.parametrize("is_local", [False, True])
def test_few_plain_connections_begin_in_one_iteration(
    tmp_path: Path, is_local: bool
) -> None:
    bound = (
        listening(socket.AF_UNIX, str(tmp_path / "s"))
        if is_local
        else listening(socket.AF_INET, ("127.0.0.1", 0))
    )
    counter = TurnCounter()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            counter.add()
            cast(asyncio.Transport, transport).abort()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        with flood(bound):
            server = await start_accepting(
                loop, bound, Protocol, None, AdmissionControl(WorkerLimits())
            )
            await counter.wait_for(FLOOD)
            server.close()

    uvloop.run(run())
    assert counter.most <= ACCEPTS_PER_TURN


def test_few_attested_connections_begin_in_one_iteration(tmp_path: Path) -> None:
    bound = listening(socket.AF_UNIX, str(tmp_path / "s"))
    counter = TurnCounter()

    def begin(connection: socket.socket) -> None:
        counter.add()
        connection.close()

    async def run() -> None:
        with flood(bound):
            accepting = AcceptLoop(asyncio.get_running_loop(), bound, begin)
            await counter.wait_for(FLOOD)
            accepting.close()

    uvloop.run(run())
    bound.close()
    assert counter.most == ACCEPTS_PER_TURN


def test_few_handshakes_begin_in_one_iteration_and_none_without_bytes(
    tmp_path: Path,
) -> None:
    issued = Authority(tmp_path).issue("server")
    bound = listening(socket.AF_INET, ("127.0.0.1", 0))
    counter = TurnCounter()

    class CountedContext(ssl.SSLContext):
        def wrap_bio(self, *words: Any, **more: Any) -> ssl.SSLObject:
            counter.add()
            return super().wrap_bio(*words, **more)

    context = CountedContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    many = WorkerLimits(
        connections=4 * FLOOD, connections_per_address=4 * FLOOD, first_request=20
    )

    async def run() -> None:
        loop = asyncio.get_running_loop()
        with flood(bound), flood(bound, client_hello()):
            server = await start_accepting(
                loop, bound, asyncio.Protocol, context, AdmissionControl(many)
            )
            await counter.wait_for(FLOOD)
            await asyncio.sleep(0.1)
            server.close()

    uvloop.run(run())
    assert counter.most == tls_server.HANDSHAKES_PER_TURN
    assert counter.total == FLOOD
