"""Declare the OpenTelemetry connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="otel",
    gives="events",
    location="FILE, DIR or -",
    about="OpenTelemetry spans and logs of agents and MCP, without content",
    written_by=WrittenBy.SELF_REPORTED,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: OTLP JSON, as the file exporter of "
        "the collector writes it",
    ),
    permissions=(),
    collects=("otel",),
)
