"""Resolve issuers only to allowed addresses, never to our own network (SSRF).

A name is resolved once, each of its addresses is checked, and the connection goes to
one of these: a name that resolves differently a moment later (DNS rebinding) is not
resolved again.
"""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from answerable.federation.uri_normalisation import normalise_uri
from answerable.model.errors import AnswerableError
from answerable.server.cloud_metadata_addresses import (
    IPAddress,
    is_metadata_service,
    list_destination_addresses,
)

# Not global in the registries of IANA, unlike in some versions of Python.
_NOT_GLOBAL = tuple(
    ipaddress.ip_network(each)
    for each in ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10")
)


class FetchFailed(AnswerableError):  # noqa: N818 - an outcome
    """Document that cannot be fetched now; the message has the reason alone."""


def parse_https_url(url: str) -> tuple[str, int]:
    """Return host and port of an https URL.

    Raises:
        Unfetched: It is none: another scheme, a user, a non-ASCII character.
    """
    if normalise_uri(url) is None or "#" in url or urlsplit(url).scheme != "https":
        raise FetchFailed("not an https URL with a host and without user information")
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


def same_origin(one: str, other: str) -> bool:
    """Return whether two https URLs have the same host and port."""
    try:
        return parse_https_url(one) == parse_https_url(other)
    except FetchFailed:
        return False


async def resolve_allowed_addresses(
    host: str, port: int, *, allow_private: bool
) -> list[str]:
    """Resolve a host name, and refuse private addresses unless allowed.

    Args:
        host: A name or an address.
        port: Port to connect to.
        allow_private: Private and loopback addresses are allowed, too.

    Returns:
        Addresses to connect to, in the order of the resolver.

    Raises:
        Unfetched: One of them is not allowed.
        OSError: The name cannot be resolved.
    """
    addresses = [host] if _is_address(host) else await _resolve_host(host, port)
    for address in addresses:
        # One forbidden address refuses all: an honest name has none.
        if not is_allowed_address(address, allow_private=allow_private):
            raise FetchFailed(
                "its name resolves to an address of a private network or of this "
                "machine",
                "`private: true` allows that for one issuer",
            )
    return addresses


async def _resolve_host(host: str, port: int) -> list[str]:
    """Return the addresses of a host name, each once."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_address(host: str) -> bool:
    """Return whether a host is a literal IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False  # or another spelling of one, which the resolver reads
    return True


def is_allowed_address(text: str, *, allow_private: bool) -> bool:
    """Return whether a client may connect to an address.

    Never one of a metadata service, or one that stands for it.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return False
    if is_metadata_service(address):
        return False
    return all(
        _is_allowed_destination(each, allow_private=allow_private)
        for each in list_destination_addresses(address)
    )


def _is_allowed_destination(address: IPAddress, *, allow_private: bool) -> bool:
    """Return whether an address is public, or private ones are allowed."""
    if address.is_multicast or address.is_unspecified:
        return False
    if allow_private:
        return True
    listed = any(address in net for net in _NOT_GLOBAL)
    return address.is_global and not address.is_reserved and not listed
