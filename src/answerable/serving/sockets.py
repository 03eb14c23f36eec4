"""Listening sockets: bound by the supervisor, inherited by its workers.

A worker that dies leaves its sockets open here, so whoever connects meanwhile waits for
the next one instead of being refused. At an address each worker has a socket of its own
(`SO_REUSEPORT`: the kernel spreads connections); a socket in the file system is shared.
"""

import os
import socket
import stat
from dataclasses import dataclass

import msgspec

from answerable.connectors.config.parse.places import is_loopback
from answerable.model.config import Address, Listener
from answerable.model.errors import EnvironmentRefused

BACKLOG = 1024


class Socket(msgspec.Struct, frozen=True):
    """A listening socket that a worker inherits.

    Attributes:
        handle: File descriptor.
        listener: As configured.
        hosts: Values of Host that are served there.
        url: Scheme and authority that clients know it by.
    """

    handle: int
    listener: Listener
    hosts: tuple[str, ...]
    url: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A listener that stands.

    Attributes:
        listener: As configured.
        address: Where it is, with the port that was given; None for a socket.
        sockets: One for each worker, or one for all.
    """

    listener: Listener
    address: Address | None
    sockets: tuple[socket.socket, ...]

    @property
    def url(self) -> str:
        """How clients know it: as configured, else made of the address."""
        if self.address is None or self.listener.url:
            return self.listener.url
        scheme = "https" if self.listener.tls else "http"
        return f"{scheme}://{self.address}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Values of Host that are served: as configured, else made of the address."""
        if self.listener.hosts:
            return self.listener.hosts
        if self.address is None:
            return ("localhost",)
        return hosts_of(self.address)

    def of_worker(self, worker: int) -> Socket:
        """The socket that a worker listens on."""
        own = self.sockets[worker % len(self.sockets)]
        return Socket(own.fileno(), self.listener, self.hosts, self.url)

    def close(self) -> None:
        """Take no more connections; workers may still hold theirs."""
        for each in self.sockets:
            each.close()
        if self.listener.unix:
            _remove_socket(self.listener.unix)


def hosts_of(address: Address) -> tuple[str, ...]:
    """Values of Host by which clients call an address."""
    hosts = [str(address).lower()]
    if is_loopback(address.host):
        port = address.port
        hosts += [f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"]
    return tuple(dict.fromkeys(hosts))


def bind(listener: Listener, workers: int) -> Bound:
    """Bind a listener of the gateway.

    Raises:
        EnvironmentRefused: It cannot be bound.
    """
    if listener.address is None:
        return Bound(listener, None, (_bind_unix(listener.unix),))
    first = bind_address(listener.address, share=True)
    port = first.getsockname()[1]
    address = Address(listener.address.host, port)
    others = [bind_address(address, share=True) for _ in range(workers - 1)]
    return Bound(listener, address, (first, *others))


def bind_address(address: Address, *, share: bool) -> socket.socket:
    """Bind and listen at an address.

    Args:
        address: Where.
        share: Others of this process may bind it too.

    Raises:
        EnvironmentRefused: It is taken, or may not be bound.
    """
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if share:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind(where)
            bound.listen(BACKLOG)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise _cannot(str(address), error) from None
    return bound


def _bind_unix(path: str) -> socket.socket:
    """Bind a socket in the file system; one that nobody listens on any more goes.

    Whoever can reach it may connect: its callers are known by their process.
    """
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_abandoned(path):
            _remove_socket(path)
        bound.bind(path)
        os.chmod(path, 0o666)  # noqa: S103 - the kernel tells who connects
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise _cannot(path, error) from None
    return bound


def _is_abandoned(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _remove_socket(path: str) -> None:
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except OSError:
        return  # gone already


def _cannot(where: str, error: OSError) -> EnvironmentRefused:
    return EnvironmentRefused(
        f"cannot listen at {where} ({error.strerror})",
        "another process may listen there; see `listen` in the configuration",
    )
