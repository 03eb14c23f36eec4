"""What live scans of AWS share: settings of a client, and its errors in our words.

Only the `live` module of a connector imports this; it needs boto3.
"""

from datetime import datetime

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ProfileNotFound,
)

from answerable.model.connector import SyncContext
from answerable.model.errors import AnswerableError, EnvironmentRefused, UsageError

CONFIG = Config(
    retries={"mode": "standard"},
    connect_timeout=10,
    read_timeout=60,
    user_agent_extra="answerable",
)

_REGION = "us-east-1"  # IAM has none; STS wants one named


def iam_of(context: SyncContext, config: Config = CONFIG) -> tuple[object, str]:
    """Find the account that the usual AWS settings lead to: IAM's client, its number.

    Args:
        context: What the flow handed over.
        config: Of the client.

    Raises:
        UsageError: There is no such profile, or the endpoint is no URL.
        EnvironmentRefused: No credentials, refused credentials, or no network.
    """
    try:
        session = boto3.Session(
            profile_name=context.profile or None, region_name=context.region or None
        )
        region = session.region_name or _REGION
        endpoint = context.endpoint_url or None
        sts = session.client("sts", region, endpoint_url=endpoint, config=CONFIG)
        iam = session.client("iam", region, endpoint_url=endpoint, config=config)
        return iam, str(sts.get_caller_identity()["Account"])
    except (BotoCoreError, ClientError, ValueError) as error:
        raise refused(error, context, "aws") from None


def plain(value: object) -> str:
    """Spell what JSON has no word for, as the CLI does."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def code_of(error: Exception) -> str:
    """Name an error: the API's code, else its class; never its message."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown error"))
    return type(error).__name__


def refused(error: Exception, context: SyncContext, source: str) -> AnswerableError:
    """Make the error that ends a scan before it has begun.

    Args:
        error: Of botocore, or a ValueError over a URL.
        context: What the flow handed over.
        source: `aws` or another, whose file could be scanned instead.
    """
    if isinstance(error, ProfileNotFound):
        return UsageError(
            f"there is no AWS profile {context.profile!r}",
            "list them: aws configure list-profiles",
        )
    if isinstance(error, NoCredentialsError):
        return EnvironmentRefused(
            "no AWS credentials were found",
            f"set AWS_PROFILE, run `aws configure` or `aws sso login`, or scan {source}:FILE",
        )
    if isinstance(error, ClientError):
        return EnvironmentRefused(
            f"AWS refused the credentials: {code_of(error)}",
            "check them with: aws sts get-caller-identity",
        )
    if isinstance(error, ValueError):
        return UsageError("the endpoint is not a URL", "expected http(s)://HOST[:PORT]")
    return EnvironmentRefused(
        f"AWS could not be asked: {type(error).__name__}",
        "check the network, --endpoint-url and the profile's settings",
    )
