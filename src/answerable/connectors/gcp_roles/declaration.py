"""Declare the connector of Google Cloud role definitions."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="gcp-roles",
    gives="inventory",
    location="FILE",
    about="permissions of Google Cloud roles, in place of the packaged catalogue",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE: output of `gcloud iam roles describe ROLE --format=json`, in one list "
        "or one a line",
    ),
    permissions=(),
    collects=("gcp-roles",),
)
