"""Declare the OpenAI audit log connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="openai-audit",
    gives="events",
    location="FILE, DIR or -",
    about="audit log of an OpenAI organization",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: responses of `/v1/organization/audit_logs`",
    ),
    permissions=(),
    collects=("openai-audit",),
)
