"""Declare the GitHub connector: its name, location and coverage."""

from answerable.connectors.github.endpoints import (
    ENDPOINTS,
    KINDS,
    Endpoint,
    build_coverage_word,
)
from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

PLATFORM = "github"
LIVE_OPTIONS = ("app", "key", "api")


def _describe_call(endpoint: Endpoint) -> str:
    """Describe the call of an endpoint."""
    if endpoint.answer == "branch-protections":
        return "POST graphql (branchProtectionRules)"
    path = endpoint.path.replace("{org}", "ORG").replace("{repo}", "NAME")
    return f"GET {path}{'?' if endpoint.query else ''}{endpoint.query}"


DECLARATION = ConnectorDeclaration(
    name="github",
    gives="inventory",
    location="FILE or DIR[,FILE...][,org=NAME][,repo=NAME], "
    "or ORG[,app=ID,key=FILE][,api=URL] (live)",
    about="members, teams, roles, rules, secrets, tokens, apps and workflows of an "
    "organization",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE, or DIR/**/*.json: saved responses of the REST API (docs/github.md), "
        "a GitHound export",
        "DIR/**/*.yml, *.yaml, CODEOWNERS: files saved below repos/ORG/NAME/contents",
        *(_describe_call(each) for each in ENDPOINTS),
    ),
    permissions=tuple(dict.fromkeys(each.permission for each in ENDPOINTS)),
    collects=tuple(build_coverage_word(each) for each in KINDS),
    location_options=("org", "repo", *LIVE_OPTIONS),
    live_name=r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})",
)
