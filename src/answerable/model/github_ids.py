"""Spell ids of GitHub identities.

Identities: `github:user/LOGIN`, `github:app/SLUG`, `github:ORG/team/SLUG`,
`github:ORG/pat/ID`, `github:ORG/deploy-key/REPOSITORY/ID`, and
`github:ORG/workflow/REPOSITORY/PATH` (a workflow with its GITHUB_TOKEN).
On a host other than github.com its name comes first: `github:HOST/user/LOGIN`.
"""

import re
from dataclasses import dataclass

PREFIX = "github:"
_RESERVED = re.compile(r"[%/\x00-\x20\x7f]")


def _escape(part: str) -> str:
    """Escape the characters that a part of an id may not hold."""
    return _RESERVED.sub(
        lambda m: "".join(f"%{byte:02X}" for byte in m[0].encode()), part
    )


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
        return PREFIX + "/".join(_escape(each) for each in parts if each)
