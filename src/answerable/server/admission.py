"""Admit client connections: separate quotas for new ones, callers, local users.

A connection over an address is new until a request on it has named a caller. New ones
never take the places of callers, nor of users at a unix socket. Where a quota is full,
the oldest idle connection of the key that holds most of it is closed, so a flood costs
its own address, caller or user.
"""

import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Protocol

from answerable.model.worker_limits import WorkerLimits
from answerable.server.operator_log import OperatorLog

QUOTAS = ("new", "address", "caller", "user")
# How each server's metrics describe the counts.
CONNECTIONS = {
    "evicted": "Connections closed to admit others, by the full quota.",
    "refused": "Connections refused because a quota was full.",
}
RECENT_SECONDS = 60.0  # seconds for which readiness names what was closed or refused
_LOG_INTERVAL = 10.0  # seconds between two lines of the log
_SITE_BITS = 64  # bits of an IPv6 address that one site has


class AdmittedConnection(Protocol):
    """Admitted connection of a client."""

    @property
    def is_busy(self) -> bool:
        """True while a request of its caller is being answered."""

    def abort(self) -> None:
        """Close the connection at once, without sending what is queued."""


class _ClosedConnection:
    """Client of a released slot: neither keeps the other."""

    is_busy = False

    def abort(self) -> None:
        """Do nothing: the placeholder of a connection that has ended."""


_CLOSED = _ClosedConnection()


class ConnectionSlot:
    """Slot of one connection.

    Args:
        address: Address of its other end; empty for a unix socket.

    Attributes:
        caller: Principal of its last request, empty before there was one.
    """

    __slots__ = ("address", "caller", "client", "held")

    def __init__(self, client: AdmittedConnection, address: str) -> None:
        self.client: AdmittedConnection = client
        self.address = address
        self.caller = ""
        self.held: list[tuple[ConnectionQuota, str]] = []

    def count_in_quota(self, quota: "ConnectionQuota", key: str) -> None:
        """Count this connection against one more quota, such as a principal's."""
        quota.add_connection(key, self)
        self.held.append((quota, key))

    def leave_places(self) -> None:
        """Remove the connection from every quota, before it takes other places."""
        for quota, key in self.held:
            quota.remove_connection(key, self)
        self.held.clear()

    def release_places(self) -> None:
        """Remove the connection from every quota, and forget it.

        A connection that referred to itself by its slot would keep what it received
        until the next garbage collection.
        """
        self.leave_places()
        self.client = _CLOSED


class ConnectionQuota:
    """Connections by key, the oldest of each key first.

    Args:
        name: One of `QUOTAS`.
        evicted: Called with the name for each connection that was closed for another.
    """

    def __init__(self, name: str, evicted: Callable[[str], None]) -> None:
        self.name, self._evicted = name, evicted
        self._held: dict[str, dict[ConnectionSlot, None]] = {}
        self._size = 0

    def __len__(self) -> int:
        """Return the number of connections."""
        return self._size

    def add_connection(self, key: str, slot: ConnectionSlot) -> None:
        """Count a connection against the quota of a key, such as an address."""
        self._held.setdefault(key, {})[slot] = None
        self._size += 1

    def remove_connection(self, key: str, slot: ConnectionSlot) -> None:
        """Stop counting a connection against the quota of a key."""
        same = self._held[key]
        del same[slot]
        self._size -= 1
        if not same:
            del self._held[key]

    def make_room(self, key: str, max_total: int, max_per_key: int) -> bool:
        """Make room for one more connection; close an idle one if necessary."""
        same = self._held.get(key, {})
        if len(same) >= max_per_key:
            crowded = same
        elif self._size >= max_total:
            crowded = max(self._held.values(), key=len)
        else:
            return True
        idle = next((each for each in crowded if not each.client.is_busy), None)
        if idle is None:
            return False
        client = idle.client
        idle.release_places()
        client.abort()
        self._evicted(self.name)
        return True


class AdmissionControl:
    """Quotas for the connections that one process keeps open.

    Args:
        limits: Limits in force; half of `connections` more places are for unix sockets.
        proxies: Networks whose connections are counted by caller alone.
        log: Log for full quotas; None for none.
        clock: Returns monotonic seconds.

    Attributes:
        limits: Limits in force; half of `connections` more places are for unix sockets.
        evicted: Connections closed for another one, by quota.
        refused: Connections and requests refused because a quota was full, by quota.
    """

    def __init__(
        self,
        limits: WorkerLimits,
        proxies: Iterable[str] = (),
        log: OperatorLog | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self._proxies = tuple(map(ipaddress.ip_network, proxies))
        self._log, self._clock = log, clock
        self.evicted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._new = ConnectionQuota("new", self._count_evicted)
        self._addresses = ConnectionQuota("address", self._count_evicted)
        self._callers = ConnectionQuota("caller", self._count_evicted)
        self._users = ConnectionQuota("user", self._count_evicted)
        self._full_at = self._logged_at = -RECENT_SECONDS
        self._unlogged: Counter[str] = Counter()

    @property
    def was_recently_full(self) -> bool:
        """True where a quota was full within the last minute."""
        return self._clock() - self._full_at < RECENT_SECONDS

    @property
    def warnings(self) -> list[str]:
        """Warnings for readiness; none while every quota has room."""
        if not self.was_recently_full:
            return []
        return [quota_warning(self.evicted.total(), self.refused.total())]

    def admit(self, client: AdmittedConnection, address: str) -> ConnectionSlot | None:
        """Give a new connection its slot in the quotas; None if they are full.

        Args:
            client: The connection.
            address: Address of its other end; see `get_quota_address`.
        """
        most = self.limits.connections
        own = most if self._is_proxy(address) else self._address_limit
        if not self._new.make_room(address, most, own):
            self._count_refused("new")
            return None
        slot = ConnectionSlot(client, address)
        slot.count_in_quota(self._new, address)
        return slot

    def admit_unix_socket(
        self, client: AdmittedConnection, uid: int
    ) -> ConnectionSlot | None:
        """Give a connection at a unix socket its slot; None if they are full."""
        most = max(2, self.limits.connections // 2)
        key = str(uid)
        if not self._users.make_room(key, most, max(1, most // 2)):
            self._count_refused("user")
            return None
        slot = ConnectionSlot(client, "")
        slot.count_in_quota(self._users, key)
        return slot

    def count_for_caller(self, slot: ConnectionSlot, caller: str) -> bool:
        """Count a connection for its caller; False where its quota is full."""
        if not slot.address or slot.caller == caller:
            return True
        before = slot.held.copy()
        slot.leave_places()
        if not self._make_room_for_caller(slot, caller):
            for quota, key in before:
                slot.count_in_quota(quota, key)
            return False
        slot.caller = caller
        slot.count_in_quota(self._callers, caller)
        slot.count_in_quota(self._addresses, slot.address)
        return True

    def iterate_refused_and_evicted(self) -> Iterator[tuple[str, str, int]]:
        """Yield the counts: (`evicted` or `refused`, quota, count)."""
        for quota in QUOTAS:
            yield "evicted", quota, self.evicted[quota]
            yield "refused", quota, self.refused[quota]

    @property
    def _address_limit(self) -> int:
        """Return how many connections one address may have."""
        limits = self.limits
        return min(limits.connections, limits.connections_per_address)

    def _make_room_for_caller(self, slot: ConnectionSlot, caller: str) -> bool:
        """Make room in the quotas of a caller and its address; False if full."""
        most, address = self.limits.connections, slot.address
        own = min(most, self.limits.connections_per_caller)
        if not self._callers.make_room(caller, most, own):
            self._count_refused("caller")
            return False
        own = most if self._is_proxy(address) else self._address_limit
        if not self._addresses.make_room(address, most, own):
            self._count_refused("address")
            return False
        return True

    def _is_proxy(self, address: str) -> bool:
        """Return whether an address is one of a configured proxy."""
        return bool(self._proxies) and _is_in_networks(address, self._proxies)

    def _count_refused(self, quota: str) -> None:
        """Count a connection that was refused by a full quota."""
        self.refused[quota] += 1
        self._log_full_quota(f"refused-{quota}")

    def _count_evicted(self, quota: str) -> None:
        """Count an idle connection that was closed for another."""
        self.evicted[quota] += 1
        self._log_full_quota(f"evicted-{quota}")

    def _log_full_quota(self, event: str) -> None:
        """Log that quotas are full, at most once per interval."""
        self._full_at = now = self._clock()
        self._unlogged[event] += 1
        if self._log is None or now - self._logged_at < _LOG_INTERVAL:
            return
        self._logged_at = now
        counts = {event.replace("-", "_"): n for event, n in self._unlogged.items()}
        self._unlogged.clear()
        self._log.warning(
            "connections.evicted",
            new=len(self._new),
            callers=len(self._callers),
            local=len(self._users),
            **counts,
        )


def quota_warning(evicted: int, refused: int) -> str:
    """Format the readiness warning while connections are closed or refused."""
    return (
        "connections: a quota was full within the last minute "
        f"({evicted} closed for others, {refused} refused, since the start)"
    )


class HasExtraInfo(Protocol):
    """Object with transport information, such as an asyncio transport."""

    def get_extra_info(self, name: str) -> Any:
        """Return transport information by its name, None if it is unknown."""


def get_quota_address(transport: HasExtraInfo) -> str:
    """Return the address by which a connection is counted: for IPv6, its /64."""
    name = transport.get_extra_info("peername")
    return (
        _to_quota_prefix(str(name[0]))
        if isinstance(name, tuple) and name
        else "unknown"
    )


@lru_cache(maxsize=1024)
def _to_quota_prefix(host: str) -> str:
    """Return the address to count by: IPv4, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        site = ipaddress.ip_network((address, _SITE_BITS), strict=False)
        return str(site.network_address)
    return str(address)


@lru_cache(maxsize=1024)
def _is_in_networks(
    address: str,
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
) -> bool:
    """Return whether an address is in one of the networks."""
    if address == "unknown":
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in each for each in networks)
