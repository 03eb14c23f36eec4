"""Format and parse ids of GitHub identities and resources.

Identities: `github:user/LOGIN`, `github:app/SLUG`, `github:ORG/team/SLUG`,
`github:ORG/pat/ID`, `github:ORG/deploy-key/REPOSITORY/ID`, and
`github:ORG/workflow/REPOSITORY/PATH` (a workflow with its GITHUB_TOKEN). Resources:
`github:ORG`, `github:ORG/repo/NAME`, `.../repo/NAME/branch/BRANCH`, `.../tag/TAG`,
`.../environment/ENVIRONMENT`, `.../secret/SECRET`, `.../run/CONTEXT` (a workflow run,
by the context of its OIDC subject: `ref:refs/heads/main`), and `github:ORG/secret/SECRET`.
On a host other than github.com its name comes first: `github:HOST/user/LOGIN`.
"""

import re
from dataclasses import dataclass

PREFIX = "github:"
REPOSITORY_PARTS = frozenset(
    ("branch", "tag", "environment", "secret", "runner", "run")
)
_RESERVED = re.compile(r"[%/\x00-\x20\x7f]")
_ESCAPED = re.compile(r"%([0-9A-F]{2})")


def _escape_id_part(part: str) -> str:
    """Escape the characters that a part of an id may not hold."""
    return _RESERVED.sub(
        lambda m: "".join(f"%{byte:02X}" for byte in m[0].encode()), part
    )


def _unescape_id_part(part: str) -> str:
    """Return a part of an id as it was before `_escape_id_part`."""
    return _ESCAPED.sub(lambda m: chr(int(m[1], 16)), part)


def _split_id(text: str) -> tuple[str, list[str]]:
    """Split an id into its host and its parts; no part where it is no such id."""
    parts = [_unescape_id_part(each) for each in text.removeprefix(PREFIX).split("/")]
    if not text.startswith(PREFIX) or not all(parts):
        return "", []
    # An account name has no dot, a host has one.
    return (parts[0], parts[1:]) if "." in parts[0] else ("", parts)


@dataclass(frozen=True, slots=True)
class GitHubSubject:
    """Parsed id of an identity.

    Attributes:
        kind: `user`, `team`, `app`, `pat`, `deploy-key` or `workflow`.
        name: Login, slug, id, or path of the workflow file.
        organization: Empty for a user and an app: they act in several.
        repository: Repository of a deploy key or a workflow, else empty.
        host: Empty for github.com.
    """

    kind: str
    name: str
    organization: str = ""
    repository: str = ""
    host: str = ""

    def __str__(self) -> str:
        parts = (self.host, self.organization, self.kind, self.repository, self.name)
        return PREFIX + "/".join(_escape_id_part(each) for each in parts if each)


def parse_subject_id(text: str) -> GitHubSubject | None:
    """Parse the id of an identity; None for any other text."""
    host, parts = _split_id(text)
    match parts:
        case ["user" | "app" as kind, name]:
            return GitHubSubject(kind, name, host=host)
        case [organization, "team" | "pat" as kind, name]:
            return GitHubSubject(kind, name, organization, host=host)
        case [organization, "deploy-key" | "workflow" as kind, repository, name]:
            return GitHubSubject(kind, name, organization, repository, host)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class GitHubResource:
    """Parsed id of a resource.

    Attributes:
        repository: Empty for a resource of the organization.
        kind: `organization`, `repo`, `branch`, `tag`, `environment`, `secret`,
            `runner`, `run`.
        name: Name of the part; empty for the repository or the organization itself.
        host: Empty for github.com.
    """

    organization: str
    kind: str
    repository: str = ""
    name: str = ""
    host: str = ""

    def __str__(self) -> str:
        host = f"{self.host}/" if self.host else ""
        head = PREFIX + host + _escape_id_part(self.organization)
        if self.kind == "organization":
            return head
        if not self.repository:
            return f"{head}/{self.kind}/{_escape_id_part(self.name)}"
        whole = f"{head}/repo/{_escape_id_part(self.repository)}"
        if self.kind == "repo":
            return whole
        return f"{whole}/{self.kind}/{_escape_id_part(self.name)}"


def parse_resource_id(text: str) -> GitHubResource | None:
    """Parse the id of a resource; None for any other text."""
    host, parts = _split_id(text)
    match parts:
        case [organization]:
            return GitHubResource(organization, "organization", host=host)
        case [organization, "repo", repository]:
            return GitHubResource(organization, "repo", repository, host=host)
        case [organization, "repo", repository, kind, name] if kind in REPOSITORY_PARTS:
            return GitHubResource(organization, kind, repository, name, host)
        case [organization, "secret" | "runner" as kind, name]:
            return GitHubResource(organization, kind, "", name, host)
        case _:
            return None
