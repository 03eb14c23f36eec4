"""Settings of AWS clients, and their errors in our words; all live scans share them.

Only the `live` module of a connector imports this; it needs boto3.
"""

from datetime import datetime

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ProfileNotFound,
)

from answerable.connectors.aws_session import (
    CONFIG,
    DEFAULT_REGION,
    client_of,
    region_of,
    session_of,
)
from answerable.model.connector import SyncContext
from answerable.model.errors import (
    AnswerableError,
    EnvironmentRefused,
    SessionExpired,
    UsageError,
)

# The session of whoever asks is over; each service has a code of its own for that.
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")


def iam_of(
    context: SyncContext, config: Config = CONFIG, *, patient: bool = True
) -> tuple[object, str]:
    """Find the account that the usual AWS settings lead to: IAM's client, its number.

    Args:
        context: What the flow handed over.
        config: Of the client.
        patient: It waits while AWS throttles it.

    Raises:
        UsageError: There is no such profile, or the endpoint is no URL.
        EnvironmentRefused: No credentials, refused credentials, or no network.
    """
    try:
        session = session_of(context)
        region = region_of(session, context) or DEFAULT_REGION
        sts = client_of(session, "sts", region, context)
        iam = client_of(session, "iam", region, context, config, patient=patient)
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


def stop_if_expired(error: Exception) -> None:
    """Raise `SessionExpired` where an error says that the caller's session is over.

    A scan that went on would collect nothing and look as if access was missing.
    """
    if code_of(error) in EXPIRED:
        raise SessionExpired(
            f"the AWS session has expired (got {code_of(error)})",
            "sign in again (`aws sso login`, or new keys), then run the same command",
        ) from None


def refused(error: Exception, context: SyncContext, source: str) -> AnswerableError:
    """Make the error that ends a scan before it has begun.

    Args:
        error: Of botocore, or a ValueError over a URL.
        context: What the flow handed over.
        source: `aws` or another, whose file could be scanned instead.

    Raises:
        SessionExpired: The caller's session is over.
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
    stop_if_expired(error)
    if isinstance(error, ClientError) and error.operation_name == "AssumeRole":
        return EnvironmentRefused(
            f"the role {context.role_arn} cannot be assumed: {code_of(error)}",
            "create it there, and let it trust the identity that scans",
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
