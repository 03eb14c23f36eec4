"""Declare the gateway spool connector: its name, location and files."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="gateway",
    gives="events",
    location="DIR",
    about="decisions and outcomes that an MCP gateway recorded, from its spool",
    written_by=WrittenBy.MEDIATOR,
    reads=("*/*.jsonl */shipped.json: a folder per recorder, or one such folder",),
    permissions=(),
    collects=("gateway",),
)
