"""List the identities of an organization, and resolve one."""

from collections.abc import Iterator
from dataclasses import replace

from answerable.model.github_ids import GitHubSubject
from answerable.reach.github.call_evaluation import find_index, parse_identity
from answerable.reach.github.organization_index import (
    SOURCE,
    OrganizationIndex,
    Organizations,
)
from answerable.reach.github.repository_access import ANYONE
from answerable.reach.platform import SubjectIdentity, UnknownSubject


def list_identities(index: OrganizationIndex) -> Iterator[GitHubSubject]:
    """List the identities that can act in an organization.

    A team acts by its members; it is listed if they were not collected. The user `*` is
    any other account.
    """
    organization = index.organization
    host = "" if organization.host == "github.com" else organization.host
    logins = {each.login.lower(): each.login for each in organization.members or ()}
    for repository in organization.repositories or ():
        for login, _ in repository.collaborators or ():
            logins.setdefault(login.lower(), login)
    for team in organization.teams or ():
        for login, _ in team.members or ():
            logins.setdefault(login.lower(), login)
        if team.members is None:
            yield GitHubSubject("team", team.slug, index.login, host=host)
    for login in logins.values():
        yield GitHubSubject("user", login, host=host)
    for app in organization.installations or ():
        yield GitHubSubject("app", app.slug, host=host)
    for token in organization.tokens or ():
        yield GitHubSubject("pat", str(token.id), index.login, host=host)
    yield from _list_identities_of_repositories(index, host)
    yield GitHubSubject("user", ANYONE, host=host)


def _list_identities_of_repositories(
    index: OrganizationIndex, host: str
) -> Iterator[GitHubSubject]:
    """List the deploy keys and the workflows of each repository."""
    for each in index.organization.repositories or ():
        for key in each.deploy_keys or ():
            yield GitHubSubject("deploy-key", str(key.id), index.login, each.name, host)
        for path in dict.fromkeys(w.path for w in each.workflows or ()):
            yield GitHubSubject("workflow", path, index.login, each.name, host)


def resolve_identity(
    organizations: Organizations, start: SubjectIdentity
) -> SubjectIdentity | UnknownSubject:
    """Return an identity, with the reason if nothing is known about it."""
    subject = parse_identity(start.identity)
    if subject is None:
        return UnknownSubject(start.identity, "not the id of a GitHub identity", SOURCE)
    if not organizations:
        what = "no scan describes an organization of GitHub"
        return replace(start, unknown=UnknownSubject(start.identity, what, SOURCE))
    if not subject.organization:
        return start
    index = find_index(organizations, start.identity)
    if index is None:
        what = f"no scan describes the organization {subject.organization}"
        return UnknownSubject(start.identity, what, SOURCE)
    if _is_absent(index, subject):
        what = f"the scan of {index.login} contains no such {subject.kind}"
        return UnknownSubject(start.identity, what, SOURCE, absent=True)
    return start


def _is_absent(index: OrganizationIndex, subject: GitHubSubject) -> bool:
    """Return whether a team or a token is not in a complete list."""
    organization = index.organization
    if subject.kind == "team":
        return (
            organization.teams is not None and subject.name.lower() not in index.teams
        )
    if subject.kind == "pat":
        ids = {str(each.id) for each in organization.tokens or ()}
        return organization.tokens is not None and subject.name not in ids
    return False
