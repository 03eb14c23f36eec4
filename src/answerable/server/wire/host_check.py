"""Check Host and Origin against DNS rebinding and foreign web pages.

A web page can make a browser call a server on its user's machine, under a name that the
page's author resolves to it (DNS rebinding). Host then has the author's name, and
Origin the page: both are compared completely, with the port, and never by prefix (MCP
basic/transports "Security & Endpoint" 1).
"""

from dataclasses import dataclass

from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import HttpRequestHead


@dataclass(frozen=True, slots=True)
class ServedNames:
    """Accepted values of Host and Origin of one listener, in lower case.

    Attributes:
        hosts: Values of Host, with the port where clients send one.
        origins: Values of Origin; other web pages are refused.
    """

    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()


def check_host_and_origin(head: HttpRequestHead, served_names: ServedNames) -> None:
    """Refuse a foreign Host, and an Origin that may not call.

    Raises:
        Refused: See above.
    """
    if head.fields["host"].lower() not in served_names.hosts:
        raise RequestRefused(RefusalReason.MISDIRECTED)
    origin = head.fields.get("origin")
    if origin is not None and origin.lower() not in served_names.origins:
        raise RequestRefused(RefusalReason.ORIGIN)
