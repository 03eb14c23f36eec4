"""Which addresses an issuer may be at, so that nobody's name leads us into our own net.

A name is looked up once, each of its addresses is judged, and the connection goes to one
of these numbers: a name that answers otherwise a moment later (DNS rebinding) is not
asked again.
"""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from answerable.federate.uri import normalise
from answerable.model.errors import AnswerableError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Metadata services that are not link-local: of AWS, Oracle Cloud, Alibaba Cloud.
_METADATA = frozenset(
    ipaddress.ip_address(each)
    for each in ("fd00:ec2::254", "192.0.0.192", "100.100.100.200")
)
# What some versions of Python take for global, and the registries of IANA do not.
_NOT_GLOBAL = tuple(
    ipaddress.ip_network(each)
    for each in ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10")
)
# Prefixes behind which an IPv4 address stands: RFC 6052 2.1, RFC 8215.
_TRANSLATED = tuple(
    ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48")
)


class Unfetched(AnswerableError):  # noqa: N818 - an outcome
    """The document cannot be had now; the message says why, without any of it."""


def check_url(url: str) -> tuple[str, int]:
    """Give host and port of an https URL.

    Raises:
        Unfetched: It is none: another scheme, a user, a letter that is not ASCII.
    """
    if normalise(url) is None or "#" in url or urlsplit(url).scheme != "https":
        raise Unfetched("not an https URL that names a host and nobody")
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


def same_origin(one: str, other: str) -> bool:
    """Tell whether two https URLs have one host and port."""
    try:
        return check_url(one) == check_url(other)
    except Unfetched:
        return False


async def find_addresses(host: str, port: int, *, private: bool) -> list[str]:
    """Look a name up.

    Args:
        host: A name or an address.
        port: To connect to.
        private: Addresses of private networks and of this machine will do, too.

    Returns:
        Addresses to connect to, in the order of the resolver.

    Raises:
        Unfetched: One of them is not to be connected to.
        OSError: The name cannot be resolved.
    """
    addresses = [host] if _is_address(host) else await _look_up(host, port)
    for address in addresses:
        # One that is not fit spoils the others: an honest name has none.
        if not is_fit(address, private=private):
            raise Unfetched(
                "its name leads to an address of a private network or of this machine",
                "`private: true` allows that for one issuer",
            )
    return addresses


async def _look_up(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False  # or another spelling of one, which the resolver reads
    return True


def is_fit(text: str, *, private: bool) -> bool:
    """Tell whether an address may be connected to.

    Link-local ones never are: what answers there is the metadata service of a cloud.
    """
    try:
        address = _inner(ipaddress.ip_address(text))
    except ValueError:
        return False  # with a zone, for one
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address in _METADATA:
        return False
    if private:
        return True
    listed = any(address in net for net in _NOT_GLOBAL)
    return address.is_global and not address.is_reserved and not listed


def _inner(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 address stands for, else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo:
        inner = address.teredo[1]
    compatible = int(address) >> 32 == 0 and int(address) > 1
    if inner is None and (compatible or any(address in net for net in _TRANSLATED)):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return inner or address
