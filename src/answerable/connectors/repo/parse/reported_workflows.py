"""Build what a working copy states about the workflows of its GitHub repository.

An agent could have written the copy, so the facts are self-reported: they are kept next
to those of the platform, and no decision rests on them.
"""

from collections.abc import Iterable

import msgspec

from answerable.connectors.formats.ini_parser import parse_ini
from answerable.connectors.formats.url_secrets import is_url, split_url
from answerable.model.github_ids import PREFIX, GitHubSubject
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.provenance import FactProvenance
from answerable.reach.github.catalogue import (
    GithubOrganization,
    Repository,
    Workflow,
)

PLATFORM = "github"
WORKFLOW_FOLDER = ".github/workflows/"
_HOSTS = frozenset(("github.com", "ssh.github.com", "www.github.com"))


def parse_github_remote(git_config: str) -> tuple[str, str] | None:
    """Parse owner and name of the remote `origin`; None if it is not on github.com."""
    for setting in parse_ini(git_config):
        if setting.section == 'remote "origin"' and setting.name == "url":
            return _parse_url(setting.value)
    return None


def _parse_url(url: str) -> tuple[str, str] | None:
    """Parse the URL or the SCP form of a repository on github.com."""
    if is_url(url):
        authority, _, path = split_url(url)[2].partition("/")
    else:
        authority, _, path = url.rpartition("@")[2].partition(":")
    host = authority.partition(":")[0].lower()
    owner, _, name = path.strip("/").partition("/")
    if host not in _HOSTS or not owner or not name or "/" in name:
        return None
    return owner.lower(), name.removesuffix(".git")


def build_workflow_identity(remote: tuple[str, str], path: str) -> str:
    """Build the id of a workflow with its GITHUB_TOKEN."""
    return str(GitHubSubject("workflow", path, remote[0], remote[1]))


def build_workflow_catalogue(
    remote: tuple[str, str], workflows: Iterable[Workflow], seen: FactProvenance
) -> PlatformCatalogue:
    """Build the part of an organization that a working copy states."""
    owner, name = remote
    repository = Repository(name, workflows=tuple(workflows))
    organization = GithubOrganization(owner, repositories=(repository,))
    body = msgspec.json.encode(organization).decode()
    return PlatformCatalogue(PLATFORM, PREFIX + owner, body, seen)
