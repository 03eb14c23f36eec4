"""Where a request is meant to go, and whether a page in a browser may have sent it.

A page that a person visits can make their browser call a server on their own machine,
under a name that the page's author points there (DNS rebinding). Host then names the
author's name, and Origin the page: both are compared whole, with the port, and never by
prefix (MCP basic/transports "Security & Endpoint" 1).
"""

from dataclasses import dataclass

from answerable.serving.wire.head import Head
from answerable.serving.wire.refusals import Refused, Why


@dataclass(frozen=True, slots=True)
class Served:
    """What one listener answers to, in lower case.

    Attributes:
        hosts: Values of Host, with the port where clients send one.
        origins: Values of Origin; pages from elsewhere are refused.
    """

    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()


def check_place(head: Head, served: Served) -> None:
    """Refuse another host, and a page that may not call.

    Raises:
        Refused: See above.
    """
    if head.fields["host"].lower() not in served.hosts:
        raise Refused(Why.MISDIRECTED)
    origin = head.fields.get("origin")
    if origin is not None and origin.lower() not in served.origins:
        raise Refused(Why.ORIGIN)
