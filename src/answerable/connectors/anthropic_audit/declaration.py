"""Declare the Anthropic activity log connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="anthropic-audit",
    gives="events",
    location="FILE, DIR or -",
    about="activities of an Anthropic organization (Compliance API)",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: responses of `/v1/compliance/activities`",
    ),
    permissions=(),
    collects=("anthropic-audit",),
)
