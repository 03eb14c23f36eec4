"""Index the collected organizations: members, teams with their parents, repositories."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import msgspec

from answerable.model.github_ids import GitHubResource
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.github.catalogue import (
    GithubOrganization,
    Member,
    OrganizationRole,
    Repository,
    RepositoryRole,
    Team,
)

ValueT = TypeVar("ValueT")
PLATFORM = "github"
SOURCE = "github"
REPORTED = "only a working copy contains the workflows, and it is self-reported"


class OrganizationIndex:
    """Organization with its parts by name, in lower case.

    Attributes:
        memberships: Slugs of the teams that a login is listed in.
        reported: Ids of repositories whose workflows a working copy states.
    """

    def __init__(self, organization: GithubOrganization) -> None:
        self.organization = organization
        self.reported: frozenset[str] = frozenset()
        self._computed: dict[Hashable, Any] = {}
        self.login = organization.login.lower()
        self.members: dict[str, Member] = {
            each.login.lower(): each for each in organization.members or ()
        }
        self.teams: dict[str, Team] = {
            each.slug.lower(): each for each in organization.teams or ()
        }
        self.repositories: dict[str, Repository] = {
            each.name.lower(): each for each in organization.repositories or ()
        }
        self.repository_roles: dict[str, RepositoryRole] = {
            each.name.lower(): each for each in organization.repository_roles or ()
        }
        self.organization_roles: dict[str, OrganizationRole] = {
            each.name.lower(): each for each in organization.organization_roles or ()
        }
        self.memberships: dict[str, list[str]] = {}
        for slug, team in self.teams.items():
            for login, _ in team.members or ():
                self.memberships.setdefault(login.lower(), []).append(slug)

    def get_or_compute(self, key: Hashable, compute: Callable[[], ValueT]) -> ValueT:
        """Return a value that depends on the organization alone, computed once."""
        if key not in self._computed:
            self._computed[key] = compute()
        found: ValueT = self._computed[key]
        return found

    @property
    def has_all_team_members(self) -> bool:
        """Return whether the members of every team were collected."""
        return self.organization.teams is not None and all(
            each.members is not None for each in self.teams.values()
        )

    def list_team_chain(self, slug: str) -> list[str]:
        """List a team and its ancestors: a child team has its parents' access.

        Source: https://docs.github.com/organizations/organizing-members-into-teams/about-teams
        """
        chain: list[str] = []
        current = slug.lower()
        while current and current not in chain:
            chain.append(current)
            team = self.teams.get(current)
            current = team.parent.lower() if team else ""
        return chain

    def list_teams_of_user(self, login: str) -> dict[str, list[str]]:
        """List the teams of a user, each with the chain from the joined team to it."""
        found: dict[str, list[str]] = {}
        for joined in self.memberships.get(login.lower(), ()):
            chain = self.list_team_chain(joined)
            for length, slug in enumerate(chain, 1):
                if slug not in found or length < len(found[slug]):
                    found[slug] = chain[:length]
        return found

    def get_repository(self, name: str) -> Repository | None:
        """Return a repository by name; letters fold."""
        return self.repositories.get(name.lower())

    def build_id(self, kind: str, repository: str = "", name: str = "") -> str:
        """Build the id of a resource."""
        host = self.organization.host
        shown = "" if host in ("", "github.com") else host
        return str(GitHubResource(self.login, kind, repository, name, shown))


def decode_organizations(
    catalogues: Iterable[PlatformCatalogue],
) -> list[tuple[str, GithubOrganization]]:
    """Decode the organizations, newest first, each with the place of its catalogue.

    Those that only a working copy states are left out: an agent could have written them.
    """
    mine = [
        each
        for each in catalogues
        if each.platform == PLATFORM and each.seen.written_by.is_trusted_author
    ]
    mine.sort(key=lambda each: (-each.seen.at, each.seen.source))
    return [
        (each.place, msgspec.json.decode(each.body, type=GithubOrganization))
        for each in mine
    ]


class OrganizationIndexes(dict[str, OrganizationIndex]):
    """Organizations by id.

    Attributes:
        reported: Ids of repositories whose workflows a working copy states.
    """

    def __init__(self, reported: frozenset[str]) -> None:
        super().__init__()
        self.reported = reported


def index_organizations(
    catalogues: Iterable[PlatformCatalogue],
) -> OrganizationIndexes:
    """Index the organizations of a snapshot, by the id of the organization."""
    listed = list(catalogues)
    grouped: dict[tuple[str, str], list[GithubOrganization]] = {}
    for _, each in decode_organizations(listed):
        grouped.setdefault((each.host, each.login.lower()), []).append(each)
    found = OrganizationIndexes(frozenset(_list_reported_repositories(listed)))
    for parts in grouped.values():
        index = OrganizationIndex(_merge_organizations(parts))
        index.reported = found.reported
        found[index.build_id("organization")] = index
    return found


def _list_reported_repositories(
    catalogues: Iterable[PlatformCatalogue],
) -> Iterator[str]:
    """List the repositories whose workflows only a working copy states."""
    for each in catalogues:
        if each.platform == PLATFORM and not each.seen.written_by.is_trusted_author:
            stated = msgspec.json.decode(each.body, type=GithubOrganization)
            index = OrganizationIndex(stated)
            for repository in stated.repositories or ():
                yield index.build_id("repo", repository.name).lower()


def _merge_organizations(parts: Sequence[GithubOrganization]) -> GithubOrganization:
    """Merge parts of one organization: each field from the newest that collected it."""
    if len(parts) == 1:
        return parts[0]
    names: dict[str, None] = {}
    by_name: dict[str, list[Repository]] = {}
    for part in parts:
        for each in part.repositories or ():
            names.setdefault(each.name.lower())
            by_name.setdefault(each.name.lower(), []).append(each)
    repositories = None
    if any(part.repositories is not None for part in parts):
        repositories = tuple(
            replace(by_name[name][0], **_choose_fields(by_name[name])) for name in names
        )
    chosen = _choose_fields(parts)
    chosen["repositories"] = repositories
    chosen["unread"] = tuple(dict.fromkeys(u for part in parts for u in part.unread))
    return replace(parts[0], **chosen)


def _choose_fields(parts: Sequence[Any]) -> dict[str, Any]:
    """Choose the first collected value of each field."""
    return {
        each.name: next(
            (
                value
                for value in (getattr(part, each.name) for part in parts)
                if value not in (None, "", 0)
            ),
            getattr(parts[0], each.name),
        )
        for each in fields(parts[0])
    }


Organizations = Mapping[str, OrganizationIndex]


@dataclass(frozen=True, slots=True)
class RepositoryPlace:
    """Repository within its organization."""

    index: OrganizationIndex
    repository: Repository

    @property
    def name(self) -> str:
        """Name of the repository, for statements."""
        return self.repository.name
