"""Parser for the lines of a stdio client, by the MCP revision of the client.

A client of 2026-07-28 names the revision in every request. A client of an older one
starts with `initialize`, and stays in that revision; a client of both may try a modern
request first, and then fall back to `initialize`.
"""

from answerable.gateway.stdio.pending_message import INITIALIZE
from answerable.gateway.wire.fast_path import Plain, plain_call
from answerable.server.mcp.call import Call, read_line
from answerable.server.mcp.json_members import text
from answerable.server.mcp.messages import read_message
from answerable.server.mcp.methods import Era
from answerable.server.wire.refusals import Refused

VERSION = "protocolVersion"
OLDER = {era.value: era for era in (Era.V2025_11_25, Era.V2025_06_18)}


class Reading:
    """Line parser of one client.

    Args:
        server: Name of its server.

    Attributes:
        era: Revision of the last line.
    """

    def __init__(self, server: str) -> None:
        self.era = Era.V2026_07_28
        self._server = server
        self._plain = Plain(self.era, server)

    def read(self, line: bytes) -> Call:
        """Parse one line.

        Raises:
            Refused: It is ambiguous or malformed, or not of its revision.
        """
        try:
            call = plain_call(line, self._plain)
            return read_line(line, self.era, self._server) if call is None else call
        except Refused as refused:
            if not self.era.is_modern or refused.method != INITIALIZE:
                raise
        self.era = _older(line)
        self._plain = Plain(self.era, self._server)
        return read_line(line, self.era, self._server)


def _older(line: bytes) -> Era:
    """Return the revision that `initialize` requests, if it is supported."""
    version = text(line, read_message(line).params.get(VERSION))
    return OLDER.get(version or "", Era.UNNAMED)
