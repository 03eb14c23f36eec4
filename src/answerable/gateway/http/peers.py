"""The workers of one gateway, and which of them answers a caller.

What a worker remembers (states, tasks, proofs seen, calls under way) is kept by one
worker for each principal: the owner. A connection whose first caller belongs to another
worker is relayed to that one as bytes, over a socket in the state folder; before them
goes one line with what the transport knew of the client. Only our own user can reach
that folder, so the line is believed as the transport itself.
"""

import asyncio
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from answerable.serving.admission import Slot
from answerable.serving.link import Link
from answerable.serving.wire.place import Served

MAX_PREFACE = 256 * 1024
PATIENCE = 10.0  # seconds for an owner that ended to be there anew
AGAIN = 0.1  # seconds between two attempts
UCRED = struct.Struct("=iII")  # pid, uid, gid (unix(7), SO_PEERCRED)


class Preface(msgspec.Struct, frozen=True):
    """What goes before the bytes of a relayed connection.

    Attributes:
        link: What the transport knew of the client.
        hosts: Values of Host that its listener serves.
        origins: Values of Origin that may call there.
    """

    link: Link
    hosts: frozenset[str]
    origins: frozenset[str]


class Peers:
    """The other workers, seen from one.

    Args:
        worker: Its own number.
        workers: How many there are.
        folder: Where each listens for the others; our user's alone.
        loop: The worker's loop.
    """

    def __init__(
        self, worker: int, workers: int, folder: Path, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._worker, self._workers = worker, workers
        self._folder, self._loop = folder, loop
        self._connecting: set[asyncio.Task[None]] = set()
        self._relayed: set[_Side] = set()

    @property
    def is_busy(self) -> bool:
        """Whether a connection is relayed still; its owner ends it."""
        return bool(self._relayed)

    def abort(self) -> None:
        """Cut every connection that is relayed."""
        for side in list(self._relayed):
            side.abort()

    def owns(self, principal: str) -> bool:
        """Say whether this worker answers a principal."""
        return self._owner(principal) == self._worker

    def hand_over(
        self,
        transport: asyncio.Transport,
        principal: str,
        link: Link,
        served: Served,
        received: bytes,
        slot: Slot | None = None,
    ) -> None:
        """Relay a connection to the owner of its caller, from now to its end.

        Args:
            transport: The client's.
            principal: The caller of its first request.
            link: What is known of the client.
            served: What its listener serves.
            received: Every byte that came so far.
            slot: Its place in this worker, kept until its end.
        """
        near = _Side(self._relayed, slot)
        near.connection_made(transport)
        transport.set_protocol(near)
        transport.pause_reading()
        preface = msgspec.json.encode(Preface(link, served.hosts, served.origins))
        path = socket_of(self._folder, self._owner(principal))
        work = self._connect(near, path, preface + b"\n" + received)
        task = self._loop.create_task(work)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, near: "_Side", path: Path, first: bytes) -> None:
        far = _Side(self._relayed)
        try:
            async with asyncio.timeout(PATIENCE):
                # Nobody tells when it listens.
                while not await self._reach(far, path):  # noqa: ASYNC110
                    await asyncio.sleep(AGAIN)
        except TimeoutError:
            near.abort()
            return
        far.write(first)
        near.join(far)

    async def _reach(self, far: "_Side", path: Path) -> bool:
        """Connect to the owner; False where it does not listen, as while it starts."""
        try:
            await self._loop.create_unix_connection(lambda: far, str(path))
        except OSError:
            return False
        return True

    def _owner(self, principal: str) -> int:
        return zlib.crc32(principal.encode()) % self._workers


def socket_of(folder: Path, worker: int) -> Path:
    """Where a worker listens for the others."""
    return folder / f"worker-{worker}.sock"


class Arrival(asyncio.Protocol):
    """A connection that another worker relays; after its preface it is a client's.

    Args:
        front: Makes the protocol of a client, from what the preface says.
    """

    def __init__(self, front: Callable[[Link, Served], asyncio.Protocol]) -> None:
        self._front = front
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the preface, from a process of our own user alone."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        said = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
        if UCRED.unpack(said)[1] != os.geteuid():
            self._transport.abort()
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """Take the preface; what follows is the client's."""
        transport = self._transport
        self._received += data
        end = self._received.find(b"\n")
        if transport is None:
            return
        if end < 0:
            if len(self._received) > MAX_PREFACE:
                transport.abort()
            return
        try:
            said = msgspec.json.decode(self._received[:end], type=Preface)
        except msgspec.DecodeError:
            transport.abort()
            return
        front = self._front(said.link, Served(said.hosts, said.origins))
        transport.set_protocol(front)
        front.connection_made(transport)
        if len(self._received) > end + 1:
            front.data_received(bytes(self._received[end + 1 :]))


class _Side(asyncio.Protocol):
    """One side of a relayed connection; what it reads goes to the other.

    Args:
        among: Sides that are open; it is one of them while it is.
        slot: Place of the client's side among the connections of this worker.
    """

    is_busy = True  # its owner knows more

    def __init__(self, among: "set[_Side]", slot: Slot | None = None) -> None:
        self._among, self._slot = among, slot
        if slot is not None:
            slot.client = self
        self._transport: asyncio.Transport | None = None
        self._other: _Side | None = None

    def join(self, other: "_Side") -> None:
        """Read from here on, each for the other."""
        self._other, other._other = other, self
        if self._transport is None:  # gone meanwhile
            other.abort()
        else:
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send to whoever is at this side."""
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._among.add(self)
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Pass on what came."""
        if self._other is not None:
            self._other.write(data)

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """This side is gone, so the other has nobody to speak to."""
        self._among.discard(self)
        self._transport = None
        if self._slot is not None:
            self._slot.release()
        other = self._other
        if other is None or other._transport is None:
            return
        if exc is None:
            other._transport.close()
        else:
            other.abort()

    def pause_writing(self) -> None:
        """This side is slower: do not read the other."""
        if self._other is not None and self._other._transport is not None:
            self._other._transport.pause_reading()

    def resume_writing(self) -> None:
        """It took what there was."""
        if self._other is not None and self._other._transport is not None:
            self._other._transport.resume_reading()
