"""Declare the CloudTrail connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="cloudtrail",
    gives="events",
    location="FILE, DIR or -",
    about="AWS CloudTrail records from files, folders or standard input",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: log files, lookup-events "
        "answers, CloudTrail Lake rows",
    ),
    permissions=(),
    collects=("cloudtrail",),
)
