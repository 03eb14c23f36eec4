"""Declare the Google Cloud audit log connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="gcp-audit",
    gives="events",
    location="FILE, DIR or -",
    about="Google Cloud audit log entries",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: `gcloud logging read --format=json`, entries of a log sink",
    ),
    permissions=(),
    collects=("gcp-audit",),
)
