"""Declare the Azure connector: its name, location and coverage."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

ASSIGNMENTS = "azure-role-assignments"
DEFINITIONS = "azure-role-definitions"
DENIALS = "azure-deny-assignments"

DECLARATION = ConnectorDeclaration(
    name="azure",
    gives="inventory",
    location="FILE or DIR[,FILE...][,subscription=ID][,assignee=ID]",
    about="role assignments, role definitions and deny assignments of Azure",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE, or DIR/**/*.json: output of `az role assignment list --all`, "
        "`az role definition list`, `az ad sp list`, and REST responses of "
        "`denyAssignments`",
    ),
    permissions=(),
    collects=(ASSIGNMENTS, DEFINITIONS, DENIALS),
    location_options=("subscription", "assignee"),
)
