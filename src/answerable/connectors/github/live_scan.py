"""Scan a live organization with read-only calls of the API of GitHub.

Lists are paged, rate limits are waited out, and an answer that is refused becomes a
problem. The answers take the same path as saved ones.

Source: https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

from answerable.connectors.github.api_client import (
    ApiAnswer,
    CallFailed,
    GithubApiClient,
    parse_api_url,
)
from answerable.connectors.github.credentials import choose_credential
from answerable.connectors.github.declaration import DECLARATION
from answerable.connectors.github.endpoints import (
    ENDPOINTS,
    AnswerAddress,
    Endpoint,
    find_address_of_endpoint,
)
from answerable.connectors.github.parse import (
    GithubAnswerReader,
    ParsedGithubOrganization,
)
from answerable.connectors.github.protection_query import PROTECTION_QUERY
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure
from answerable.model.sighting import Probe, ReadProblem, ReadProblemKind

PAGE_ITEMS = 100
MAX_LIST_BYTES = 256 << 20
_NEXT = re.compile(r'<([^<>]+)>;\s*rel="next"')
_GRAPHQL = "branch-protections"
_CODEOWNERS = "codeowners"
_ORGANIZATION = "organization"
# A token that lacks a permission lacks it for every repository.
_NO_PERMISSION = b"Resource not accessible by"


class _PageInfo(msgspec.Struct, rename="camel"):
    """Cursor of a list of GraphQL."""

    has_next_page: bool = False
    end_cursor: str | None = None


class _Rules(msgspec.Struct, rename="camel"):
    """Page of branch protection rules, without the rules."""

    page_info: _PageInfo


class _QueriedRepository(msgspec.Struct, rename="camel"):
    """Repository in the answer of the query."""

    branch_protection_rules: _Rules


class _Data(msgspec.Struct):
    """Data of the answer of the query."""

    repository: _QueriedRepository | None = None


class _QueryAnswer(msgspec.Struct):
    """Answer of the query."""

    data: _Data | None = None


@dataclass(slots=True)
class _LiveOrganizationScan:
    """Scan of one organization.

    Attributes:
        denied: Names of answers that the credential may not read at all.
        refusals: Number of refused answers by name and status.
        seen: Paths of answers that were asked for.
    """

    login: str
    client: GithubApiClient
    reader: GithubAnswerReader
    context: SyncContext
    denied: set[str] = field(default_factory=set)
    refusals: Counter[tuple[str, int]] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    probes: list[Probe] = field(default_factory=list)

    def read_organization(self) -> None:
        """Read every answer, those about entries of a list after the list."""
        own = {"org": self.login}
        waiting = [(e.build_path(own), e) for e in ENDPOINTS if not e.parent]
        while waiting:
            for path, endpoint in waiting:
                done, total = len(self.seen), len(self.seen) + len(waiting)
                self.context.progress(done, total, f"responses ({endpoint.answer})")
                self.seen.add(path)
                self._read_answer(path, endpoint)
            expected = self.reader.builder.expected
            waiting = [(p, e) for p, e in expected.items() if p not in self.seen]
        self._report_repeated_refusals()

    def _read_answer(self, path: str, endpoint: Endpoint) -> None:
        """Read one answer; one that is refused becomes a problem."""
        address = find_address_of_endpoint(endpoint, path)
        builder = self.reader.builder
        if path.lower() in builder.read:
            return
        place = f"GET {path}"
        if endpoint.answer in self.denied:
            builder.forget_list(address)
            return
        try:
            body = self._fetch_all_pages(path, address)
        except CallFailed as failed:
            builder.problems.append(ReadProblem(failed.kind, place, failed.what))
            builder.recognised += 1
            builder.forget_list(address)
            return
        if body is None:
            builder.forget_list(address)
            return
        self.reader.read_file(body, f"{path}.json", place)
        self.probes.append(Probe(place, endpoint.answer, True))
        if endpoint.answer == _CODEOWNERS and _has_codeowners(self.reader, address):
            # The first location counts.
            self._skip_other_locations(address)

    def _skip_other_locations(self, address: AnswerAddress) -> None:
        """Take the other locations of CODEOWNERS for read."""
        for each in ENDPOINTS:
            if each.answer == _CODEOWNERS:
                path = each.build_path(address.parameters)
                self.reader.builder.read.add(path.lower())

    def _fetch_all_pages(self, path: str, address: AnswerAddress) -> bytes | None:
        """Fetch all pages of an answer, in the form of a saved one.

        Returns:
            None for an answer that was refused as an earlier one was.
        """
        if address.endpoint.answer == _GRAPHQL:
            return self._fetch_protections(address)
        endpoint = address.endpoint
        query = "&".join(filter(None, (endpoint.query, f"per_page={PAGE_ITEMS}")))
        target = path.removesuffix(endpoint.saved) if endpoint.saved else path
        answer = self.client.get(f"{target}?{query}")
        if answer.status != HTTPStatus.OK:
            return self._describe_refusal(answer, endpoint)
        pages, size = [answer.body], len(answer.body)
        while link := next(_NEXT.finditer(answer.headers.get("link", "")), None):
            answer = self.client.get_next(link[1])
            size += len(answer.body)
            if size > MAX_LIST_BYTES:
                what = f"the list is larger than {MAX_LIST_BYTES >> 20} MiB"
                raise CallFailed(ReadProblemKind.TOO_LARGE, what)
            if answer.status != HTTPStatus.OK:
                what = f"page {len(pages) + 1}: HTTP status {answer.status}"
                raise CallFailed(ReadProblemKind.NETWORK, what)
            pages.append(answer.body)
        if answer.headers.get("x-github-sso", "").startswith("partial-results"):
            what = "entries are hidden until the token is authorized for single sign-on"
            raise CallFailed(ReadProblemKind.PERMISSION, what)
        return _join_pages(pages)

    def _fetch_protections(self, address: AnswerAddress) -> bytes | None:
        """Fetch the branch protection rules of a repository by GraphQL.

        The REST API lists rules by branch and leaves their patterns out.
        """
        pages: list[bytes] = []
        cursor: str | None = None
        while True:
            variables = {
                "owner": self.login,
                "name": address.parameters["repo"],
                "endCursor": cursor,
            }
            asked = {"query": PROTECTION_QUERY, "variables": variables}
            body = msgspec.json.encode(asked)
            answer = self.client.call("POST", self.client.graphql_path, body)
            if answer.status != HTTPStatus.OK:
                return self._describe_refusal(answer, address.endpoint)
            pages.append(answer.body)
            try:
                data = msgspec.json.decode(answer.body, type=_QueryAnswer).data
            except (msgspec.DecodeError, RecursionError):
                return answer.body  # Its reader names the fault.
            if data is None or data.repository is None:
                return self._describe_refusal(
                    ApiAnswer(HTTPStatus.FORBIDDEN, {}, answer.body), address.endpoint
                )
            info = data.repository.branch_protection_rules.page_info
            if not info.has_next_page or info.end_cursor in (None, cursor):
                return _join_pages(pages)
            cursor = info.end_cursor

    def _describe_refusal(self, answer: ApiAnswer, endpoint: Endpoint) -> bytes | None:
        """Describe a refusal as an answer that was saved; None for a repeated one."""
        status = answer.status
        if status == HTTPStatus.FORBIDDEN and _NO_PERMISSION in answer.body:
            self.denied.add(endpoint.answer)
        absent = status == HTTPStatus.NOT_FOUND and endpoint.optional
        if not absent:
            self.refusals[endpoint.answer, status] += 1
            if self.refusals[endpoint.answer, status] > 1:
                return None
        saved = {"message": "", "documentation_url": "", "status": str(status)}
        return msgspec.json.encode(saved)

    def _report_repeated_refusals(self) -> None:
        """Add the number of further answers that were refused."""
        for (name, status), number in self.refusals.items():
            if number > 1:
                what = f"the API returned status {status} {number - 1} more times"
                kind = ReadProblemKind.UNREADABLE
                if status == HTTPStatus.FORBIDDEN:
                    kind = ReadProblemKind.PERMISSION
                self.reader.builder.problems.append(ReadProblem(kind, name, what))


def _has_codeowners(reader: GithubAnswerReader, address: AnswerAddress) -> bool:
    """Return whether a CODEOWNERS file of a repository was read."""
    parts = reader.builder.parts.get(address.parameters["repo"].lower())
    return parts is not None and bool(parts.codeowners)


def _join_pages(pages: list[bytes]) -> bytes:
    """Join pages as `gh api --slurp` does; a single object stays as it is."""
    if len(pages) == 1 and not pages[0].lstrip().startswith(b"["):
        return pages[0]
    return b"[" + b",".join(pages) + b"]"


def scan_organization(
    login: str, options: dict[str, str], context: SyncContext
) -> tuple[str, ParsedGithubOrganization, tuple[Probe, ...]]:
    """Scan an organization.

    Args:
        login: Login of the organization.
        options: Options of the location: `api`, `app`, `key`.
        context: Context of the scan.

    Returns:
        The sync's source, the organization, and the calls that were answered.

    Raises:
        UsageError: An option is wrong.
        EnvironmentFailure: No credential, a refused one, or no such organization.
    """
    api = parse_api_url(options.get("api", ""))
    client = GithubApiClient(api, context.progress)
    client.authorize = choose_credential(
        client, login, options.get("app", ""), options.get("key", "")
    )
    reader = GithubAnswerReader(login)
    if api.hostname and api.hostname not in ("api.github.com", "127.0.0.1"):
        reader.set_host(api.hostname.removeprefix("api."))
    scan = _LiveOrganizationScan(login, client, reader, context)
    try:
        _check_organization(client, login)
        scan.read_organization()
    finally:
        client.close()
    source = f"{DECLARATION.name}:{login.lower()} (live)"
    parsed = reader.finish(source, f"GET orgs/{login}", context.now)
    return source, parsed, tuple(scan.probes)


def _check_organization(client: GithubApiClient, login: str) -> None:
    """Check that the credential sees the organization.

    Raises:
        EnvironmentFailure: It does not.
    """
    try:
        answer = client.get(f"orgs/{login}")
        why = f"HTTP status {answer.status}"
        if answer.status == HTTPStatus.OK:
            return
        if answer.headers.get("x-github-sso", "").startswith("required"):
            why = "the token is not authorized for single sign-on"
        elif answer.status == HTTPStatus.NOT_FOUND:
            why = "no such organization, or it is hidden from the credential"
    except CallFailed as failed:
        why = failed.what
    raise EnvironmentFailure(
        f"the organization {login} of GitHub cannot be read: {why}",
        "files: answerable scan github:DIR (docs/github.md)",
    )
