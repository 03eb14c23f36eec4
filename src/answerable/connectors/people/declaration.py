"""Declare the people connector: its name, location and coverage."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

PEOPLE = "people"
LEAVERS = "leavers"
MANAGERS = "managers"

DECLARATION = ConnectorDeclaration(
    name="people",
    gives="inventory",
    location="FILE",
    about="people, leavers, managers and sponsors from a directory export",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE: users of a SCIM, Okta, Microsoft Graph or Google Directory API, as JSON",
        "FILE: a table with a header line, as CSV",
    ),
    permissions=("User.Read.All", "okta.users.read", "admin.directory.user.readonly"),
    collects=(PEOPLE, LEAVERS, MANAGERS),
)
