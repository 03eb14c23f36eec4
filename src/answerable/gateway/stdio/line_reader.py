"""Parse the lines of a stdio client, by the MCP version that it speaks.

A client of 2026-07-28 names the revision in every request. A client of an older one
starts with `initialize`, and stays in that revision; a client of both may try a modern
request first, and then fall back to `initialize`.
"""

from answerable.gateway.stdio.pending_message import INITIALIZE
from answerable.gateway.wire.fast_message_parser import (
    ExpectedCall,
    parse_plain_tool_call,
)
from answerable.server.mcp.call import McpCall, parse_stdio_call
from answerable.server.mcp.json_members import read_string
from answerable.server.mcp.messages import parse_message
from answerable.server.mcp.methods import McpRevision
from answerable.server.wire.refusals import RequestRefused

VERSION = "protocolVersion"
OLDER_ERAS = {
    era.value: era for era in (McpRevision.V2025_11_25, McpRevision.V2025_06_18)
}


class LineReader:
    """Line parser of one client.

    Args:
        server: Name of its server.

    Attributes:
        era: Revision of the last line.
    """

    def __init__(self, server: str) -> None:
        self.era = McpRevision.V2026_07_28
        self._server = server
        self._plain = ExpectedCall(self.era, server)

    def parse_line(self, line: bytes) -> McpCall:
        """Parse one line as an MCP call.

        Raises:
            Refused: It is ambiguous or malformed, or not of its revision.
        """
        try:
            call = parse_plain_tool_call(line, self._plain)
            return (
                parse_stdio_call(line, self.era, self._server) if call is None else call
            )
        except RequestRefused as refused:
            if not self.era.is_modern or refused.method != INITIALIZE:
                raise
        self.era = _requested_protocol_version(line)
        self._plain = ExpectedCall(self.era, self._server)
        return parse_stdio_call(line, self.era, self._server)


def _requested_protocol_version(line: bytes) -> McpRevision:
    """Return the MCP version that `initialize` requests, if it is supported."""
    version = read_string(line, parse_message(line).params.get(VERSION))
    return OLDER_ERAS.get(version or "", McpRevision.UNNAMED)
