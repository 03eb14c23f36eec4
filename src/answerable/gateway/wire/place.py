"""Where a request is meant to go, and whether a page in a browser may have sent it.

A page that a person visits can make their browser call a server on their own machine,
under a name that the page's author points there (DNS rebinding). Host then names the
author's name, and Origin the page: both are compared whole, with the port, and never by
prefix (MCP basic/transports "Security & Endpoint" 1).
"""

import re
from dataclasses import dataclass

from answerable.gateway.wire.head import Head
from answerable.gateway.wire.refusals import Refused, Why

METADATA = "/.well-known/oauth-protected-resource"
TARGET = re.compile(r"/mcp/([A-Za-z0-9][A-Za-z0-9._-]{0,63})")


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


def server_of(target: str) -> str:
    """Name the upstream server that a target means.

    Nothing is decoded and no query is taken: `%2e`, `..`, `;` or a second slash would
    let two readers see two servers, and a token in a query ends up in logs.

    Raises:
        Refused: The target is none of `/mcp/SERVER`.
    """
    found = TARGET.fullmatch(target)
    if found is None:
        raise Refused(Why.UNKNOWN_PATH)
    return found[1]


def described_by(head: Head) -> str:
    """The target whose metadata a request asks for (RFC 9728 3.1); empty for others."""
    if head.method != "GET":
        return ""
    target = head.target.removeprefix(METADATA)
    is_one = target != head.target and TARGET.fullmatch(target) is not None
    return target if is_one else ""
