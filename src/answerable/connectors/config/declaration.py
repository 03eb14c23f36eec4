"""Declare the configuration connector: its name, location and coverage."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="config",
    gives="inventory",
    location="FILE",
    about="agents, owners, servers and callers that an `answerable.yaml` declares",
    # A user who can write this file decides which calls the gateway allows.
    written_by=WrittenBy.MEDIATOR,
    reads=("FILE: an `answerable.yaml`",),
    permissions=(),
    collects=("declared-agents",),
)
