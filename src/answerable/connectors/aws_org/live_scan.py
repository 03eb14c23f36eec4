"""Scan AWS Organizations live, and build a document in the form of a response file.

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

from answerable.connectors.aws_errors import (
    error_code,
    json_default,
    scan_refused_error,
)
from answerable.connectors.aws_org import declaration
from answerable.connectors.aws_org.live_identity_center import read_identity_center
from answerable.connectors.aws_org.live_reader import (
    RETRY_CONFIG,
    OrganizationReader,
    OrgReply,
)
from answerable.connectors.aws_org.parse import parse_answers
from answerable.connectors.aws_session import (
    DEFAULT_REGION,
    open_client,
    open_session,
    resolve_region,
)
from answerable.connectors.formats.aws_api_responses import (
    ACCESS_DENIED_CODES,
    parse_aws_answers,
)
from answerable.connectors.parsed_source import ParsedAwsAnswers
from answerable.model.connector import MemberAccount, Organization, SyncContext
from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.model.identity import Account
from answerable.model.ids import Arn
from answerable.model.sighting import Probe, ReadProblem, Sync

_SERVICE = "organizations"
_PLACE = "the AWS API"
_KINDS = {"SERVICE_CONTROL_POLICY": "scp", "RESOURCE_CONTROL_POLICY": "rcp"}
_CLOSED_STATES = ("suspended", "closed", "pending_closure", "pending_activation")


def scan_organization(location: str, context: SyncContext) -> Organization:
    """Scan the organisation of the account of the default AWS settings.

    Raises:
        UsageError: The profile is unknown, or the endpoint is not a URL.
        EnvironmentFailure: No credentials, refused credentials, no network; the account
            is in no organisation, or may not list its accounts.
    """
    try:
        session = open_session(context)
        region = resolve_region(session, context) or DEFAULT_REGION
        caller = open_client(session, "sts", region, context).get_caller_identity()
        client = open_client(session, _SERVICE, region, context, RETRY_CONFIG)
        described = client.describe_organization()["Organization"]
    except (BotoCoreError, ClientError, ValueError) as error:
        if error_code(error) == "AWSOrganizationsNotInUseException":
            raise EnvironmentFailure(
                "the account is not in an organization",
                "use the management account, or scan it alone: answerable scan aws:",
            ) from None
        if error_code(error) in ACCESS_DENIED_CODES:
            raise _not_allowed_error("organizations:DescribeOrganization") from None
        raise scan_refused_error(error, context, declaration.DECLARATION.name) from None
    reader = OrganizationReader({_SERVICE: client}, context)
    reader.document["Organization"] = {
        "Id": described["Id"],
        "MasterAccountId": described.get("MasterAccountId", ""),
    }
    _read_organization(reader)
    if "organizations:ListAccounts" in reader.failures:
        raise _not_allowed_error("organizations:ListAccounts", str(described["Id"]))
    read_identity_center(reader, session, region)
    return _build_organization(reader, str(described["Id"]), caller, location)


def list_enabled_regions(context: SyncContext) -> tuple[str, ...]:
    """List the enabled regions of the context's account.

    Raises:
        EnvironmentFailure: The account or the call is denied.
    """
    try:
        session = open_session(context)
        region = resolve_region(session, context) or DEFAULT_REGION
        answer = open_client(session, "ec2", region, context).describe_regions()
    except (BotoCoreError, ClientError, ValueError) as error:
        assuming = getattr(error, "operation_name", "") == "AssumeRole"
        if error_code(error) in ACCESS_DENIED_CODES and not assuming:
            raise RegionsDenied(f"{declaration.REGIONS} is not allowed") from None
        raise scan_refused_error(error, context, declaration.DECLARATION.name) from None
    return tuple(sorted(str(each["RegionName"]) for each in answer["Regions"]))


class RegionsDenied(EnvironmentFailure):
    """Readable account whose regions may not be listed."""


def _not_allowed_error(action: str, organization: str = "") -> AnswerableError:
    """Build the error for an account that may not read its organisation."""
    of = f" of organization {organization}" if organization else ""
    return EnvironmentFailure(
        f"{action} is not allowed (expected the management account or a delegated "
        f"administrator{of})",
        "sign in there, and attach: answerable where aws-org: --policy iam",
    )


def _read_organization(reader: OrganizationReader) -> None:
    """Read accounts, units, control policies and delegated administrators."""
    accounts = reader.read_records(
        _SERVICE, "list_accounts", "Accounts", declaration.ORGANIZATION
    )
    reader.document["Accounts"] = [_trim_account(each) for each in accounts]
    if reader.failures:
        return
    roots = reader.read_records(
        _SERVICE, "list_roots", "Roots", declaration.ORGANIZATION
    )
    reader.document["Roots"] = roots
    below = [str(root["Id"]) for root in roots]
    while below:
        below += _read_children(reader, below.pop(0))
    enabled = {
        str(kind.get("Type"))
        for root in roots
        for kind in cast(list[OrgReply], root.get("PolicyTypes") or [])
        if kind.get("Status") == "ENABLED"
    }
    for kind, word in _KINDS.items():
        if kind in enabled:
            _read_policies(reader, kind, word)
    _read_delegated_administrators(reader)


def _trim_account(account: OrgReply) -> OrgReply:
    """Return an account with only the fields that the parser reads."""
    return {
        n: account[n] for n in ("Id", "Name", "Arn", "State", "Status") if n in account
    }


def _read_children(reader: OrganizationReader, parent: str) -> list[str]:
    """Read the accounts and units under a root or a unit; returns the units."""
    asked = {"ParentId": parent}
    found = reader.read_records(
        _SERVICE,
        "list_accounts_for_parent",
        "Accounts",
        declaration.ORGANIZATION,
        **asked,
    )
    kept = [_trim_account(each) for each in found]
    reader.add_answer("AccountsForParent", parent, {"Accounts": kept})
    units = reader.read_records(
        _SERVICE,
        "list_organizational_units_for_parent",
        "OrganizationalUnits",
        declaration.ORGANIZATION,
        **asked,
    )
    reader.add_answer(
        "OrganizationalUnitsForParent", parent, {"OrganizationalUnits": units}
    )
    return [str(unit["Id"]) for unit in units]


def _read_policies(reader: OrganizationReader, kind: str, coverage_kind: str) -> None:
    """Read the policies of one kind, with their documents and targets."""
    listed = reader.read_records(
        _SERVICE, "list_policies", "Policies", coverage_kind, Filter=kind
    )
    cast(list[OrgReply], reader.document.setdefault("Policies", [])).extend(listed)
    for policy in listed:
        named = {"PolicyId": str(policy["Id"])}
        described = reader.call(_SERVICE, "describe_policy", coverage_kind, **named)
        if described:
            reader.add_answer("DescribePolicy", named["PolicyId"], described)
        targets = reader.read_records(
            _SERVICE, "list_targets_for_policy", "Targets", coverage_kind, **named
        )
        reader.add_answer("TargetsForPolicy", named["PolicyId"], {"Targets": targets})


def _read_delegated_administrators(reader: OrganizationReader) -> None:
    """Read the delegated administrators and their services."""
    word = "delegated-administrators"
    found = reader.read_records(
        _SERVICE, "list_delegated_administrators", "DelegatedAdministrators", word
    )
    reader.document["DelegatedAdministrators"] = [_trim_account(each) for each in found]
    for account in found:
        asked = str(account["Id"])
        services = reader.read_records(
            _SERVICE,
            "list_delegated_services_for_account",
            "DelegatedServices",
            word,
            AccountId=asked,
        )
        reader.add_answer(
            "DelegatedServicesForAccount", asked, {"DelegatedServices": services}
        )


def _build_organization(
    reader: OrganizationReader, organization: str, caller: OrgReply, location: str
) -> Organization:
    """Parse the read document, and build the sync result and member accounts."""
    source = f"{declaration.DECLARATION.name}:{organization} (live)"
    data = json.dumps(reader.document, default=json_default).encode()
    now = reader.context.now
    parsed = parse_answers(
        parse_aws_answers(data, _PLACE), source=source, place=_PLACE, now=now
    )
    collected = tuple(w for w in parsed.collected if w not in reader.incomplete)
    sync = Sync(
        source=source,
        connector=declaration.DECLARATION.name,
        started_at=now,
        facts=parsed.facts,
        probes=tuple(
            Probe(action, "failed" if action in reader.failures else "answered", True)
            for action in (declaration.WHO_AM_I, *declaration.DECLARATION.permissions)
        ),
        problems=(*parsed.problems, *_list_problems(reader)),
        collected=collected,
        not_collected=tuple(
            w for w in declaration.DECLARATION.collects if w not in collected
        ),
        held=tuple(h for h in parsed.held if h.word in collected),
    )
    role = declaration.parse_scan_role_name(location) or declaration.DEFAULT_ROLE
    return Organization(organization, sync, _list_member_accounts(parsed, caller, role))


def _list_problems(reader: OrganizationReader) -> Iterator[ReadProblem]:
    """List a read problem for each AWS action that failed."""
    for action, (kind, what) in reader.failures.items():
        yield ReadProblem(kind, action, what)


def _list_member_accounts(
    parsed: ParsedAwsAnswers, caller: OrgReply, role: str
) -> tuple[MemberAccount, ...]:
    """List the open accounts, each with the role to assume for its scan."""
    partition = Arn.parse(str(caller["Arn"])).partition or "aws"
    own = str(caller["Account"])

    def member(account: Account) -> MemberAccount:
        arn = f"arn:{partition}:iam::{account.id}:role/{role}"
        return MemberAccount(account.id, account.name, "" if account.id == own else arn)

    readable = (a for a in parsed.facts.accounts if a.state not in _CLOSED_STATES)
    return tuple(member(a) for a in sorted(readable, key=lambda a: a.id))
