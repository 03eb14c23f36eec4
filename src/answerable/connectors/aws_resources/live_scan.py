"""Live scan of AWS resources, in the form of an answer file.

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

from answerable.connectors.aws_errors import plain, refused
from answerable.connectors.aws_resources import declaration
from answerable.connectors.aws_resources.parse import parse_answers
from answerable.connectors.aws_resources.scan_calls import Asking, Client
from answerable.connectors.aws_resources.service_scans import SERVICES
from answerable.connectors.aws_session import CONFIG, client_of, region_of, session_of
from answerable.connectors.formats.aws_api_answers import answers
from answerable.model.connector import SyncContext
from answerable.model.errors import UsageError
from answerable.model.sighting import Probe, Problem, Sync

_PLACE = "the AWS API"


def collect(context: SyncContext) -> Sync:
    """Scan the account and region of the default AWS settings.

    Raises:
        UsageError: The profile or region is missing, or the endpoint is not a URL.
        EnvironmentRefused: No credentials, refused credentials, or no network.
    """
    try:
        session = session_of(context)
        region = region_of(session, context)
        if not region:
            raise UsageError(
                f"{declaration.SPEC.name}: needs a region, and none is set",
                "give --region NAME, or set AWS_REGION; scan each region in turn",
            )
        clients = _Clients(session, region, context)
        caller = clients.make("sts").get_caller_identity()
    except (BotoCoreError, ClientError, ValueError) as error:
        raise refused(error, context, declaration.SPEC.name) from None
    asking = Asking(clients, str(caller["Account"]), region, context)
    asking.whole |= {"Account": asking.account, "Arn": str(caller["Arn"])}
    asking.whole["Region"] = region
    return collect_region(asking)


def collect_region(asking: Asking) -> Sync:
    """Scan all services, in the order of `spec.PERMISSIONS`."""
    for ask in SERVICES:
        ask(asking)
    source = f"{declaration.SPEC.name}:{asking.account} {asking.region} (live)"
    data = json.dumps(asking.whole, default=plain).encode()
    parsed = parse_answers(
        answers(data, _PLACE), source=source, place=_PLACE, now=asking.context.now
    )
    problems = (
        *parsed.problems,
        *(
            Problem(kind, action, what + (f", {times} times" if times > 1 else ""))
            for (kind, action, what), times in asking.failures.items()
        ),
    )
    said = " ".join(problem.what for problem in problems)
    return Sync(
        source=source,
        connector=declaration.SPEC.name,
        started_at=asking.context.now,
        facts=parsed.facts,
        probes=tuple(
            Probe(action, "failed" if f"{action} " in said else "answered", True)
            for action in (declaration.WHO_AM_I, *declaration.PERMISSIONS)
        ),
        problems=problems,
        collected=parsed.collected,
        not_collected=tuple(
            w for w in declaration.SPEC.collects if w not in parsed.collected
        ),
        held=() if asking.broke_off else parsed.held,
    )


@dataclass(frozen=True, slots=True)
class _Clients:
    """Client factory of one region."""

    session: "boto3.Session"
    region: str
    context: SyncContext

    def client(self, service: str) -> Client:
        """Create a client of a service."""
        return cast(Client, self.make(service))

    def make(self, service: str) -> "boto3.client":
        config = CONFIG
        if self.context.endpoint_url:
            config = config.merge(Config(s3={"addressing_style": "path"}))
        client = client_of(self.session, service, self.region, self.context, config)
        if self.context.endpoint_url:
            client.meta.events.register("before-sign.s3-control", _one_host)
        return client


def _one_host(request: AWSRequest, **_: object) -> None:
    """Remove the account from the host name: a custom endpoint has one name."""
    scheme, _, rest = request.url.partition("://")
    account, _, bare = rest.partition(".")
    if len(account) == 12 and account.isdecimal():
        request.url = f"{scheme}://{bare}"
