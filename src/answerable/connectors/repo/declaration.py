"""Declare the repository connector: its name, location and the files that it reads."""

from answerable.connectors.formats.agent_clients import PROJECT_FILES
from answerable.connectors.formats.codeowners import LOCATIONS
from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

WORKFLOWS = (".github/workflows/*.yml", ".github/workflows/*.yaml")

DECLARATION = ConnectorDeclaration(
    name="repo",
    gives="inventory",
    location="DIR",
    about="agent configurations, GitHub workflows and code owners of a project",
    # An agent that works in the project can write any of its files.
    written_by=WrittenBy.SELF_REPORTED,
    reads=(
        *dict.fromkeys(f"**/{entry.path}" for entry in PROJECT_FILES),
        *(f"**/{path}" for path in WORKFLOWS),
        *LOCATIONS,
        "**/.env",
        "**/.env.*",
        "**/.envrc",
        ".git/config",
    ),
    permissions=(),
    collects=("agent-configs", "workflows", "codeowners"),
)
