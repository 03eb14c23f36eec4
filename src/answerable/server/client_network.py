"""Classify callers by network, for baselines: cut an address to its prefix.

Behind a proxy every caller comes from the proxy's network.
"""

import ipaddress
from functools import lru_cache

from answerable.server.cloud_metadata_addresses import is_metadata_service

LOCAL = "local"  # a unix socket, or a pipe
LOOPBACK = "loopback"
LINK_LOCAL = "link-local"
_PUBLIC = {4: 24, 6: 48}  # bits that a site has
# A machine on a private network has another address every day (RFC 1918, RFC 4193).
_PRIVATE = tuple(
    ipaddress.ip_network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)


@lru_cache(maxsize=1024)
def network_of_address(host: str) -> str:
    """Return the network prefix of an address; empty for an invalid one.

    `link-local` also for addresses of metadata services, and those that stand for one;
    the block of a private address, 24 bits of a public IPv4 address and 48 of IPv6.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return LOOPBACK
    if is_metadata_service(address):
        return LINK_LOCAL
    for block in _PRIVATE:
        if address in block:
            return str(block)
    bits = _PUBLIC[address.version]
    return str(ipaddress.ip_network((address, bits), strict=False))
