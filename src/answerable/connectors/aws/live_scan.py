"""Live scan of IAM: pages and refused calls; the parser interprets the answers.

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
from answerable.connectors.aws.parse import Parsed, parse_pages
from answerable.connectors.aws.parse.authorization_details import LISTS
from answerable.connectors.aws_errors import code_of, iam_of, plain, stop_if_expired
from answerable.connectors.formats.access_keys import Known, access_keys
from answerable.connectors.formats.aws_api_answers import DENIED, Answer, answers
from answerable.model.connector import SyncContext
from answerable.model.identity import Account
from answerable.model.provenance import Seen, WrittenBy
from answerable.model.sighting import Facts, Probe, Problem, ProblemKind, Sync

Reply = Mapping[str, object]
Call = Callable[..., Reply]

_PAGE_LIMIT = 100_000


class Iam(Protocol):
    """Subset of a boto3 IAM client used by a scan."""

    def get_account_authorization_details(self, **arguments: object) -> Reply:
        """Return a page of users, groups, roles and policies."""
        ...

    def list_access_keys(self, **arguments: object) -> Reply:
        """Return a page of a user's access keys."""
        ...

    def get_access_key_last_used(self, **arguments: object) -> Reply:
        """Return the last use of a key."""
        ...

    def list_account_aliases(self, **arguments: object) -> Reply:
        """Return the account's aliases."""
        ...


class _Stuck(Exception):  # noqa: N818 - the far side is stuck, we are not
    """Truncated reply of the API without a new marker."""

    def __str__(self) -> str:
        return "it says that more follows and does not say where"


@dataclass(slots=True)
class _Asking:
    """State of a running live scan."""

    iam: Iam
    account: str
    context: SyncContext
    failures: dict[tuple[ProblemKind, str, str], int] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Return the source name, by account: each account has its own syncs."""
        return f"aws:{self.account} (live)"

    def failed(self, action: str, error: Exception) -> None:
        """Count a failed call by its kind."""
        stop_if_expired(error)
        code = str(error) if isinstance(error, _Stuck) else code_of(error)
        if code in DENIED:
            key = (ProblemKind.PERMISSION, action, f"{action} is not allowed")
        else:
            key = (ProblemKind.NETWORK, action, f"{action} failed: {code}")
        self.failures[key] = self.failures.get(key, 0) + 1

    def problems(self) -> tuple[Problem, ...]:
        """List one problem for each kind of failure of an action."""
        return tuple(
            Problem(kind, action, what + (f", {times} times" if times > 1 else ""))
            for (kind, action, what), times in self.failures.items()
        )

    def whole(self, action: str) -> bool:
        """Tell whether every call of an action succeeded."""
        return all(action != failed for _, failed, _ in self.failures)


def collect(context: SyncContext) -> Sync:
    """Scan the account of the default AWS settings.

    Raises:
        UsageError: The profile is unknown, or the endpoint is not a URL.
        EnvironmentRefused: No credentials, refused credentials, or no network.
    """
    iam, account = iam_of(context)
    return collect_account(cast(Iam, iam), account, context)


def collect_account(iam: Iam, account: str, context: SyncContext) -> Sync:
    """Scan one account through a client."""
    asking = _Asking(iam, account, context)
    parsed = _details(asking)
    users = {
        identity.name: str(identity.id)
        for identity in parsed.facts.identities
        if identity.kind == "aws-user"
    }
    keys, key_problems = access_keys(
        _keys(asking, tuple(users)),
        source=asking.source,
        now=context.now,
        known=Known(account, users),
    )
    named = _named(asking, parsed.facts)
    known = _collected(asking, parsed)
    asked = (
        *declaration.COLLECTS,
        declaration.KEYS,
        declaration.LAST_USED,
        *declaration.ELSEWHERE,
    )
    return Sync(
        source=asking.source,
        connector=declaration.SPEC.name,
        started_at=context.now,
        facts=replace(named, credentials=keys.credentials, links=keys.links),
        probes=tuple(
            Probe(action, "answered" if asking.whole(action) else "failed", True)
            for action in (declaration.WHO_AM_I, *declaration.SPEC.permissions)
        ),
        problems=(*parsed.problems, *key_problems, *asking.problems()),
        collected=known,
        not_collected=tuple(word for word in asked if word not in known),
        held=declaration.held([account] if asking.whole(declaration.DETAILS) else []),
    )


def _details(asking: _Asking) -> Parsed:
    pages: list[Answer] = []
    call = asking.iam.get_account_authorization_details
    try:
        for page in _pages(call, MaxItems=1000):
            pages += _answer({**dict.fromkeys(LISTS, ()), **page})
            asking.context.progress(len(pages), 0, "pages of account details")
    except (BotoCoreError, ClientError, _Stuck) as error:
        asking.failed(declaration.DETAILS, error)
    if not pages:
        return Parsed(Facts(), (), False)
    return parse_pages(
        tuple(pages),
        source=asking.source,
        place=declaration.DETAILS,
        now=asking.context.now,
    )


def _keys(asking: _Asking, users: tuple[str, ...]) -> list[tuple[str, Answer]]:
    found: list[tuple[str, Answer]] = []
    for done, user in enumerate(users):
        asking.context.progress(done, len(users), "users asked for access keys")
        try:
            for page in _pages(asking.iam.list_access_keys, UserName=user):
                keys = [_used(asking, key) for key in _records(page)]
                answer = _answer({"AccessKeyMetadata": keys})
                found += [(declaration.LIST_KEYS, each) for each in answer]
        except (BotoCoreError, ClientError, _Stuck) as error:
            asking.failed(declaration.LIST_KEYS, error)
    return found


def _records(page: Reply) -> Iterator[Reply]:
    return iter(cast(list[Reply], page.get("AccessKeyMetadata", [])))


def _used(asking: _Asking, key: Reply) -> Reply:
    """Add the last use of a key, where available."""
    try:
        reply = asking.iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    except (BotoCoreError, ClientError) as error:
        asking.failed(declaration.KEY_USED, error)
        return key
    return {**key, "AccessKeyLastUsed": reply.get("AccessKeyLastUsed")}


def _named(asking: _Asking, facts: Facts) -> Facts:
    """Set the account's name to its alias."""
    name = ""
    try:
        reply = asking.iam.list_account_aliases()
        name = " ".join(cast(list[str], reply.get("AccountAliases", [])))
    except (BotoCoreError, ClientError) as error:
        asking.failed(declaration.ALIASES, error)
    seen = Seen(
        asking.source, declaration.WHO_AM_I, WrittenBy.PLATFORM, asking.context.now
    )
    others = tuple(a for a in facts.accounts if a.id != asking.account)
    account = Account(asking.account, name, "", (), False, seen)
    return replace(facts, accounts=(account, *others))


def _collected(asking: _Asking, parsed: Parsed) -> tuple[str, ...]:
    details = asking.whole(declaration.DETAILS)
    keys = details and asking.whole(declaration.LIST_KEYS)
    used = parsed.last_used or (keys and asking.whole(declaration.KEY_USED))
    return (
        *(declaration.COLLECTS if details else ()),
        *((declaration.KEYS,) if keys else ()),
        *((declaration.LAST_USED,) if used else ()),
    )


def _pages(call: Call, **arguments: object) -> Iterator[Reply]:
    markers: set[str] = set()
    page = call(**arguments)
    while True:
        yield page
        if not page.get("IsTruncated"):
            return
        marker = str(page.get("Marker") or "")
        if not marker or marker in markers or len(markers) >= _PAGE_LIMIT:
            raise _Stuck
        markers.add(marker)
        page = call(**arguments, Marker=marker)


def _answer(page: Reply) -> tuple[Answer, ...]:
    """Convert a decoded reply to the file form, so that one parser reads both."""
    kept = {
        name: value
        for name, value in page.items()
        if name not in ("ResponseMetadata", "IsTruncated", "Marker")
    }
    return answers(json.dumps(kept, default=plain).encode(), "the AWS API")
