"""Declare the AWS access-key connector: its name, location and coverage."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="aws-keys",
    gives="inventory",
    location="FILE or DIR",
    about="which AWS access key belongs to which user (output of list-access-keys)",
    written_by=WrittenBy.PLATFORM,
    reads=("FILE, or DIR/*.json: output of `aws iam list-access-keys`",),
    permissions=("iam:ListUsers", "iam:ListAccessKeys"),
    collects=("access-keys",),
)
