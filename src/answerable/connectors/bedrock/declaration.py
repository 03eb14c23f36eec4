"""Declare the Bedrock invocation log connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="bedrock",
    gives="events",
    location="FILE, DIR or -",
    about="Amazon Bedrock model invocation logs, without prompts and answers",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson, plain, .gz or .zst: model invocation logs in S3 or CloudWatch",
    ),
    permissions=(),
    collects=("bedrock",),
)
