"""Declare the configuration connector: its name, location and coverage."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="config",
    gives="inventory",
    location="FILE",
    about="agents, owners, servers and callers that an `answerable.yaml` declares",
    # Whoever can write this file decides what the gateway lets through.
    written_by=WrittenBy.MEDIATOR,
    reads=("FILE: an `answerable.yaml`",),
    permissions=(),
    collects=("declared-agents",),
)
