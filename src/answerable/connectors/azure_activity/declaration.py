"""Declare the Azure activity log connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="azure-activity",
    gives="events",
    location="FILE, DIR or -",
    about="Azure activity log, storage logs and AKS audit logs",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: `az monitor activity-log list`, diagnostic settings to a storage account or an event hub",
    ),
    permissions=(),
    collects=("azure-activity",),
)
