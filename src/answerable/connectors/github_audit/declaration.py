"""Declare the GitHub audit log connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="github-audit",
    gives="events",
    location="FILE, DIR or -[,host=NAME]",
    about="GitHub audit events of an organization or enterprise",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: exports, API responses, streamed files",
    ),
    permissions=(),
    collects=("github-audit",),
    location_options=("host",),
)
