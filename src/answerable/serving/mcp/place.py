"""Which upstream server the target of a request names."""

import re

from answerable.serving.wire.head import Head
from answerable.serving.wire.refusals import Refused, Why

METADATA = "/.well-known/oauth-protected-resource"
TARGET = re.compile(r"/mcp/([A-Za-z0-9][A-Za-z0-9._-]{0,63})")


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
