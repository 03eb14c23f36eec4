"""Collect the responses about one organization until its catalogue can be built."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from answerable.connectors.formats.problem_collector import ProblemCollector
from answerable.connectors.github.endpoints import (
    CODEOWNERS_LOCATIONS,
    ENDPOINTS,
    KINDS,
    AnswerAddress,
    Endpoint,
)
from answerable.connectors.github.parse.rule_actors import resolve_ruleset
from answerable.connectors.github.parse.saved_response import SavedAnswer
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.reach.github.catalogue import (
    AccessToken,
    AppInstallation,
    Environment,
    GithubOrganization,
    Member,
    OrganizationRole,
    Repository,
    RepositoryRole,
    Ruleset,
    RunnerGroup,
    SharedSecret,
    Team,
    Workflow,
)

UNREAD_LIMIT = 10_000
AnswerT = TypeVar("AnswerT")
StructT = TypeVar("StructT", bound=msgspec.Struct)
CodeOwnersRules = tuple[tuple[str, tuple[str, ...]], ...]
# Fields of a repository that lists fill.
_LIST_FIELDS = {
    "collaborators": "collaborators",
    "repository-teams": "teams",
    "branches": "branches",
    "branch-protections": "protections",
    "repository-secrets": "secrets",
    "deploy-keys": "deploy_keys",
    "repository-runners": "runners",
    "rulesets": "rulesets",
    "environments": "environments",
    "workflows": "workflows",
}
_MEMBER_RANK = ("outside", "member", "owner")


@dataclass(slots=True)
class RepositoryParts:
    """Parts of one repository, by name; None where no answer was read."""

    environments: dict[str, Environment] | None = None
    rulesets: dict[int, Ruleset] | None = None
    workflows: dict[tuple[str, str], Workflow] | None = None
    codeowners: dict[str, CodeOwnersRules] = field(default_factory=dict)


@dataclass(slots=True)
class OrganizationBuilder(ProblemCollector):
    """Organization under construction.

    Attributes:
        login: Login in lower case; empty until stated.
        expected: Paths of answers that a complete collection has.
        read: Paths of answers that were read completely.
        faulty: Places of answers with an invalid part.
        incomplete: Answers with a missing page or an invalid part, with the repository.
        recognised: Number of answers that were read.
        words: Kinds that a source collects without paths: a graph export.
        users: Ids and places of users that are named outside the lists of members.
        role_names: Names of organization roles by id.
        app_owners: Owners of apps by slug, with the type of the account.
    """

    login: str = ""
    settings: GithubOrganization = field(default_factory=lambda: GithubOrganization(""))
    members: dict[str, Member] = field(default_factory=dict)
    users: dict[str, tuple[int, str]] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    team_ids: dict[int, str] = field(default_factory=dict)
    role_names: dict[str, str] = field(default_factory=dict)
    organization_roles: dict[str, OrganizationRole] = field(default_factory=dict)
    repository_roles: dict[str, RepositoryRole] = field(default_factory=dict)
    repository_role_ids: dict[int, str] = field(default_factory=dict)
    rulesets: dict[int, Ruleset] = field(default_factory=dict)
    secrets: dict[str, SharedSecret] = field(default_factory=dict)
    installations: dict[str, AppInstallation] = field(default_factory=dict)
    app_owners: dict[str, tuple[str, str]] = field(default_factory=dict)
    tokens: dict[int, AccessToken] = field(default_factory=dict)
    runner_groups: dict[int, RunnerGroup] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    parts: dict[str, RepositoryParts] = field(default_factory=dict)
    expected: dict[str, Endpoint] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    answers: set[str] = field(default_factory=set)
    faulty: set[str] = field(default_factory=set)
    incomplete: set[tuple[str, str]] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    recognised: int = 0

    def expect_children(self, parent: str, parameters: dict[str, str]) -> None:
        """Expect the answers about an entry of a list."""
        for each in ENDPOINTS:
            if each.parent == parent:
                self.expected.setdefault(each.build_path(parameters), each)

    def expect(self, answer: str, parameters: dict[str, str]) -> None:
        """Expect one answer about an entry of a list."""
        for each in ENDPOINTS:
            if each.answer == answer:
                self.expected.setdefault(each.build_path(parameters), each)

    def mark_answer(self, address: AnswerAddress, answer: SavedAnswer) -> None:
        """Note that an answer was read, and whether it was complete."""
        self.recognised += 1
        self.answers.add(address.endpoint.answer)
        if answer.missing:
            self.add_problem(
                answer.place, f"pages of the response are missing: {answer.missing}"
            )
        elif answer.place not in self.faulty:
            self.read.add(address.endpoint.build_path(address.parameters).lower())
            return
        self.forget_list(address)

    def forget_list(self, address: AnswerAddress) -> None:
        """Make a list unknown that was not read whole: what it lacks may count."""
        repository = address.parameters.get("repo", "").lower()
        self.incomplete.add((address.endpoint.answer, repository))

    def iter_items(
        self, answer: SavedAnswer, kind: type[AnswerT]
    ) -> Iterator[tuple[str, AnswerT]]:
        """Yield the entries of a list with their places; an invalid one is a problem.

        An answer that is no list is one too: it is not an empty list.
        """
        if not answer.is_list:
            self._add_foreign_answer(answer, "list")
        for number, raw in enumerate(answer.items):
            place = f"{answer.place}#/{number}"
            item = self.decode(raw, kind, place)
            if item is None:
                self.faulty.add(answer.place)
            else:
                yield place, item

    def decode_object(self, answer: SavedAnswer, kind: type[StructT]) -> StructT | None:
        """Decode an answer that is one object; None and a problem if invalid.

        An object without any member of the answer is not an answer with its defaults.
        """
        names = {each.encode_name for each in msgspec.structs.fields(kind)}
        if names.isdisjoint(answer.fields):
            self._add_foreign_answer(answer, "object")
            return None
        raw = msgspec.Raw(msgspec.json.encode(answer.fields))
        item = self.decode(raw, kind, answer.place)
        if item is None:
            self.faulty.add(answer.place)
        return item

    def _add_foreign_answer(self, answer: SavedAnswer, expected: str) -> None:
        """Note that an answer is not of the form that its endpoint has."""
        what = f"not an answer of this endpoint (expected its {expected})"
        self.add_problem(answer.place, what)
        self.faulty.add(answer.place)

    def get_repository(self, name: str) -> Repository:
        """Return a repository, added on first mention."""
        return self.repositories.setdefault(name.lower(), Repository(name))

    def get_parts(self, name: str) -> RepositoryParts:
        """Return the parts of a repository, added on first mention."""
        self.get_repository(name)
        return self.parts.setdefault(name.lower(), RepositoryParts())

    # Fields of a dataclass have no common type.
    def update_repository(self, repository: str, /, **changes: Any) -> None:
        """Change fields of a repository."""
        whole = self.get_repository(repository)
        self.repositories[repository.lower()] = replace(whole, **changes)

    def add_member(self, member: Member) -> None:
        """Add a member; the highest of several roles counts."""
        known = self.members.get(member.login)
        if known is not None:
            best = max(known.role, member.role, key=_MEMBER_RANK.index)
            roles = (*known.organization_roles, *member.organization_roles)
            member = replace(
                known,
                role=best,
                id=known.id or member.id,
                email=known.email or member.email,
                organization_roles=tuple(dict.fromkeys(roles)),
            )
        self.members[member.login] = member

    def add_team_members(self, slug: str, members: list[tuple[str, str]]) -> None:
        """Add members of a team; a maintainer stays one."""
        team = self.teams.get(slug) or Team(slug)
        known = dict(members) | dict(team.members or ())
        self.teams[slug] = replace(team, members=tuple(sorted(known.items())))

    def build(self) -> GithubOrganization:
        """Build the catalogue of what was read."""
        collected = self.list_collected_kinds()
        owned = self.settings
        return replace(
            owned,
            login=self.login,
            collected=collected,
            unread=self._list_unread_paths(),
            members=self._list_members(),
            teams=self._list_teams(),
            repository_roles=self._get_if_collected(
                self.repository_roles, "repository-roles"
            ),
            organization_roles=tuple(self.organization_roles.values())
            if "organization-roles" in collected
            else None,
            repositories=tuple(
                self._build_repository(key, each)
                for key, each in self.repositories.items()
            )
            if self.repositories or "repositories" in collected
            else None,
            rulesets=self._resolve_rulesets(
                self._get_if_collected(
                    self.rulesets, "rulesets", "organization-rulesets"
                )
            ),
            secrets=self._get_if_collected(
                self.secrets, "secrets", "organization-secrets"
            ),
            installations=self._list_installations(),
            tokens=self._get_if_collected(self.tokens, "fine-grained-tokens", "tokens"),
            runner_groups=self._get_if_collected(self.runner_groups, "runner-groups"),
        )

    def _get_if_collected(
        self, found: dict[Any, AnswerT], word: str, answer: str = ""
    ) -> tuple[AnswerT, ...] | None:
        """Return what was found; None where no answer was read."""
        names = {answer} if answer else {e.answer for e in ENDPOINTS if e.word == word}
        if any((name, "") in self.incomplete for name in names):
            return None
        if found or names & self.answers or word in self.words:
            return tuple(found.values())
        return None

    def _list_members(self) -> tuple[Member, ...] | None:
        """List the members; None unless owners and other members were read."""
        if {"owners", "members"} <= self.answers or "members" in self.words:
            return self._get_if_collected(self.members, "members")
        return None

    def _list_teams(self) -> tuple[Team, ...] | None:
        """List the teams; members are unknown unless both lists of them were read."""
        found = self._get_if_collected(self.teams, "teams", "teams")
        if found is None:
            return None
        missing = {
            path.split("/")[3]
            for path, each in self.expected.items()
            if each.parent == "teams" and path.lower() not in self.read
        }
        return tuple(
            replace(each, members=None) if quote(each.slug) in missing else each
            for each in found
        )

    def _list_installations(self) -> tuple[AppInstallation, ...] | None:
        """List the installations, each with the owner of its app."""
        found = self._get_if_collected(
            self.installations, "installations", "installations"
        )
        if found is None:
            return None
        return tuple(
            replace(each, owner=self.app_owners.get(each.slug, ("", ""))[0])
            for each in found
        )

    def _build_repository(self, key: str, whole: Repository) -> Repository:
        """Build a repository from its parts."""
        parts = self.parts.get(key) or RepositoryParts()
        workflows = parts.workflows
        owners = (parts.codeowners.get(place) for place in CODEOWNERS_LOCATIONS)
        built = replace(
            whole,
            environments=self._list_environments(key, parts),
            rulesets=self._resolve_rulesets(_list_values(parts.rulesets)),
            workflows=None
            if workflows is None
            else tuple(
                replace(each, branch=each.branch or whole.default_branch)
                for each in workflows.values()
            ),
            codeowners=next((each for each in owners if each is not None), ()),
        )
        unknown: dict[str, Any] = {
            _LIST_FIELDS[answer]: None
            for answer, repository in self.incomplete
            if repository == key and answer in _LIST_FIELDS
        }
        return replace(built, **unknown)

    def _list_environments(
        self, key: str, parts: RepositoryParts
    ) -> tuple[Environment, ...] | None:
        """List the environments; parts from incomplete lists are unknown."""
        found = _list_values(parts.environments)
        if found is not None and ("environment-secrets", key) in self.incomplete:
            found = tuple(replace(each, secrets=None) for each in found)
        if found is not None and ("environment-branches", key) in self.incomplete:
            found = tuple(replace(each, protection_collected=False) for each in found)
        return found

    def _resolve_rulesets(
        self, rulesets: tuple[Ruleset, ...] | None
    ) -> tuple[Ruleset, ...] | None:
        """Replace ids in rulesets by names."""
        if rulesets is None:
            return None
        apps = {each.app_id: each.slug for each in self.installations.values()}
        repositories = {str(e.id): e.name for e in self.repositories.values() if e.id}
        return tuple(
            resolve_ruleset(
                each, self.team_ids, apps, self.repository_role_ids, repositories
            )
            for each in rulesets
        )

    def list_collected_kinds(self) -> tuple[str, ...]:
        """List the kinds of which every expected answer was read completely."""
        own = {"org": self.login}
        missing = {
            each.word
            for each in ENDPOINTS
            if not each.parent and each.build_path(own).lower() not in self.read
        }
        missing |= {
            each.word
            for path, each in self.expected.items()
            if path.lower() not in self.read
        }
        if "repositories" in missing:
            below = _list_repository_answers()
            missing |= {each.word for each in ENDPOINTS if each.answer in below}
        return tuple(k for k in KINDS if k in self.words or k not in missing)

    def _list_missing_paths(self) -> list[tuple[str, Endpoint]]:
        """List expected answers that are missing though others of their kind exist."""
        return [
            (path, each)
            for path, each in self.expected.items()
            if path.lower() not in self.read and each.answer in self.answers
        ]

    def _list_unread_paths(self) -> tuple[str, ...]:
        """List the paths of unreadable answers, up to a limit."""
        return tuple(path for path, _ in self._list_missing_paths())[:UNREAD_LIMIT]

    def report_missing_answers(self) -> None:
        """Add a problem for each kind of answer that some entries lack."""
        missing: dict[str, list[str]] = {}
        for path, each in self._list_missing_paths():
            missing.setdefault(each.answer, []).append(path)
        known = {problem.place for problem in self.problems}
        for answer, paths in missing.items():
            new = [p for p in paths if not any(p in place for place in known)]
            if new:
                what = f"{len(new)} responses of {answer} are missing"
                self.problems.append(
                    ReadProblem(ReadProblemKind.UNREADABLE, new[0], what)
                )


def _list_values(found: dict[Any, AnswerT] | None) -> tuple[AnswerT, ...] | None:
    """List the values of a table; None for no table."""
    return None if found is None else tuple(found.values())


def _list_repository_answers() -> set[str]:
    """List the names of REST answers that are fetched for each repository."""
    return {each.answer for each in ENDPOINTS if "{repo}" in each.path}
