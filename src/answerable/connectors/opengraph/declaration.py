"""Declare the OpenGraph connector: its name, location and coverage."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="opengraph",
    gives="inventory",
    location="FILE or DIR",
    about="nodes and edges that another collector exported, as its statements",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE, or DIR/**/*.json: OpenGraph files of BloodHound (GitHound, OpenHound and "
        "others)",
        "FILE: the output of AzureHound",
        "FILE: the graph of KubeHound, as Gremlin writes it (GraphSON)",
    ),
    permissions=(),
    collects=("foreign-graph",),
)
