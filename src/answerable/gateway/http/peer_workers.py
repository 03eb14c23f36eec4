"""Relay connections to the worker process that serves their principal.

The state of a principal (handles, tasks, seen proofs, open calls) is kept by one
worker, its owner. A connection whose first caller belongs to another worker is relayed
to that one as bytes, over a socket in the state folder, after one line with the
transport facts of the client. Only our own user can reach that folder, so the line is
as trusted as the transport itself.
"""

import asyncio
import os
import socket
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from answerable.server.admission import ConnectionSlot
from answerable.server.connection_info import ConnectionInfo
from answerable.server.processes.unix_peer import UCRED
from answerable.server.wire.host_check import ServedNames

MAX_PREFACE = 256 * 1024
CONNECT_TIMEOUT = 10.0  # seconds for an owner to restart
RETRY_DELAY = 0.1  # seconds between two attempts


class RelayPreface(msgspec.Struct, frozen=True):
    """First line of a relayed connection.

    Attributes:
        link: Transport facts of the client.
        hosts: Values of Host that its listener accepts.
        origins: Values of Origin that its listener accepts.
    """

    link: ConnectionInfo
    hosts: frozenset[str]
    origins: frozenset[str]


class PeerWorkers:
    """Other workers of a gateway, and the relay to them.

    Args:
        worker: Number of this worker.
        folder: Folder of the workers' sockets, accessible to our user alone.
        loop: Event loop of the worker.
    """

    def __init__(
        self, worker: int, workers: int, folder: Path, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._worker, self._workers = worker, workers
        self._folder, self._loop = folder, loop
        self._connecting: set[asyncio.Task[None]] = set()
        self._relayed: set[_RelayEnd] = set()

    @property
    def is_busy(self) -> bool:
        """True while a connection is relayed; its owner ends it."""
        return bool(self._relayed)

    def abort(self) -> None:
        """Cut every relayed connection."""
        for side in list(self._relayed):
            side.abort()

    def owns_principal(self, principal: str) -> bool:
        """Return whether this worker, and no other, serves a principal's calls."""
        return self._find_owning_worker(principal) == self._worker

    def relay_to_owner(
        self,
        transport: asyncio.Transport,
        principal: str,
        link: ConnectionInfo,
        served_names: ServedNames,
        received: bytes,
        slot: ConnectionSlot | None = None,
    ) -> None:
        """Relay a connection to the worker that serves its caller, until its end.

        Args:
            transport: Transport of the client.
            principal: Caller of the first request.
            link: Transport facts of the client.
            served_names: Accepted values of Host and Origin.
            received: Every byte received so far.
            slot: Its slot in this worker, kept until its end.
        """
        near = _RelayEnd(self._relayed, slot)
        near.connection_made(transport)
        transport.set_protocol(near)
        transport.pause_reading()
        preface = msgspec.json.encode(
            RelayPreface(link, served_names.hosts, served_names.origins)
        )
        path = relay_socket_path(self._folder, self._find_owning_worker(principal))
        work = self._connect_to_owner(near, path, preface + b"\n" + received)
        task = self._loop.create_task(work)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect_to_owner(
        self, client_end: "_RelayEnd", path: Path, received: bytes
    ) -> None:
        """Connect to the owning worker, with retries, and relay both directions."""
        far = _RelayEnd(self._relayed)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                # No event signals that it listens.
                while not await self._try_connect_to_owner(far, path):  # noqa: ASYNC110
                    await asyncio.sleep(RETRY_DELAY)
        except TimeoutError:
            client_end.abort()
            return
        far.write(received)
        client_end.pair_with(far)

    async def _try_connect_to_owner(self, owner_end: "_RelayEnd", path: Path) -> bool:
        """Connect to the owner; False where it does not listen, as during its start."""
        try:
            await self._loop.create_unix_connection(lambda: owner_end, str(path))
        except OSError:
            return False
        return True

    def _find_owning_worker(self, principal: str) -> int:
        """Return the number of the worker that serves a principal, by hash."""
        return zlib.crc32(principal.encode()) % self._workers


def relay_socket_path(folder: Path, worker: int) -> Path:
    """Return the path of a worker's socket for relayed connections."""
    return folder / f"worker-{worker}.sock"


class RelayedConnection(asyncio.Protocol):
    """Connection relayed by another worker; after its preface it is a client's.

    Args:
        front: Builds the protocol of a client from the preface.
    """

    def __init__(
        self, front: Callable[[ConnectionInfo, ServedNames], asyncio.Protocol]
    ) -> None:
        self._front = front
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept a process of our own user alone, and wait for the preface."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        said = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
        if UCRED.unpack(said)[1] != os.geteuid():
            self._transport.abort()
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """Parse the preface, and pass the rest to the client protocol."""
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
            said = msgspec.json.decode(self._received[:end], type=RelayPreface)
        except msgspec.DecodeError:
            transport.abort()
            return
        front = self._front(said.link, ServedNames(said.hosts, said.origins))
        transport.set_protocol(front)
        front.connection_made(transport)
        if len(self._received) > end + 1:
            front.data_received(bytes(self._received[end + 1 :]))


class _RelayEnd(asyncio.Protocol):
    """One end of a relayed connection; its input goes to the other end.

    Args:
        among: Set of open ends, which holds this one while it is open.
        slot: Slot of the client's end among the connections of this worker.
    """

    is_busy = True  # only its owner knows whether it is idle

    def __init__(
        self, among: "set[_RelayEnd]", slot: ConnectionSlot | None = None
    ) -> None:
        self._among, self._slot = among, slot
        if slot is not None:
            slot.client = self
        self._transport: asyncio.Transport | None = None
        self._other: _RelayEnd | None = None

    def pair_with(self, other: "_RelayEnd") -> None:
        """Connect two ends, so that each forwards what the other receives."""
        self._other, other._other = other, self
        if self._transport is None:  # gone meanwhile
            other.abort()
        else:
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send bytes over the connection of this end."""
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """Close the connection immediately, without flushing."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._among.add(self)
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Forward bytes to the other end."""
        if self._other is not None:
            self._other.write(data)

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other end, too."""
        self._among.discard(self)
        self._transport = None
        if self._slot is not None:
            self._slot.release_places()
        other = self._other
        if other is None or other._transport is None:
            return
        if exc is None:
            other._transport.close()
        else:
            other.abort()

    def pause_writing(self) -> None:
        """Stop reading the other end: this one is slower."""
        if self._other is not None and self._other._transport is not None:
            self._other._transport.pause_reading()

    def resume_writing(self) -> None:
        """Continue reading the other end."""
        if self._other is not None and self._other._transport is not None:
            self._other._transport.resume_reading()
