"""Declare the GitHub connector: its name, location and coverage."""

from answerable.connectors.github.endpoints import (
    ENDPOINTS,
    KINDS,
    build_coverage_word,
)
from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

PLATFORM = "github"

DECLARATION = ConnectorDeclaration(
    name="github",
    gives="inventory",
    location="FILE or DIR[,FILE...][,org=NAME][,repo=NAME]",
    about="members, teams, roles, rules, secrets, tokens, apps and workflows of an "
    "organization",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE, or DIR/**/*.json: saved answers of the REST API (docs/github.md), "
        "a GitHound export",
        "DIR/**/*.yml, *.yaml, CODEOWNERS: files saved below repos/ORG/NAME/contents",
    ),
    permissions=tuple(dict.fromkeys(each.permission for each in ENDPOINTS)),
    collects=tuple(build_coverage_word(each) for each in KINDS),
    location_options=("org", "repo"),
)
