"""Bytes come from whoever connected, or nothing does."""

import array
import asyncio
import os
import socket
import sys
from collections.abc import Iterator

import pytest

from answerable.server.processes.pidfd_process import NotAttested, ProcessGone
from answerable.server.processes.sender_check import (
    ForeignSender,
    SenderCheckedReader,
    enable_sender_credentials,
)
from answerable.server.processes.sender_listener import SenderCheckedListener
from tests.server.processes.connecting_process import ConnectingProcess, listening

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")

FORK_AND_SEND = (
    "child = os.fork() or (there.send(b'foreign'), os._exit(0)); os.waitpid(child, 0)"
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listening() as here:
        enable_sender_credentials(here)
        yield here


def test_what_whoever_connected_sends_is_read(listener: socket.socket) -> None:
    with ConnectingProcess(listener) as visitor:
        senders = SenderCheckedReader(visitor.connection)
        visitor.do("there.send(b'one')")
        assert senders.receive(100) == b"one"
        visitor.do("there.shutdown(socket.SHUT_WR)")
        assert senders.receive(100) == b""
        senders.close()


def test_pieces_of_two_are_never_one(listener: socket.socket) -> None:
    with ConnectingProcess(listener) as visitor:
        senders = SenderCheckedReader(visitor.connection)
        visitor.do("there.send(b'own')")
        visitor.do(FORK_AND_SEND)
        assert senders.receive(100) == b"own"
        with pytest.raises(ForeignSender):
            senders.receive(100)
        senders.close()


def test_what_was_sent_before_it_was_accepted_has_a_sender_too(
    listener: socket.socket,
) -> None:
    with ConnectingProcess(listener) as visitor:
        visitor.do(
            "second = socket.socket(socket.AF_UNIX); "
            "second.connect(chr(0) + sys.argv[1]); second.send(b'early')"
        )
        visitor.do(
            "third = socket.socket(socket.AF_UNIX); "
            "third.connect(chr(0) + sys.argv[1]); there = third; " + FORK_AND_SEND
        )
        with listener.accept()[0] as second, listener.accept()[0] as third:
            first, other = SenderCheckedReader(second), SenderCheckedReader(third)
            assert first.receive(100) == b"early"
            with pytest.raises(ForeignSender):
                other.receive(100)
            first.close()
            other.close()


def test_what_a_process_wrote_before_it_ended_is_not_taken(
    listener: socket.socket,
) -> None:
    with ConnectingProcess(listener) as visitor:
        senders = SenderCheckedReader(visitor.connection)
        visitor.do("there.send(b'last words')")
        visitor.end()
        with pytest.raises(ProcessGone):
            senders.receive(100)
        senders.close()


def test_a_sender_of_files_is_told_no_or_cut(listener: socket.socket) -> None:
    send = (
        "import array; pipe = os.pipe(); files = array.array('i', pipe).tobytes(); "
        "there.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])"
    )
    with ConnectingProcess(listener) as visitor:
        senders = SenderCheckedReader(visitor.connection)
        if _can_refuse(visitor.connection):
            assert visitor.do(send) == ""
            return
        visitor.do(send)
        with pytest.raises(ForeignSender):
            senders.receive(100)
        senders.close()


@pytest.mark.parametrize("count", [1, 64, 200])
def test_files_that_an_older_kernel_lets_through_are_closed(count: int) -> None:
    here, there = socket.socketpair()
    with here, there:
        senders = SenderCheckedReader(here)
        if _can_refuse(here):
            here.setsockopt(socket.SOL_SOCKET, 83, 1)
        handles = array.array("i", [there.fileno()] * count).tobytes()
        there.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)])
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(ForeignSender):
            senders.receive(100)
        assert len(os.listdir("/proc/self/fd")) == before
        senders.close()


def _can_refuse(connection: socket.socket) -> bool:
    try:
        connection.getsockopt(socket.SOL_SOCKET, 83)
    except OSError:
        return False
    return True


@pytest.mark.skipif(os.getuid() != 0, reason="turns into another user")
def test_who_turned_into_somebody_else_is_foreign(listener: socket.socket) -> None:
    with ConnectingProcess(listener) as visitor:
        senders = SenderCheckedReader(visitor.connection)
        visitor.do("os.setresuid(1002, 1002, 1002); there.send(b'x')")
        with pytest.raises(ForeignSender):
            senders.receive(100)
        senders.close()


# Under a protocol.


class Echo(asyncio.Protocol):
    """Gives back what it gets; keeps what it was told."""

    def __init__(self) -> None:
        self.got = b""
        self.pauses = 0
        self.lost: asyncio.Future[Exception | None] = (
            asyncio.get_running_loop().create_future()
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.pauses += 1
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


def served(scenario, uvloop: bool):  # type: ignore[no-untyped-def]
    async def run() -> object:
        with listening() as here:
            made: list[Echo] = []
            refused: list[str] = []

            def make() -> Echo:
                made.append(Echo())
                return made[-1]

            loop = asyncio.get_running_loop()
            served = SenderCheckedListener(loop, here, make, refused.append)
            try:
                return await scenario(here.getsockname(), made, refused)
            finally:
                served.close()

    if uvloop:
        import uvloop as faster

        return faster.run(run())
    return asyncio.run(run())


both = pytest.mark.parametrize("uvloop", [False, True])


@both
def test_a_protocol_sees_no_difference(uvloop: bool) -> None:
    async def scenario(name: bytes, made: list[Echo], refused: list[str]) -> None:
        reader, writer = await connected(name)
        many = os.urandom(3_000_000)
        writer.write(many)
        assert await reader.readexactly(len(many)) == many
        writer.write_eof()
        assert await reader.read() == b""
        assert await made[0].lost is None
        assert made[0].got == many
        assert made[0].transport.is_closing()
        writer.close()
        await writer.wait_closed()
        assert refused == []

    served(scenario, uvloop)


@both
def test_a_reader_that_is_slow_holds_its_writer_back(uvloop: bool) -> None:
    async def scenario(name: bytes, made: list[Echo], refused: list[str]) -> None:
        reader, writer = await connected(name)
        many = b"x" * 5_000_000
        writer.write(many)
        async with asyncio.timeout(60):
            while not made[0].pauses:  # noqa: ASYNC110 - a count
                await asyncio.sleep(0.01)
        assert made[0].transport.get_write_buffer_size() < 1_000_000
        assert await reader.readexactly(len(many)) == many
        writer.close()
        await writer.wait_closed()
        await made[0].lost

    served(scenario, uvloop)


@both
def test_a_foreign_sender_ends_the_connection(uvloop: bool) -> None:
    async def scenario(name: bytes, made: list[Echo], refused: list[str]) -> None:
        there = socket.socket(socket.AF_UNIX)
        there.connect(name)
        there.set_inheritable(True)
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            f"import os; os.write({there.fileno()}, b'foreign')",
            close_fds=False,
        )
        await child.wait()
        await asyncio.sleep(0)
        told = await asyncio.wait_for(made[0].lost, 60)
        assert isinstance(told, NotAttested)
        assert refused == ["foreign-sender"]
        assert made[0].got == b""
        there.settimeout(60)
        assert there.recv(10) == b""
        there.close()

    served(scenario, uvloop)


async def connected(name: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    there = socket.socket(socket.AF_UNIX)
    there.connect(name)
    return await asyncio.open_unix_connection(sock=there, limit=1024)


@both
def test_what_is_written_before_the_end_arrives(uvloop: bool) -> None:
    async def scenario(name: bytes, made: list[Echo], refused: list[str]) -> None:
        reader, writer = await connected(name)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        made[0].transport.write(b"y" * 2_000_000)
        made[0].transport.close()
        made[0].transport.close()
        assert await reader.read() == b"y" * 2_000_000
        assert await made[0].lost is None
        writer.close()
        await writer.wait_closed()

    served(scenario, uvloop)


@both
def test_an_abort_does_not_wait(uvloop: bool) -> None:
    async def scenario(name: bytes, made: list[Echo], refused: list[str]) -> None:
        reader, writer = await connected(name)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        made[0].transport.write(b"y" * 5_000_000)
        made[0].transport.abort()
        assert await made[0].lost is None
        made[0].transport.write(b"late")
        writer.close()

    served(scenario, uvloop)
