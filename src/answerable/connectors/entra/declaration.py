"""Declare the Microsoft Entra log connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="entra",
    gives="events",
    location="FILE, DIR or -",
    about="Microsoft Entra sign-in and audit logs",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: responses of Microsoft Graph `auditLogs`, diagnostic settings",
    ),
    permissions=(),
    collects=("entra",),
)
