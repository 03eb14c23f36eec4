"""Table of the GitHub API endpoints that are read, with the scope that each needs.

Source: https://docs.github.com/rest/authentication/permissions-required-for-github-apps
"""

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, unquote

# Places of the file, the first that exists counts.
CODEOWNERS_LOCATIONS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
COVERAGE_PREFIX = "github-"


@dataclass(frozen=True)
class Endpoint:
    """Endpoint of the REST API, or the GraphQL query of branch protection.

    Attributes:
        answer: Name of the answer's reader.
        path: Path with parameters in braces.
        word: Word of coverage that a complete answer adds to.
        permission: Least permission of a GitHub App, as GitHub names it.
        query: Query of the request.
        saved: Ending of the saved file's name that stands for the query.
        parent: Answer whose entries fill the parameters; empty for the organization's.
        optional: True where 404 says that there is none.
    """

    answer: str
    path: str
    word: str
    permission: str
    query: str = ""
    saved: str = ""
    parent: str = ""
    optional: bool = False

    def build_path(self, parameters: dict[str, str]) -> str:
        """Build the path of an answer, with the ending of its saved file."""
        quoted = {name: quote(value, safe="") for name, value in parameters.items()}
        return self.path.format_map(quoted) + self.saved

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Pattern of the path of a saved answer, without `.json`."""
        named = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        return re.compile(rf"(?:.*/)?{named}{re.escape(self.saved)}", re.IGNORECASE)


_ORG = "orgs/{org}"
_REPO = "repos/{org}/{repo}"
_ROLES_READ = "organization custom_org_roles: read"
_TOKENS_READ = "organization personal_access_tokens: read"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("organization", _ORG, "organization", "organization administration: read"),
    Endpoint(
        "owners",
        f"{_ORG}/members",
        "members",
        "organization members: read",
        query="role=admin",
        saved=".admin",
    ),
    Endpoint(
        "members",
        f"{_ORG}/members",
        "members",
        "organization members: read",
        query="role=member",
        saved=".member",
    ),
    Endpoint(
        "outside-collaborators",
        f"{_ORG}/outside_collaborators",
        "members",
        "organization members: read",
    ),
    Endpoint("teams", f"{_ORG}/teams", "teams", "organization members: read"),
    Endpoint(
        "team-maintainers",
        f"{_ORG}/teams/{{team}}/members",
        "teams",
        "organization members: read",
        query="role=maintainer",
        saved=".maintainer",
        parent="teams",
    ),
    Endpoint(
        "team-members",
        f"{_ORG}/teams/{{team}}/members",
        "teams",
        "organization members: read",
        query="role=member",
        saved=".member",
        parent="teams",
    ),
    Endpoint(
        "organization-roles",
        f"{_ORG}/organization-roles",
        "organization-roles",
        _ROLES_READ,
    ),
    Endpoint(
        "organization-role-teams",
        f"{_ORG}/organization-roles/{{role}}/teams",
        "organization-roles",
        _ROLES_READ,
        parent="organization-roles",
    ),
    Endpoint(
        "organization-role-users",
        f"{_ORG}/organization-roles/{{role}}/users",
        "organization-roles",
        _ROLES_READ,
        parent="organization-roles",
    ),
    Endpoint(
        "repository-roles",
        f"{_ORG}/custom-repository-roles",
        "repository-roles",
        "organization custom_roles: read",
        optional=True,
    ),
    Endpoint(
        "organization-rulesets",
        f"{_ORG}/rulesets",
        "rulesets",
        "organization administration: write",
    ),
    Endpoint(
        "organization-ruleset",
        f"{_ORG}/rulesets/{{ruleset}}",
        "rulesets",
        "organization administration: write",
        parent="organization-rulesets",
    ),
    Endpoint(
        "organization-secrets",
        f"{_ORG}/actions/secrets",
        "secrets",
        "organization secrets: read",
    ),
    Endpoint(
        "organization-secret-repositories",
        f"{_ORG}/actions/secrets/{{secret}}/repositories",
        "secrets",
        "organization secrets: read",
        parent="organization-secrets",
    ),
    Endpoint(
        "organization-workflow-permissions",
        f"{_ORG}/actions/permissions/workflow",
        "actions-permissions",
        "organization administration: read",
    ),
    Endpoint(
        "organization-oidc",
        f"{_ORG}/actions/oidc/customization/sub",
        "oidc-templates",
        "organization administration: read",
        optional=True,
    ),
    Endpoint(
        "runner-groups",
        f"{_ORG}/actions/runner-groups",
        "runner-groups",
        "organization self_hosted_runners: read",
    ),
    Endpoint(
        "runner-group-repositories",
        f"{_ORG}/actions/runner-groups/{{group}}/repositories",
        "runner-groups",
        "organization self_hosted_runners: read",
        parent="runner-groups",
    ),
    Endpoint(
        "runner-group-runners",
        f"{_ORG}/actions/runner-groups/{{group}}/runners",
        "runner-groups",
        "organization self_hosted_runners: read",
        parent="runner-groups",
    ),
    Endpoint(
        "installations",
        f"{_ORG}/installations",
        "installations",
        "organization administration: read",
    ),
    Endpoint("app", "apps/{app}", "installations", "none", parent="installations"),
    Endpoint(
        "tokens",
        f"{_ORG}/personal-access-tokens",
        "fine-grained-tokens",
        _TOKENS_READ,
    ),
    Endpoint(
        "token-repositories",
        f"{_ORG}/personal-access-tokens/{{token}}/repositories",
        "fine-grained-tokens",
        _TOKENS_READ,
        parent="tokens",
    ),
    Endpoint(
        "token-requests",
        f"{_ORG}/personal-access-token-requests",
        "fine-grained-tokens",
        "organization personal_access_token_requests: read",
    ),
    Endpoint("repositories", f"{_ORG}/repos", "repositories", "metadata: read"),
    Endpoint(
        "collaborators",
        f"{_REPO}/collaborators",
        "collaborators",
        "metadata: read",
        query="affiliation=direct",
        parent="repositories",
    ),
    Endpoint(
        "repository-teams",
        f"{_REPO}/teams",
        "repository-teams",
        "administration: read",
        parent="repositories",
    ),
    Endpoint(
        "branches",
        f"{_REPO}/branches",
        "branches",
        "contents: read",
        parent="repositories",
    ),
    Endpoint(
        "branch-protections",
        f"{_REPO}/branch-protection-rules",
        "branch-protections",
        "administration: read",
        parent="repositories",
    ),
    Endpoint(
        "rulesets",
        f"{_REPO}/rulesets",
        "rulesets",
        "metadata: read (administration: write shows bypass actors)",
        query="includes_parents=false",
        parent="repositories",
    ),
    Endpoint(
        "ruleset",
        f"{_REPO}/rulesets/{{ruleset}}",
        "rulesets",
        "metadata: read (administration: write shows bypass actors)",
        parent="rulesets",
    ),
    Endpoint(
        "environments",
        f"{_REPO}/environments",
        "environments",
        "actions: read",
        parent="repositories",
    ),
    Endpoint(
        "environment-branches",
        f"{_REPO}/environments/{{environment}}/deployment-branch-policies",
        "environments",
        "actions: read",
        parent="environments",
    ),
    Endpoint(
        "environment-secrets",
        f"{_REPO}/environments/{{environment}}/secrets",
        "secrets",
        "environments: read",
        parent="environments",
    ),
    Endpoint(
        "repository-secrets",
        f"{_REPO}/actions/secrets",
        "secrets",
        "secrets: read",
        parent="repositories",
    ),
    Endpoint(
        "deploy-keys",
        f"{_REPO}/keys",
        "deploy-keys",
        "administration: read",
        parent="repositories",
    ),
    Endpoint(
        "workflow-permissions",
        f"{_REPO}/actions/permissions/workflow",
        "actions-permissions",
        "administration: read",
        parent="repositories",
    ),
    Endpoint(
        "actions-permissions",
        f"{_REPO}/actions/permissions",
        "actions-permissions",
        "administration: read",
        parent="repositories",
    ),
    Endpoint(
        "fork-approval",
        f"{_REPO}/actions/permissions/fork-pr-contributor-approval",
        "actions-permissions",
        "administration: read",
        parent="repositories",
        optional=True,
    ),
    Endpoint(
        "oidc",
        f"{_REPO}/actions/oidc/customization/sub",
        "oidc-templates",
        "actions: read",
        parent="repositories",
        optional=True,
    ),
    Endpoint(
        "workflows",
        f"{_REPO}/actions/workflows",
        "workflows",
        "actions: read",
        parent="repositories",
    ),
    Endpoint(
        "workflow-file",
        f"{_REPO}/contents/.github/workflows/{{workflow}}",
        "workflows",
        "contents: read",
        parent="workflows",
    ),
    *(
        Endpoint(
            "codeowners",
            f"{_REPO}/contents/{location}",
            "codeowners",
            "contents: read",
            parent="repositories",
            optional=True,
        )
        for location in CODEOWNERS_LOCATIONS
    ),
    Endpoint(
        "repository-runners",
        f"{_REPO}/actions/runners",
        "runner-groups",
        "administration: read",
        parent="repositories",
    ),
)

KINDS = tuple(dict.fromkeys(each.word for each in ENDPOINTS))


def build_coverage_word(kind: str) -> str:
    """Build the word of coverage of a kind."""
    return COVERAGE_PREFIX + kind


@dataclass(frozen=True, slots=True)
class AnswerAddress:
    """Address of an answer: its endpoint and the values of its parameters."""

    endpoint: Endpoint
    parameters: dict[str, str]


def find_answer_address(path: str) -> AnswerAddress | None:
    """Find the endpoint that the path of a saved answer names; None for none."""
    for each in ENDPOINTS:
        if each.pattern.fullmatch(path):
            return find_address_of_endpoint(each, path)
    return None


def find_address_of_endpoint(endpoint: Endpoint, path: str) -> AnswerAddress:
    """Find the parameters in a path that an endpoint built."""
    found = endpoint.pattern.fullmatch(path)
    named = found.groupdict() if found else {}
    return AnswerAddress(
        endpoint, {name: unquote(text) for name, text in named.items()}
    )
