"""Builder of small GitHub organizations for tests, collected as far as a row says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from answerable.model.github_ids import GitHubResource, GitHubSubject
from answerable.model.ids import IdentityId
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.reach.github.call_evaluation import evaluate_call
from answerable.reach.github.catalogue import GithubOrganization
from answerable.reach.github.organization_index import (
    Organizations,
    index_organizations,
)
from answerable.reach.platform import Answer, Question, SubjectIdentity

SEEN = FactProvenance("github:test", "acme.json", WrittenBy.PLATFORM, 1)
_OF_REPOSITORY = {
    "name": "shop",
    "visibility": "private",
    "default_branch": "main",
    "branches": ["main"],
    "collaborators": [],
    "teams": [],
    "protections": [],
    "rulesets": [],
    "environments": [],
    "secrets": [],
    "workflows": [],
    "deploy_keys": [],
    "runners": [],
}
_OF_ORGANIZATION = {
    "login": "acme",
    "base_role": "none",
    "members": [],
    "teams": [],
    "repository_roles": [],
    "organization_roles": [],
    "rulesets": [],
    "secrets": [],
    "installations": [],
    "tokens": [],
    "runner_groups": [],
}


def build_organization(written: Mapping[str, Any]) -> GithubOrganization:
    """Build an organization whose unwritten parts are collected and empty."""
    listed = written.get("repositories", [{}])
    repositories = [_OF_REPOSITORY | each for each in listed]
    whole = _OF_ORGANIZATION | {**written, "repositories": repositories}
    return msgspec.convert(whole, GithubOrganization)


def drop_kind(organization: GithubOrganization, kind: str) -> GithubOrganization:
    """Return an organization in which a kind of data was not collected."""
    where, _, name = kind.rpartition(".")
    empty: Any = "" if name in ("base_role", "visibility") else None
    if where == "repository":
        repositories = tuple(
            replace(each, **{name: empty}) for each in organization.repositories or ()
        )
        return replace(organization, repositories=repositories)
    if where == "team":
        teams = tuple(replace(t, members=None) for t in organization.teams or ())
        return replace(organization, teams=teams)
    return replace(organization, **{name: empty})


def encode(organization: GithubOrganization) -> PlatformCatalogue:
    """Encode an organization as a connector does."""
    body = msgspec.json.encode(organization).decode()
    return PlatformCatalogue("github", f"github:{organization.login}", body, SEEN)


def index(organization: GithubOrganization) -> Organizations:
    """Index one organization."""
    return index_organizations([encode(organization)])


def name_subject(text: str) -> str:
    """Return the id of a subject: `ana`, `team/dev`, `app/bot`, `pat/1`, `key/7`."""
    kind, slash, name = text.partition("/")
    if not slash:
        return str(GitHubSubject("user", text))
    if kind == "app":
        return str(GitHubSubject("app", name))
    if kind == "key":
        return str(GitHubSubject("deploy-key", name, "acme", "shop"))
    if kind == "workflow":
        return str(GitHubSubject("workflow", name, "acme", "shop"))
    if kind == "run":
        return str(GitHubResource("acme", "run", "shop", name))
    return str(GitHubSubject(kind, name, "acme"))


def name_resource(text: str) -> str:
    """Return the id of a resource: `acme`, `shop`, `shop/branch/main`."""
    if text == "acme":
        return "github:acme"
    if text.startswith("acme/"):
        _, kind, name = text.split("/", 2)
        return str(GitHubResource("acme", kind, "", name))
    repository, _, part = text.partition("/")
    kind, _, name = part.partition("/")
    return str(GitHubResource("acme", kind or "repo", repository, name))


def ask(
    organizations: Organizations,
    subject: str,
    action: str,
    resource: str,
    *,
    direct: bool = False,
) -> Answer:
    """Answer whether a subject can make one call."""
    from answerable.model.github_ids import parse_resource_id

    key = name_subject(subject)
    parsed = parse_resource_id(name_resource(resource))
    assert parsed is not None
    start = SubjectIdentity(key, IdentityId(key))
    question = Question(
        now=1,
        subject=key,
        action=action,
        resource=str(parsed),
        direct=direct,
        identities=(start,),
    )
    return evaluate_call(organizations, question, parsed)
