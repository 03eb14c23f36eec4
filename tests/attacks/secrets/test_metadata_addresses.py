"""Addresses of metadata services, in each form that a resolver or a URL may give."""

import ipaddress
from collections.abc import Iterator

from answerable.server.client_network import network_of_address
from answerable.server.issuers.allowed_addresses import is_allowed_address

SERVICES = (
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "fd00:100::100:200",
    "fe80::1",
)
OTHERS = ("8.8.8.8", "168.63.129.17", "2606:4700::1111", "52.1.2.3", "2002:808:808::1")


def forms(service: str) -> Iterator[str]:
    """Spell an address in every way that leads to it."""
    address = ipaddress.ip_address(service)
    if isinstance(address, ipaddress.IPv6Address):
        yield from spelled(address)
        return
    yield service
    number = int(address)
    high, low = number >> 16, number & 0xFFFF
    wrapped = (
        f"::ffff:{service}",
        f"::{service}",
        f"::ffff:0:{service}",
        f"64:ff9b::{service}",
        f"64:ff9b:1::{service}",
        # RFC 6052 2.2: prefixes of 48, 56 and 64 bits.
        f"64:ff9b:1:{high:x}:{low >> 8:x}:{(low & 0xFF) << 8:x}::",
        f"64:ff9b:1:{high >> 8:x}:{high & 255:x}:{low:x}::",
        f"64:ff9b:1:0:{high >> 8:x}:{number >> 8 & 0xFFFF:x}:{(low & 255) << 8:x}:0",
        f"2002:{high:x}:{low:x}::",
        f"2002:{high:x}:{low:x}::1",
        f"2001:0:{high:x}:{low:x}::",  # Teredo: the server
        f"2001:0:808:808:0:0:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}",  # and the client
        f"2606:4700::5efe:{service}",  # ISATAP
        f"2606:4700::200:5efe:{service}",
    )
    for each in wrapped:
        yield from spelled(ipaddress.IPv6Address(each))


def spelled(address: ipaddress.IPv6Address) -> Iterator[str]:
    yield address.compressed
    yield address.exploded
    yield address.compressed.upper()
    yield address.exploded.replace(":0000", ":0")
    for zone in ("eth0", "1", "lo"):
        yield f"{address.compressed}%{zone}"


def test_no_form_of_a_metadata_address_is_connected_to(counted: list[str]) -> None:
    for service in SERVICES:
        for form in forms(service):
            assert not is_allowed_address(form, allow_private=True), form
            assert not is_allowed_address(form, allow_private=False), form
            assert network_of_address(form) == "link-local", form
            counted.append(service)
    for other in OTHERS:
        assert is_allowed_address(other, allow_private=False), other
        assert network_of_address(other) != "link-local"
        counted.append("other")
