"""The lines of a stdio client, each read in the era that its sender is in.

A client of 2026-07-28 names the revision in every request. One of an older revision
begins with `initialize`, and stays in that from then on; a client that speaks both may
ask a modern question first and begin anew when that is not understood.
"""

from answerable.gateway.stdio.under_way import INITIALIZE
from answerable.gateway.wire.plain import Plain, plain_call
from answerable.serving.mcp.call import Call, read_line
from answerable.serving.mcp.members import text
from answerable.serving.mcp.messages import read_message
from answerable.serving.mcp.methods import Era
from answerable.serving.wire.refusals import Refused

VERSION = "protocolVersion"
OLDER = {era.value: era for era in (Era.V2025_11_25, Era.V2025_06_18)}


class Reading:
    """Reads the lines of one client.

    Args:
        server: The server that it speaks to.

    Attributes:
        era: That of the last line.
    """

    def __init__(self, server: str) -> None:
        self.era = Era.V2026_07_28
        self._server = server
        self._plain = Plain(self.era, server)

    def read(self, line: bytes) -> Call:
        """Read one line.

        Raises:
            Refused: It cannot be read in exactly one way, or is not of its era.
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
    """The revision that `initialize` asks for, as far as that is one of ours."""
    version = text(line, read_message(line).params.get(VERSION))
    return OLDER.get(version or "", Era.UNNAMED)
