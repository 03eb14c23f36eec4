"""Live scan of AWS Organizations, in the form of an answer file.

One parser reads both. A refused call becomes a problem that names its permission, and
the rest is collected. This module needs boto3 and is imported for a live scan alone.

Source: AWS Organizations API Reference; "AWS services that you can use with AWS
Organizations" for permitted callers: the management account and delegated
administrators.
"""

import json
from collections.abc import Iterator
from typing import cast

from botocore.exceptions import BotoCoreError, ClientError

from answerable.connectors.aws_errors import code_of, plain, refused
from answerable.connectors.aws_org import declaration
from answerable.connectors.aws_org.live_identity_center import read_identity_center
from answerable.connectors.aws_org.live_reader import PACED, Reader, Reply
from answerable.connectors.aws_org.parse import Parsed, parse_answers
from answerable.connectors.aws_session import (
    DEFAULT_REGION,
    client_of,
    region_of,
    session_of,
)
from answerable.connectors.formats.aws_api_answers import DENIED, answers
from answerable.model.connector import Member, Organization, SyncContext
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.model.identity import Account
from answerable.model.ids import Arn
from answerable.model.sighting import Probe, Problem, Sync

_SERVICE = "organizations"
_PLACE = "the AWS API"
_KINDS = {"SERVICE_CONTROL_POLICY": "scp", "RESOURCE_CONTROL_POLICY": "rcp"}
_GONE = ("suspended", "closed", "pending_closure", "pending_activation")


def collect(location: str, context: SyncContext) -> Organization:
    """Scan the organisation of the account of the default AWS settings.

    Raises:
        UsageError: The profile is unknown, or the endpoint is not a URL.
        EnvironmentRefused: No credentials, refused credentials, no network; the account
            is in no organisation, or may not list its accounts.
    """
    try:
        session = session_of(context)
        region = region_of(session, context) or DEFAULT_REGION
        caller = client_of(session, "sts", region, context).get_caller_identity()
        client = client_of(session, _SERVICE, region, context, PACED)
        described = client.describe_organization()["Organization"]
    except (BotoCoreError, ClientError, ValueError) as error:
        if code_of(error) == "AWSOrganizationsNotInUseException":
            raise EnvironmentRefused(
                "the account that was asked is in no organization",
                "use the management account, or scan it alone: answerable scan aws:",
            ) from None
        if code_of(error) in DENIED:
            raise _not_allowed("organizations:DescribeOrganization") from None
        raise refused(error, context, declaration.SPEC.name) from None
    reader = Reader({_SERVICE: client}, context)
    reader.whole["Organization"] = {
        "Id": described["Id"],
        "MasterAccountId": described.get("MasterAccountId", ""),
    }
    _read(reader)
    if "organizations:ListAccounts" in reader.failures:
        raise _not_allowed("organizations:ListAccounts", str(described["Id"]))
    read_identity_center(reader, session, region)
    return _organization(reader, str(described["Id"]), caller, location)


def regions(context: SyncContext) -> tuple[str, ...]:
    """List the enabled regions of the context's account.

    Raises:
        EnvironmentRefused: The account or the call is denied.
    """
    try:
        session = session_of(context)
        region = region_of(session, context) or DEFAULT_REGION
        answer = client_of(session, "ec2", region, context).describe_regions()
    except (BotoCoreError, ClientError, ValueError) as error:
        assuming = getattr(error, "operation_name", "") == "AssumeRole"
        if code_of(error) in DENIED and not assuming:
            raise RegionsDenied(f"{declaration.REGIONS} is not allowed") from None
        raise refused(error, context, declaration.SPEC.name) from None
    return tuple(sorted(str(each["RegionName"]) for each in answer["Regions"]))


class RegionsDenied(EnvironmentRefused):
    """Readable account whose regions may not be listed."""


def _not_allowed(action: str, organization: str = "") -> AnswerableError:
    of = f" of organization {organization}" if organization else ""
    return EnvironmentRefused(
        f"{action} is not allowed (expected the management account or a delegated "
        f"administrator{of})",
        "sign in there, and attach: answerable where aws-org: --policy iam",
    )


def _read(reader: Reader) -> None:
    accounts = reader.records(
        _SERVICE, "list_accounts", "Accounts", declaration.ORGANIZATION
    )
    reader.whole["Accounts"] = [_kept_account(each) for each in accounts]
    if reader.failures:
        return
    roots = reader.records(_SERVICE, "list_roots", "Roots", declaration.ORGANIZATION)
    reader.whole["Roots"] = roots
    below = [str(root["Id"]) for root in roots]
    while below:
        below += _children(reader, below.pop(0))
    enabled = {
        str(kind.get("Type"))
        for root in roots
        for kind in cast(list[Reply], root.get("PolicyTypes") or [])
        if kind.get("Status") == "ENABLED"
    }
    for kind, word in _KINDS.items():
        if kind in enabled:
            _policies(reader, kind, word)
    _delegated(reader)


def _kept_account(account: Reply) -> Reply:
    return {
        n: account[n] for n in ("Id", "Name", "Arn", "State", "Status") if n in account
    }


def _children(reader: Reader, parent: str) -> list[str]:
    """Read the accounts and units under a root or a unit; returns the units."""
    asked = {"ParentId": parent}
    found = reader.records(
        _SERVICE,
        "list_accounts_for_parent",
        "Accounts",
        declaration.ORGANIZATION,
        **asked,
    )
    kept = [_kept_account(each) for each in found]
    reader.under("AccountsForParent", parent, {"Accounts": kept})
    units = reader.records(
        _SERVICE,
        "list_organizational_units_for_parent",
        "OrganizationalUnits",
        declaration.ORGANIZATION,
        **asked,
    )
    reader.under("OrganizationalUnitsForParent", parent, {"OrganizationalUnits": units})
    return [str(unit["Id"]) for unit in units]


def _policies(reader: Reader, kind: str, word: str) -> None:
    listed = reader.records(_SERVICE, "list_policies", "Policies", word, Filter=kind)
    cast(list[Reply], reader.whole.setdefault("Policies", [])).extend(listed)
    for policy in listed:
        named = {"PolicyId": str(policy["Id"])}
        described = reader.ask(_SERVICE, "describe_policy", word, **named)
        if described:
            reader.under("DescribePolicy", named["PolicyId"], described)
        targets = reader.records(
            _SERVICE, "list_targets_for_policy", "Targets", word, **named
        )
        reader.under("TargetsForPolicy", named["PolicyId"], {"Targets": targets})


def _delegated(reader: Reader) -> None:
    word = "delegated-administrators"
    found = reader.records(
        _SERVICE, "list_delegated_administrators", "DelegatedAdministrators", word
    )
    reader.whole["DelegatedAdministrators"] = [_kept_account(each) for each in found]
    for account in found:
        asked = str(account["Id"])
        services = reader.records(
            _SERVICE,
            "list_delegated_services_for_account",
            "DelegatedServices",
            word,
            AccountId=asked,
        )
        reader.under(
            "DelegatedServicesForAccount", asked, {"DelegatedServices": services}
        )


def _organization(
    reader: Reader, organization: str, caller: Reply, location: str
) -> Organization:
    source = f"{declaration.SPEC.name}:{organization} (live)"
    data = json.dumps(reader.whole, default=plain).encode()
    now = reader.context.now
    parsed = parse_answers(answers(data, _PLACE), source=source, place=_PLACE, now=now)
    collected = tuple(w for w in parsed.collected if w not in reader.incomplete)
    sync = Sync(
        source=source,
        connector=declaration.SPEC.name,
        started_at=now,
        facts=parsed.facts,
        probes=tuple(
            Probe(action, "failed" if action in reader.failures else "answered", True)
            for action in (declaration.WHO_AM_I, *declaration.SPEC.permissions)
        ),
        problems=(*parsed.problems, *_problems(reader)),
        collected=collected,
        not_collected=tuple(w for w in declaration.SPEC.collects if w not in collected),
        held=tuple(h for h in parsed.held if h.word in collected),
    )
    role = declaration.role_name(location) or declaration.DEFAULT_ROLE
    return Organization(organization, sync, _members(parsed, caller, role))


def _problems(reader: Reader) -> Iterator[Problem]:
    for action, (kind, what) in reader.failures.items():
        yield Problem(kind, action, what)


def _members(parsed: Parsed, caller: Reply, role: str) -> tuple[Member, ...]:
    partition = Arn.parse(str(caller["Arn"])).partition or "aws"
    own = str(caller["Account"])

    def member(account: Account) -> Member:
        arn = f"arn:{partition}:iam::{account.id}:role/{role}"
        return Member(account.id, account.name, "" if account.id == own else arn)

    readable = (a for a in parsed.facts.accounts if a.state not in _GONE)
    return tuple(member(a) for a in sorted(readable, key=lambda a: a.id))
