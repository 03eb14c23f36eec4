"""Parse the action and the resource of a question in GitHub's format."""

from collections.abc import Iterator
from difflib import get_close_matches

from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.github_ids import PREFIX, GitHubResource, parse_resource_id
from answerable.reach.github.organization_index import Organizations
from answerable.reach.github.vocabulary import ACTIONS, DESCRIPTIONS
from answerable.reach.github.workflow_token import parse_token_action

_TOKEN_RESOURCES = ("repo", "run")
_EXAMPLE = "as github:ORG/repo/NAME/branch/BRANCH, or ORG/NAME for a repository"


def parse_action(text: str) -> str:
    """Parse an action.

    Raises:
        UsageError: There is no such action; the hint has the nearest one.
    """
    action = text.strip().lower()
    if action in DESCRIPTIONS or parse_token_action(action):
        return action
    close = get_close_matches(action, DESCRIPTIONS, n=1)
    known = ", ".join(sorted(DESCRIPTIONS))
    hint = f"did you mean {close[0]}?" if close else f"known: {known}"
    raise UsageError(f"GitHub has no action {text[:80]!r}", hint)


def parse_resource(
    organizations: Organizations, action: str, text: str
) -> GitHubResource:
    """Parse a resource: an id, `ORG/NAME`, or the name of a collected repository.

    Raises:
        UsageError: It is no resource, or none of its kind takes the action.
    """
    found = parse_resource_id(text) if text.startswith(PREFIX) else None
    if found is None and not text.startswith(PREFIX):
        named = list(_find_repositories(organizations, text))
        if len(named) > 1:
            raise AmbiguousError(
                f"{text[:80]!r} matches several repositories", tuple(map(str, named))
            )
        found = named[0] if named else None
    if found is None or found.kind not in ACTIONS:
        raise UsageError(f"not a GitHub resource (got {text[:80]!r})", _EXAMPLE)
    check_action(action, found)
    return _use_collected_repository_name(organizations, found)


def check_action(action: str, resource: GitHubResource) -> None:
    """Check that resources of this kind take the action.

    Raises:
        UsageError: They do not; the hint lists the actions that they take.
    """
    known = ACTIONS[resource.kind]
    by_token = resource.kind in _TOKEN_RESOURCES and parse_token_action(action)
    if action not in known and not by_token:
        what = "repository" if resource.kind == "repo" else resource.kind
        raise UsageError(
            f"GitHub has no action {action} on a {what}", f"known: {', '.join(known)}"
        )


def _find_repositories(
    organizations: Organizations, text: str
) -> Iterator[GitHubResource]:
    """Find the repositories that a name means."""
    owner, slash, name = text.rpartition("/")
    for index in organizations.values():
        repository = index.get_repository(name)
        if repository and (not slash or owner.lower() == index.login):
            found = parse_resource_id(index.build_id("repo", repository.name))
            if found:
                yield found


def _use_collected_repository_name(
    organizations: Organizations, named: GitHubResource
) -> GitHubResource:
    """Return a resource with the collected name of its repository."""
    for index in organizations.values():
        if index.login == named.organization.lower():
            repository = index.get_repository(named.repository)
            name = repository.name if repository else named.repository
            return GitHubResource(index.login, named.kind, name, named.name, named.host)
    return named
