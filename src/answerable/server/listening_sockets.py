"""Bind listening sockets: by the supervisor, inherited by its workers.

A worker that dies leaves its sockets open here, so clients wait for the next worker
instead of being refused. At an address each worker has a socket of its own
(`SO_REUSEPORT`: the kernel distributes connections); a socket in the file system is
shared.

An address belongs to one supervisor. `SO_REUSEPORT` alone would let a second one, with
another policy, take half of the connections (socket(7)): before the workers' sockets,
the address is bound without it, which the kernel refuses where another process listens.
Starts at one port wait for each other meanwhile.
"""

import contextlib
import errno
import hashlib
import os
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from answerable.connectors.config.parse.addresses import is_loopback
from answerable.model.config import ListenAddress, Listener
from answerable.model.errors import EnvironmentFailure
from answerable.server.wire.host_check import ServedNames

BACKLOG = 1024
# Seconds that a start waits for another start at that port, or for the workers of a
# killed supervisor to close their sockets.
BIND_TIMEOUT = 5.0
_RETRY_DELAY = 0.02  # seconds between two tries


class InheritedSocket(msgspec.Struct, frozen=True):
    """Listening socket that a worker inherits.

    Attributes:
        hosts: Accepted values of Host.
        url: Scheme and authority for clients.
    """

    handle: int
    listener: Listener
    hosts: tuple[str, ...]
    url: str

    @property
    def served_names(self) -> ServedNames:
        """Accepted values of Host and Origin."""
        address = self.listener.address
        return ServedNames(
            frozenset(self.hosts),
            frozenset(self.listener.origins),
            is_remote=address is not None and not is_loopback(address.host),
        )


@dataclass(frozen=True, slots=True)
class BoundListener:
    """Bound listener.

    Attributes:
        address: Address with its actual port; None for a unix socket.
        sockets: One for each worker, or one for all.
        inode: Inode of a unix socket's file; 0 for an address.
    """

    listener: Listener
    address: ListenAddress | None
    sockets: tuple[socket.socket, ...]
    inode: int = 0

    @property
    def url(self) -> str:
        """URL for clients: configured, else derived from the address."""
        if self.address is None or self.listener.url:
            return self.listener.url
        scheme = "https" if self.listener.tls else "http"
        return f"{scheme}://{self.address}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Accepted values of Host: configured, else derived from the address."""
        if self.listener.hosts:
            return self.listener.hosts
        if self.address is None:
            return ("localhost",)
        return default_host_values(self.address)

    def socket_for_worker(self, worker_number: int) -> InheritedSocket:
        """Return the bound socket that one worker process inherits."""
        own = self.sockets[worker_number % len(self.sockets)]
        return InheritedSocket(own.fileno(), self.listener, self.hosts, self.url)

    def close(self) -> None:
        """Close the sockets of this process; workers may still hold theirs."""
        for each in self.sockets:
            each.close()
        # Only our own file: another process may have bound the path since.
        if self.listener.unix and _read_inode(self.listener.unix) == self.inode:
            _remove_socket_file(self.listener.unix)


def default_host_values(address: ListenAddress) -> tuple[str, ...]:
    """Return the values of Host that clients send for an address."""
    hosts = [str(address).lower()]
    if is_loopback(address.host):
        port = address.port
        hosts += [f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"]
    return tuple(dict.fromkeys(hosts))


def bind_listener(listener: Listener, workers: int) -> BoundListener:
    """Bind a listener exclusively for the workers of one supervisor.

    Raises:
        EnvironmentFailure: It cannot be bound, or another process listens there.
    """
    if listener.address is None:
        with _hold_bind_lock(f"unix:{os.path.abspath(listener.unix)}"):
            bound = _bind_unix(listener.unix)
        return BoundListener(listener, None, (bound,), _read_inode(listener.unix))
    if workers == 1:
        first = bind_address(listener.address, is_shared=False)
        return BoundListener(
            listener, _assigned_address(listener.address, first), (first,)
        )
    with _hold_bind_lock(f"tcp:{listener.address.port}"):
        if listener.address.port:  # the kernel gives a port that is free
            bind_address(listener.address, is_shared=False).close()
        first = bind_address(listener.address, is_shared=True)
        address = _assigned_address(listener.address, first)
        others = [bind_address(address, is_shared=True) for _ in range(workers - 1)]
    return BoundListener(listener, address, (first, *others))


def bind_status_listener(address: ListenAddress) -> BoundListener:
    """Bind a listener for health and metrics alone.

    Raises:
        EnvironmentFailure: It cannot be bound, or another process listens there.
    """
    return bind_listener(Listener(address, "", (), (), "", None), 1)


def bind_address(address: ListenAddress, *, is_shared: bool) -> socket.socket:
    """Bind an address and listen; with `SO_REUSEPORT` where it is shared.

    Args:
        address: The address.
        is_shared: Other sockets of this process may bind it too.

    Raises:
        EnvironmentFailure: It is in use, or may not be bound.
    """
    until = time.monotonic() + BIND_TIMEOUT
    while True:
        try:
            return _try_bind(address, is_shared=is_shared)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= until:
                raise _build_bind_error(str(address), error) from None
        time.sleep(_RETRY_DELAY)


def _try_bind(address: ListenAddress, *, is_shared: bool) -> socket.socket:
    """Create a socket, bind it and listen, without retries."""
    family, kind, protocol, _, where = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(where)
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _assigned_address(
    address: ListenAddress, bound_socket: socket.socket
) -> ListenAddress:
    """Return the address with the port that the kernel assigned."""
    return ListenAddress(address.host, bound_socket.getsockname()[1])


@contextlib.contextmanager
def _hold_bind_lock(address: str) -> Iterator[None]:
    """Hold a lock while binding an address, against other starting processes.

    The lock is a name in the abstract namespace (unix(7)): it ends with its process,
    needs no folder and has the scope of a port. A foreign process that holds it only
    delays: the kernel refuses an address that is bound by then in any case.
    """
    name = b"\0answerable-bind:" + hashlib.sha256(address.encode()).digest()
    until = time.monotonic() + BIND_TIMEOUT
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        while time.monotonic() < until:
            try:
                lock.bind(name)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    break  # a system without such names
                time.sleep(_RETRY_DELAY)
            else:
                break
        yield


def _bind_unix(path: str) -> socket.socket:
    """Bind a unix socket; an abandoned file is replaced.

    Any user that can reach it may connect: callers are identified by their process.
    """
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_abandoned_socket(path):
            _remove_socket_file(path)
        bound.bind(path)
        os.chmod(path, 0o666)  # noqa: S103 - the kernel tells who connects
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise _build_bind_error(path, error) from None
    return bound


def _is_abandoned_socket(path: str) -> bool:
    """Return whether no process listens at a unix socket any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)  # one that takes no connections now is not abandoned
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _read_inode(path: str) -> int:
    """Return the inode of a path, 0 if it does not exist."""
    try:
        return os.lstat(path).st_ino
    except OSError:
        return 0


def _remove_socket_file(path: str) -> None:
    """Remove the file of a Unix socket; leave a file of any other kind."""
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except OSError:
        return  # gone already


def _build_bind_error(address: str, error: OSError) -> EnvironmentFailure:
    """Build the error of a failed bind."""
    hint = (
        "another process may be listening there; choose another address "
        "(--listen HOST:PORT, or the configuration)"
    )
    if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM):
        hint = "the folder of the socket has to exist, and this user has to write to it"
        if "/" not in address:
            hint = "this user may not listen at that address; choose another address"
    return EnvironmentFailure(f"cannot listen at {address} ({error.strerror})", hint)
