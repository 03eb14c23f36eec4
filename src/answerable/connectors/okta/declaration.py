"""Declare the Okta log connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="okta",
    gives="events",
    location="FILE, DIR or -",
    about="Okta System Log events",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: responses of `/api/v1/logs`, streamed files",
    ),
    permissions=(),
    collects=("okta",),
)
