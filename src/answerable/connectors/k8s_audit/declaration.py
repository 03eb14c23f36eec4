"""Declare the Kubernetes audit log connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="k8s-audit",
    gives="events",
    location="FILE, DIR or -,cluster=NAME",
    about="Kubernetes audit events",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "*.json *.jsonl *.ndjson *.log, plain, .gz or .zst: audit files of the API server, webhook batches",
    ),
    permissions=(),
    collects=("k8s-audit",),
    location_options=("cluster",),
)
