"""Detect addresses of cloud metadata services, in every form that leads to them.

A metadata service gives the machine's credentials to any client, so its address counts
as link-local under any prefix. Many IPv6 addresses stand for an IPv4 address, and a
translator in the network sends the connection there.
"""

import ipaddress
from collections.abc import Iterator

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Addresses that are not link-local themselves.
_SERVICES = tuple(
    ipaddress.ip_network(each)
    for each in (
        # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
        "168.63.129.16/32",
        # Oracle Cloud Classic; Alibaba Cloud ECS "Instance metadata".
        "192.0.0.192/32",
        "100.100.100.200/32",
        # AWS: instance metadata ::254, EKS Pod Identity ::23, time ::123, names ::253.
        "fd00:ec2::/32",
        # https://cloud.google.com/compute/docs/metadata/querying-metadata
        "fd20:ce::254/128",
        # Oracle Cloud, endpoint of its SDKs; Scaleway; Alibaba Cloud.
        "fd00:c1::a9fe:a9fe/128",
        "fd00:42::42/128",
        "fd00:100::100:200/128",
    )
)
_LOW_32 = 0xFFFF_FFFF
# RFC 8215: a translator may have any prefix in it, of 48 to 96 bits (RFC 6052 2.2).
_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
# Before an IPv4 address: RFC 4291 2.5.5, RFC 2765 2.1, RFC 6052 2.1.
_PREFIXES = tuple(
    ipaddress.IPv6Network(each)
    for each in (
        "::/96",
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
    )
)
_ISATAP = frozenset((0x0000_5EFE, 0x0200_5EFE))  # RFC 5214 6.1


def is_metadata_service(address: IPAddress) -> bool:
    """Return whether an address is, or embeds, the address of a metadata service."""
    found = list(list_destination_addresses(address))
    if (
        isinstance(address, ipaddress.IPv6Address)
        and _strip_ipv6_zone(address) in _LOCAL
    ):
        found += map(ipaddress.IPv4Address, _embedded_ipv4_addresses(int(address)))
    return any(each.is_link_local or _is_listed_service(each) for each in found)


def list_destination_addresses(address: IPAddress) -> Iterator[IPAddress]:
    """Yield the address that a connection reaches: itself, or an IPv4 address."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    address = _strip_ipv6_zone(address)
    low = ipaddress.IPv4Address(int(address) & _LOW_32)
    if int(address) > 1 and any(address in prefix for prefix in _PREFIXES):
        yield low
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address.teredo is not None:
        yield from address.teredo
    else:
        yield address
    if int(address) >> 32 & _LOW_32 in _ISATAP:
        yield low


def _is_listed_service(address: IPAddress) -> bool:
    """Return whether an address is in a network of metadata services."""
    return any(address.version == net.version and address in net for net in _SERVICES)


def _strip_ipv6_zone(address: ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    """Return an IPv6 address without its zone index."""
    return ipaddress.IPv6Address(int(address))


def _embedded_ipv4_addresses(number: int) -> Iterator[int]:
    """Yield the IPv4 addresses embedded in an IPv6 address (RFC 6052 2.2).

    Bits 64 to 71 are zero, and no part of the address (RFC 6052 2.2).
    """
    yield (number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF
    yield (number >> 64 & 0xFF) << 24 | number >> 32 & 0xFF_FFFF
    yield number >> 24 & _LOW_32
    yield number & _LOW_32
