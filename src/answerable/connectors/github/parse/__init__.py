"""Parse the responses and exports about one organization into its catalogue."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePath

import msgspec

from answerable.connectors.github.declaration import PLATFORM
from answerable.connectors.github.endpoints import (
    CODEOWNERS_LOCATIONS,
    KINDS,
    AnswerAddress,
    build_coverage_word,
    find_answer_address,
)
from answerable.connectors.github.parse import (
    organization_responses,
    repository_responses,
    rule_responses,
)
from answerable.connectors.github.parse.graph_export import (
    is_graph_export,
    read_graph_export,
)
from answerable.connectors.github.parse.organization_builder import OrganizationBuilder
from answerable.connectors.github.parse.organization_facts import OrganizationFacts
from answerable.connectors.github.parse.organization_responses import AnswerReader
from answerable.connectors.github.parse.response_detection import find_address_by_shape
from answerable.connectors.github.parse.saved_response import (
    SavedAnswer,
    decode_saved_answer,
)
from answerable.connectors.parsed_source import ParsedSource
from answerable.model.errors import ParseError
from answerable.model.github_ids import PREFIX
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.reach.github.catalogue import GithubOrganization

EXPECTED_KIND = "saved responses of the GitHub API, or a GitHound export"
_RAW_FILE = re.compile(
    r"(?:^|/)repos/([^/]+)/([^/]+)/contents/"
    r"(\.github/workflows/[^/]+\.ya?ml|(?:\.github/|docs/)?CODEOWNERS)$"
)
_DENIED = ("401", "403")

READERS: dict[str, AnswerReader] = {
    "organization": organization_responses.read_organization,
    "owners": organization_responses.read_owners,
    "members": organization_responses.read_members,
    "outside-collaborators": organization_responses.read_outside_collaborators,
    "teams": organization_responses.read_teams,
    "team-maintainers": organization_responses.read_team_maintainers,
    "team-members": organization_responses.read_team_members,
    "organization-roles": organization_responses.read_organization_roles,
    "organization-role-teams": organization_responses.read_organization_role_teams,
    "organization-role-users": organization_responses.read_organization_role_users,
    "repository-roles": organization_responses.read_repository_roles,
    "organization-rulesets": rule_responses.read_organization_rulesets,
    "organization-ruleset": rule_responses.read_organization_ruleset,
    "organization-secrets": organization_responses.read_secrets,
    "organization-secret-repositories": organization_responses.read_secret_repositories,
    "organization-workflow-permissions": organization_responses.read_workflow_permissions,
    "organization-oidc": organization_responses.read_oidc,
    "runner-groups": organization_responses.read_runner_groups,
    "runner-group-repositories": organization_responses.read_runner_group_repositories,
    "runner-group-runners": organization_responses.read_runner_group_runners,
    "installations": organization_responses.read_installations,
    "app": organization_responses.read_app,
    "tokens": organization_responses.read_tokens,
    "token-repositories": organization_responses.read_token_repositories,
    "token-requests": organization_responses.read_token_requests,
    "repositories": repository_responses.read_repositories,
    "collaborators": repository_responses.read_collaborators,
    "repository-teams": repository_responses.read_repository_teams,
    "branches": repository_responses.read_branches,
    "branch-protections": rule_responses.read_branch_protections,
    "rulesets": rule_responses.read_rulesets,
    "ruleset": rule_responses.read_ruleset,
    "environments": rule_responses.read_environments,
    "environment-branches": rule_responses.read_environment_branches,
    "environment-secrets": repository_responses.read_environment_secrets,
    "repository-secrets": repository_responses.read_repository_secrets,
    "deploy-keys": repository_responses.read_deploy_keys,
    "workflow-permissions": repository_responses.read_workflow_permissions,
    "actions-permissions": repository_responses.read_actions_permissions,
    "fork-approval": repository_responses.read_fork_approval,
    "oidc": repository_responses.read_oidc,
    "workflows": repository_responses.read_workflows,
    "workflow-file": repository_responses.read_workflow_file,
    "codeowners": repository_responses.read_codeowners,
    "repository-runners": repository_responses.read_repository_runners,
}


@dataclass(frozen=True, slots=True)
class ParsedGithubOrganization(ParsedSource):
    """Facts of one organization, with the coverage of its answers."""

    organization: GithubOrganization


class GithubAnswerReader:
    """Reader of the answers and exports about one organization.

    Args:
        login: GithubOrganization as the user states it; empty where not.
        repository: Repository of answers that name none; empty where not stated.
    """

    def __init__(self, login: str = "", repository: str = "") -> None:
        self.builder = OrganizationBuilder(login=login.lower())
        self._stated = {"org": login, "repo": repository}

    def set_host(self, host: str) -> None:
        """Set the host of the organization, where it is not github.com."""
        self.builder.settings = replace(self.builder.settings, host=host)

    def read_file(self, data: bytes, path: str, place: str) -> None:
        """Read one file; what is invalid becomes a problem, the rest is kept.

        Args:
            data: Contents.
            path: Path below the folder, which may name the endpoint.
            place: Path for messages.
        """
        try:
            if raw := next(_RAW_FILE.finditer(path), None):
                self._read_raw_file(data, raw[1], raw[2], raw[3], place)
            elif is_graph_export(data):
                read_graph_export(self.builder, data, place)
            else:
                self._read_answer(data, path, place)
        except ParseError as error:
            self._add_fault(path, place, error)

    def _add_fault(self, path: str, place: str, error: ParseError) -> None:
        """Add the problem of a file that cannot be read."""
        where = f" (offset {error.offset})" if error.offset >= 0 else ""
        self.builder.add_problem(place, error.reason + where)
        self.builder.faulty.add(place)
        address = find_answer_address(path.removesuffix(".json"))
        if address is not None and self._accept_organization(address, place):
            self.builder.recognised += 1
            self.builder.forget_list(address)

    def _read_raw_file(
        self, data: bytes, login: str, repository: str, path: str, place: str
    ) -> None:
        """Read a workflow or CODEOWNERS file that is saved as it is."""
        address = find_answer_address(f"repos/{login}/{repository}/contents/{path}")
        if address is None or not self._accept_organization(address, place):
            return
        if path in CODEOWNERS_LOCATIONS:
            repository_responses.add_codeowners(
                self.builder, repository, path, data, place
            )
        else:
            repository_responses.add_workflow_file(
                self.builder, repository, path, "", data, place
            )
        self.builder.mark_answer(
            address, SavedAnswer(place, (), {}, is_list=False, missing="")
        )

    def _read_answer(self, data: bytes, path: str, place: str) -> None:
        """Read a saved answer."""
        answer = decode_saved_answer(data, place)
        address = find_answer_address(path.removesuffix(".json"))
        if address is None:
            found = find_address_by_shape(answer, PurePath(path).stem, self._stated)
            if not isinstance(found, AnswerAddress):
                unknown = f"unsupported content (expected {EXPECTED_KIND})"
                if found != "":
                    self.builder.add_problem(place, found or unknown)
                return
            address = found
        if self._accept_organization(address, place):
            self.read_answer(address, answer)

    def _accept_organization(self, address: AnswerAddress, place: str) -> bool:
        """Return whether an answer is about this organization; else add a problem."""
        stated = address.parameters.get("org", "").lower()
        self.builder.login = self.builder.login or stated
        if stated in ("", self.builder.login):
            return True
        what = (
            f"the file describes organization {stated} (expected {self.builder.login})"
        )
        self.builder.add_problem(place, f"{what}; scan it as a separate source")
        return False

    def read_answer(self, address: AnswerAddress, answer: SavedAnswer) -> None:
        """Read an answer of a known endpoint."""
        status = _find_error_status(answer)
        if status and not (status == "404" and address.endpoint.optional):
            self.add_refusal(answer.place, status)
            self.builder.forget_list(address)
            return
        if status:
            answer = SavedAnswer(answer.place, (), {}, is_list=answer.is_list)
        if not status or address.endpoint.answer == "codeowners":
            READERS[address.endpoint.answer](self.builder, answer, address.parameters)
        self.builder.mark_answer(address, answer)

    def add_refusal(self, place: str, status: str) -> None:
        """Add the problem of an answer that the API refused."""
        kind = ReadProblemKind.PERMISSION
        if status not in _DENIED:
            kind = ReadProblemKind.UNREADABLE
        self.builder.recognised += 1
        self.builder.problems.append(
            ReadProblem(kind, place, f"the API returned status {status}")
        )

    def finish(self, source: str, place: str, now: int) -> ParsedGithubOrganization:
        """Build the organization and its facts.

        Args:
            source: The sync's source.
            place: Place of the catalogue, e.g. the first file.
            now: UTC nanoseconds.
        """
        self.builder.report_missing_answers()
        organization = self.builder.build()
        facts = OrganizationFacts(organization, self.builder, source, now)
        body = msgspec.json.encode(organization).decode()
        catalogue = PlatformCatalogue(
            PLATFORM,
            PREFIX + organization.login,
            body,
            facts.get_provenance(place),
        )
        kinds = organization.collected
        return ParsedGithubOrganization(
            organization=organization,
            facts=facts.build(catalogue),
            problems=tuple(self.builder.problems),
            collected=tuple(build_coverage_word(k) for k in KINDS if k in kinds),
            not_collected=tuple(
                build_coverage_word(k) for k in KINDS if k not in kinds
            ),
            recognised=self.builder.recognised,
        )


def _find_error_status(answer: SavedAnswer) -> str:
    """Return the status of an error that was saved as an answer; empty for none."""
    if {"message", "documentation_url"} <= answer.fields.keys():
        raw = bytes(answer.fields.get("status", msgspec.Raw(b'"error"')))
        return raw.decode().strip('"')
    return ""


def parse(
    files: Iterable[tuple[bytes, str, str]],
    reader: GithubAnswerReader,
    source: str,
    now: int,
) -> ParsedGithubOrganization:
    """Parse all files of one organization.

    Args:
        files: Contents, path below the folder, and path for messages.
        reader: Reader with the names that the user states.
        source: The sync's source.
        now: UTC nanoseconds.
    """
    first = ""
    for data, path, place in files:
        first = first or place
        reader.read_file(data, path, place)
    return reader.finish(source, first, now)
