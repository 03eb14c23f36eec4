"""A connection that one worker took and another one answers."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import uvloop

from answerable.gateway.http import peer_workers
from answerable.gateway.http.peer_workers import (
    PeerWorkers,
    RelayedConnection,
    relay_socket_path,
)
from answerable.server.connection_info import ConnectionInfo, UnixPeer
from answerable.server.wire.host_check import ServedNames

SERVED = ServedNames(
    frozenset({"gw.example:8471"}), frozenset({"https://page.example"})
)
LINK = ConnectionInfo(
    b"\x30\x82\xff", UnixPeer(1, 2, 3, "a.service", 4), True, "https://gw"
)
OWNER, TAKER = 1, 0
HIS = next(
    f"corp {n}"
    for n in range(100)
    if PeerWorkers(OWNER, 2, Path(), None).owns_principal(f"corp {n}")  # type: ignore[arg-type]
)


class Echo(asyncio.Protocol):
    """The owner's side: remembers how it was made, and answers with what it hears."""

    def __init__(self, link: ConnectionInfo, served: ServedNames) -> None:
        self.link, self.served = link, served
        self.heard = b""
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)


class Taking(asyncio.Protocol):
    """The taker's side: hands over with the first bytes."""

    def __init__(self, peers: PeerWorkers) -> None:
        self.peers = peers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.peers.relay_to_owner(self.transport, HIS, LINK, SERVED, data)


class Stage:
    """Two workers on one loop, and clients of the one that takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.owned: list[Echo] = []
        self.servings: list[asyncio.Server] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def open(self, *, owner: bool = True) -> None:
        loop = asyncio.get_running_loop()
        self.peers = PeerWorkers(TAKER, 2, self.folder, loop)
        if owner:
            path = str(relay_socket_path(self.folder, OWNER))
            owning = await loop.create_unix_server(
                lambda: RelayedConnection(self._front), path
            )
            self.servings.append(owning)
        taking = await loop.create_server(lambda: Taking(self.peers), "127.0.0.1", 0)
        self.servings.append(taking)
        self.port = taking.sockets[0].getsockname()[1]

    async def client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def close(self) -> None:
        for writer in self.writers:
            writer.close()
        for serving in self.servings:
            serving.close()
        while self.peers.is_busy:
            self.peers.abort()
            await asyncio.sleep(0.01)

    def _front(self, link: ConnectionInfo, served: ServedNames) -> Echo:
        self.owned.append(Echo(link, served))
        return self.owned[-1]


async def ended(reader: asyncio.StreamReader) -> bool:
    """Say whether the other end closes, in order or not, and says nothing before."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


Story = Callable[[Stage], "asyncio.Future[None]"]


def play(folder: Path, story: Callable[[Stage], object]) -> None:
    async def played() -> None:
        stage = Stage(folder)
        async with asyncio.timeout(60):
            try:
                await cast(Story, story)(stage)
            finally:
                await stage.close()

    uvloop.run(played())


def test_the_owner_knows_what_the_transport_knew_and_answers(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.open()
        reader, writer = await stage.client()
        writer.write(b"first\n")
        assert await reader.readexactly(6) == b"first\n"
        writer.write(b"second")
        assert await reader.readexactly(6) == b"second"
        (owned,) = stage.owned
        assert (owned.link, owned.served) == (LINK, SERVED)
        writer.close()
        await owned.lost

    play(tmp_path, story)


def test_a_lost_owner_ends_the_connection(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.open()
        reader, writer = await stage.client()
        writer.write(b"x")
        await reader.readexactly(1)
        stage.owned[0].transport.abort()
        assert await ended(reader)

    play(tmp_path, story)


def test_an_owner_that_starts_is_waited_for(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.open(owner=False)
        reader, writer = await stage.client()
        writer.write(b"x")
        await asyncio.sleep(0.3)
        await stage.open()
        assert await reader.readexactly(1) == b"x"

    play(tmp_path, story)


def test_an_owner_that_is_not_there_ends_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_workers, "CONNECT_TIMEOUT", 0.3)

    async def story(stage: Stage) -> None:
        await stage.open(owner=False)
        reader, writer = await stage.client()
        writer.write(b"x")
        assert await ended(reader)

    play(tmp_path, story)


def test_whoever_is_slow_is_waited_for(tmp_path: Path) -> None:
    size = 32 << 20

    async def story(stage: Stage) -> None:
        await stage.open()
        reader, writer = await stage.client()
        writer.write(bytes(size))
        # Nothing is read back: what lies on the way fills up, and then all wait.
        heard = -1
        while not stage.owned or heard < len(stage.owned[0].heard):
            heard = len(stage.owned[0].heard) if stage.owned else -1
            await asyncio.sleep(0.5)
        assert heard < size
        assert len(await reader.readexactly(size)) == size

    play(tmp_path, story)


@pytest.mark.parametrize(
    "said", [b"no preface\n", b"{}\n", b'{"link": 7}\n', b"x" * (300 * 1024)]
)
def test_what_is_no_preface_is_cut_off(tmp_path: Path, said: bytes) -> None:
    async def story(stage: Stage) -> None:
        await stage.open()
        path = str(relay_socket_path(stage.folder, OWNER))
        reader, writer = await asyncio.open_unix_connection(path)
        stage.writers.append(writer)
        writer.write(said)
        assert await ended(reader)
        assert stage.owned == []

    play(tmp_path, story)


def test_each_principal_has_one_owner() -> None:
    workers = [PeerWorkers(number, 3, Path(), None) for number in range(3)]  # type: ignore[arg-type]
    for principal in ("corp ana", "corp ben", "uid:1001/a.service", ""):
        assert sum(worker.owns_principal(principal) for worker in workers) == 1
