"""Scan AWS resources live, and build a document in the form of a response file.

One parser reads both, so a live scan equals the documented commands. Retries
are botocore's (standard mode). This module needs boto3 and is imported for a live scan
alone.
"""

import json
from dataclasses import dataclass
from typing import cast

import boto3
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from answerable.connectors.aws_errors import json_default, scan_refused_error
from answerable.connectors.aws_resources import declaration
from answerable.connectors.aws_resources.parse import parse_answers
from answerable.connectors.aws_resources.scan_calls import ResourceClient, ResourceScan
from answerable.connectors.aws_resources.service_scans import SERVICE_SCANS
from answerable.connectors.aws_session import (
    CONFIG,
    open_client,
    open_session,
    resolve_region,
)
from answerable.connectors.formats.aws_api_responses import parse_aws_answers
from answerable.model.connector import SyncContext
from answerable.model.errors import UsageError
from answerable.model.sighting import Probe, ReadProblem, Sync

_PLACE = "the AWS API"


def scan_default_region(context: SyncContext) -> Sync:
    """Scan the account and region of the default AWS settings.

    Raises:
        UsageError: The profile or region is missing, or the endpoint is not a URL.
        EnvironmentFailure: No credentials, refused credentials, or no network.
    """
    try:
        session = open_session(context)
        region = resolve_region(session, context)
        if not region:
            raise UsageError(
                f"{declaration.DECLARATION.name}: requires a region (none is set)",
                "use --region NAME or set AWS_REGION; scan each region separately",
            )
        clients = _RegionClients(session, region, context)
        caller = clients.create_client("sts").get_caller_identity()
    except (BotoCoreError, ClientError, ValueError) as error:
        raise scan_refused_error(error, context, declaration.DECLARATION.name) from None
    scan = ResourceScan(clients, str(caller["Account"]), region, context)
    scan.document |= {"Account": scan.account, "Arn": str(caller["Arn"])}
    scan.document["Region"] = region
    return scan_region(scan)


def scan_region(scan: ResourceScan) -> Sync:
    """Scan all services of one region, in the order of `declaration.PERMISSIONS`."""
    for ask in SERVICE_SCANS:
        ask(scan)
    source = f"{declaration.DECLARATION.name}:{scan.account} {scan.region} (live)"
    data = json.dumps(scan.document, default=json_default).encode()
    parsed = parse_answers(
        parse_aws_answers(data, _PLACE),
        source=source,
        place=_PLACE,
        now=scan.context.now,
    )
    problems = (
        *parsed.problems,
        *(
            ReadProblem(kind, action, what + (f", {times} times" if times > 1 else ""))
            for (kind, action, what), times in scan.failures.items()
        ),
    )
    said = " ".join(problem.what for problem in problems)
    return Sync(
        source=source,
        connector=declaration.DECLARATION.name,
        started_at=scan.context.now,
        facts=parsed.facts,
        probes=tuple(
            Probe(action, "failed" if f"{action} " in said else "answered", True)
            for action in (declaration.WHO_AM_I, *declaration.PERMISSIONS)
        ),
        problems=problems,
        collected=parsed.collected,
        not_collected=tuple(
            w for w in declaration.DECLARATION.collects if w not in parsed.collected
        ),
        held=() if scan.incomplete_lists else parsed.held,
    )


@dataclass(frozen=True, slots=True)
class _RegionClients:
    """Client factory of one region."""

    session: "boto3.Session"
    region: str
    context: SyncContext

    def client(self, service: str) -> ResourceClient:
        """Create the boto3 client of an AWS service in one region."""
        return cast(ResourceClient, self.create_client(service))

    def create_client(self, service: str) -> "boto3.client":
        """Create a client; a custom endpoint gets path-style S3 addresses."""
        config = CONFIG
        if self.context.endpoint_url:
            config = config.merge(Config(s3={"addressing_style": "path"}))
        client = open_client(self.session, service, self.region, self.context, config)
        if self.context.endpoint_url:
            client.meta.events.register("before-sign.s3-control", _strip_account_host)
        return client


def _strip_account_host(request: AWSRequest, **_: object) -> None:
    """Remove the account from the host name: a custom endpoint has one name."""
    scheme, _, rest = request.url.partition("://")
    account, _, bare = rest.partition(".")
    if len(account) == 12 and account.isdecimal():
        request.url = f"{scheme}://{bare}"
