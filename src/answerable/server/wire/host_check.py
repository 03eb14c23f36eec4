"""Check Host and Origin against DNS rebinding and foreign web pages.

A web page can make a browser call a server on its user's machine, under a name that the
page's author resolves to it (DNS rebinding). Host then has the author's name, and
Origin the page: both are compared completely, with the port, and never by prefix (MCP
basic/transports "Security & Endpoint" 1).

Probes and scrapers address a pod or container by its IP address, or by a service name
that the listener does not know. At the status pages an IP address is therefore always
accepted (rebinding needs a name), and so is any name where the listener is reachable
from other machines anyway.
"""

import ipaddress
from dataclasses import dataclass

from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import HttpRequestHead

# Health, readiness and metrics: the same for every client that may connect.
STATUS_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


@dataclass(frozen=True, slots=True)
class ServedNames:
    """Accepted values of Host and Origin of one listener, in lower case.

    Attributes:
        hosts: Values of Host, with the port where clients send one.
        origins: Values of Origin; other web pages are refused.
        is_remote: Other machines reach the listener.
    """

    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()
    is_remote: bool = False

    def accepts_host(self, host: str, path: str) -> bool:
        """Return whether a request for a path may have this Host (lower case)."""
        if host in self.hosts:
            return True
        return path in STATUS_PATHS and (self.is_remote or _is_ip_address(host))


def _is_ip_address(host: str) -> bool:
    """Return whether a Host is an IP address, with or without a port."""
    if host.startswith("["):
        name = host[1:].partition("]")[0]
    else:
        name = host.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def check_host_and_origin(head: HttpRequestHead, served_names: ServedNames) -> None:
    """Refuse a foreign Host, and an Origin that may not call.

    Raises:
        Refused: See above.
    """
    if not served_names.accepts_host(head.fields["host"].lower(), head.target):
        raise RequestRefused(RefusalReason.MISDIRECTED)
    origin = head.fields.get("origin")
    if origin is not None and origin.lower() not in served_names.origins:
        raise RequestRefused(RefusalReason.ORIGIN)
