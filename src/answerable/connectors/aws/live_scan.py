"""Scan one account's IAM over the live API; the file parser interprets the responses.

Retries are botocore's (standard mode). A refused call becomes a problem that names the
permission; everything else is still collected. This module needs boto3 and
is imported for a live scan alone.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError

from answerable.connectors.aws import declaration
from answerable.connectors.aws.parse import ParsedAccountDetails, parse_pages
from answerable.connectors.aws.parse.authorization_details import LISTS
from answerable.connectors.aws_errors import (
    error_code,
    json_default,
    open_iam_client,
    raise_if_expired,
)
from answerable.connectors.formats.access_key_lists import (
    KnownAccount,
    parse_access_keys,
)
from answerable.connectors.formats.aws_api_responses import (
    ACCESS_DENIED_CODES,
    AwsAnswer,
    parse_aws_answers,
)
from answerable.model.connector import SyncContext
from answerable.model.identity import Account
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import (
    Probe,
    ReadProblem,
    ReadProblemKind,
    SightedFacts,
    Sync,
)

AwsReply = Mapping[str, object]
IamCall = Callable[..., AwsReply]

_PAGE_LIMIT = 100_000


class IamClient(Protocol):
    """Subset of a boto3 IAM client used by a scan."""

    def get_account_authorization_details(self, **arguments: object) -> AwsReply:
        """Return a page of users, groups, roles and policies."""

    def list_access_keys(self, **arguments: object) -> AwsReply:
        """Return a page of a user's access keys."""

    def get_access_key_last_used(self, **arguments: object) -> AwsReply:
        """Return when, and for which service, an access key was last used."""

    def list_account_aliases(self, **arguments: object) -> AwsReply:
        """Return the account's aliases."""


class _RepeatedMarkerError(Exception):
    """Truncated reply of the API without a new marker."""

    def __str__(self) -> str:
        return "the response is truncated but has no marker of the next page"


@dataclass(slots=True)
class _IamScan:
    """State of a running live scan."""

    iam: IamClient
    account: str
    context: SyncContext
    failures: dict[tuple[ReadProblemKind, str, str], int] = field(default_factory=dict)

    @property
    def source_name(self) -> str:
        """Return the source name, by account: each account has its own syncs."""
        return f"aws:{self.account} (live)"

    def record_failure(self, action: str, error: Exception) -> None:
        """Record a failed API call; equal failures are counted together."""
        raise_if_expired(error)
        code = (
            str(error) if isinstance(error, _RepeatedMarkerError) else error_code(error)
        )
        if code in ACCESS_DENIED_CODES:
            key = (ReadProblemKind.PERMISSION, action, f"{action} is not allowed")
        else:
            key = (ReadProblemKind.NETWORK, action, f"{action} failed: {code}")
        self.failures[key] = self.failures.get(key, 0) + 1

    def list_problems(self) -> tuple[ReadProblem, ...]:
        """List one problem for each kind of failure of an action."""
        return tuple(
            ReadProblem(kind, action, what + (f", {times} times" if times > 1 else ""))
            for (kind, action, what), times in self.failures.items()
        )

    def has_no_failed_calls(self, action: str) -> bool:
        """Return whether every API call of an IAM action succeeded."""
        return all(action != failed for _, failed, _ in self.failures)


def scan_default_account(context: SyncContext) -> Sync:
    """Scan the account of the default AWS settings.

    Raises:
        UsageError: The profile is unknown, or the endpoint is not a URL.
        EnvironmentFailure: No credentials, refused credentials, or no network.
    """
    iam, account = open_iam_client(context)
    return scan_account(cast(IamClient, iam), account, context)


def scan_account(iam: IamClient, account: str, context: SyncContext) -> Sync:
    """Scan the IAM of one account through a boto3 client."""
    scan = _IamScan(iam, account, context)
    parsed = _read_account_details(scan)
    users = {
        identity.name: str(identity.id)
        for identity in parsed.facts.identities
        if identity.kind == "aws-user"
    }
    keys, key_problems = parse_access_keys(
        _read_access_keys(scan, tuple(users)),
        source=scan.source_name,
        now=context.now,
        known_account=KnownAccount(account, users),
    )
    named = _set_account_alias(scan, parsed.facts)
    known = _list_collected_kinds(scan, parsed)
    asked = (
        *declaration.COLLECTS,
        declaration.KEYS,
        declaration.LAST_USED,
        *declaration.ELSEWHERE,
    )
    return Sync(
        source=scan.source_name,
        connector=declaration.DECLARATION.name,
        started_at=context.now,
        facts=replace(named, credentials=keys.credentials, links=keys.links),
        probes=tuple(
            Probe(
                action,
                "answered" if scan.has_no_failed_calls(action) else "failed",
                True,
            )
            for action in (declaration.WHO_AM_I, *declaration.DECLARATION.permissions)
        ),
        problems=(*parsed.problems, *key_problems, *scan.list_problems()),
        collected=known,
        not_collected=tuple(word for word in asked if word not in known),
        held=declaration.build_whole_account_coverage(
            [account] if scan.has_no_failed_calls(declaration.DETAILS) else []
        ),
    )


def _read_account_details(scan: _IamScan) -> ParsedAccountDetails:
    """Read all pages of the account details; a failure is counted in the scan."""
    pages: list[AwsAnswer] = []
    call = scan.iam.get_account_authorization_details
    try:
        for page in _iter_pages(call, MaxItems=1000):
            pages += _convert_to_file_answer({**dict.fromkeys(LISTS, ()), **page})
            scan.context.progress(len(pages), 0, "pages of account details")
    except (BotoCoreError, ClientError, _RepeatedMarkerError) as error:
        scan.record_failure(declaration.DETAILS, error)
    if not pages:
        return ParsedAccountDetails(SightedFacts(), (), False)
    return parse_pages(
        tuple(pages),
        source=scan.source_name,
        place=declaration.DETAILS,
        now=scan.context.now,
    )


def _read_access_keys(
    scan: _IamScan, users: tuple[str, ...]
) -> list[tuple[str, AwsAnswer]]:
    """Read the access keys of each user, each with the API call it came from."""
    found: list[tuple[str, AwsAnswer]] = []
    for done, user in enumerate(users):
        scan.context.progress(done, len(users), "users whose access keys were read")
        try:
            for page in _iter_pages(scan.iam.list_access_keys, UserName=user):
                keys = [
                    _add_last_use(scan, key) for key in _list_page_access_keys(page)
                ]
                answer = _convert_to_file_answer({"AccessKeyMetadata": keys})
                found += [(declaration.LIST_KEYS, each) for each in answer]
        except (BotoCoreError, ClientError, _RepeatedMarkerError) as error:
            scan.record_failure(declaration.LIST_KEYS, error)
    return found


def _list_page_access_keys(page: AwsReply) -> Iterator[AwsReply]:
    """Return the access keys of a page."""
    return iter(cast(list[AwsReply], page.get("AccessKeyMetadata", [])))


def _add_last_use(scan: _IamScan, key: AwsReply) -> AwsReply:
    """Add the last use of a key, where available."""
    try:
        reply = scan.iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    except (BotoCoreError, ClientError) as error:
        scan.record_failure(declaration.KEY_USED, error)
        return key
    return {**key, "AccessKeyLastUsed": reply.get("AccessKeyLastUsed")}


def _set_account_alias(scan: _IamScan, facts: SightedFacts) -> SightedFacts:
    """Add the scanned account, named by its alias."""
    name = ""
    try:
        reply = scan.iam.list_account_aliases()
        name = " ".join(cast(list[str], reply.get("AccountAliases", [])))
    except (BotoCoreError, ClientError) as error:
        scan.record_failure(declaration.ALIASES, error)
    seen = FactProvenance(
        scan.source_name, declaration.WHO_AM_I, WrittenBy.PLATFORM, scan.context.now
    )
    others = tuple(a for a in facts.accounts if a.id != scan.account)
    account = Account(scan.account, name, "", (), False, seen)
    return replace(facts, accounts=(account, *others))


def _list_collected_kinds(
    scan: _IamScan, parsed: ParsedAccountDetails
) -> tuple[str, ...]:
    """List the kinds of facts that were collected completely."""
    details = scan.has_no_failed_calls(declaration.DETAILS)
    keys = details and scan.has_no_failed_calls(declaration.LIST_KEYS)
    used = parsed.last_used or (keys and scan.has_no_failed_calls(declaration.KEY_USED))
    kinds: tuple[str, ...] = declaration.COLLECTS if details else ()
    if keys:
        kinds += (declaration.KEYS,)
    return (*kinds, declaration.LAST_USED) if used else kinds


def _iter_pages(call: IamCall, **arguments: object) -> Iterator[AwsReply]:
    """Yield all pages of a call; raises if the page marker is missing or repeats."""
    markers: set[str] = set()
    page = call(**arguments)
    while True:
        yield page
        if not page.get("IsTruncated"):
            return
        marker = str(page.get("Marker") or "")
        if not marker or marker in markers or len(markers) >= _PAGE_LIMIT:
            raise _RepeatedMarkerError
        markers.add(marker)
        page = call(**arguments, Marker=marker)


def _convert_to_file_answer(page: AwsReply) -> tuple[AwsAnswer, ...]:
    """Convert a decoded reply to the file form, so that one parser reads both."""
    kept = {
        name: value
        for name, value in page.items()
        if name not in ("ResponseMetadata", "IsTruncated", "Marker")
    }
    return parse_aws_answers(
        json.dumps(kept, default=json_default).encode(), "the AWS API"
    )
