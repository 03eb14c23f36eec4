"""Parse the name of the upstream server from the target of a request."""

import re

from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import HttpRequestHead

METADATA_PREFIX = "/.well-known/oauth-protected-resource"
SERVER_TARGET = re.compile(r"/mcp/([A-Za-z0-9][A-Za-z0-9._-]{0,63})")


def parse_server_name(target: str) -> str:
    """Parse the name of the upstream server from a target.

    Nothing is decoded and no query is accepted: `%2e`, `..`, `;` or a second slash
    would let two parsers find two servers, and a token in a query ends up in logs.

    Raises:
        Refused: The target is none of `/mcp/SERVER`.
    """
    name = find_server_name(target)
    if not name:
        raise RequestRefused(RefusalReason.UNKNOWN_PATH)
    return name


def find_server_name(target: str) -> str:
    """Return the name of the upstream server in a target; empty for another target."""
    found = SERVER_TARGET.fullmatch(target)
    return "" if found is None else found[1]


def parse_metadata_target(head: HttpRequestHead) -> str:
    """Return the target of a metadata request (RFC 9728 3.1); empty for others."""
    if head.method != "GET":
        return ""
    target = head.target.removeprefix(METADATA_PREFIX)
    is_one = target != head.target and SERVER_TARGET.fullmatch(target) is not None
    return target if is_one else ""
