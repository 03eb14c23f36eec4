"""Open the IAM client, and translate AWS API errors, for all live scans.

Only the `live` module of a connector imports it; it needs boto3.
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
    open_client,
    open_session,
    resolve_region,
)
from answerable.model.connector import SyncContext
from answerable.model.errors import (
    AnswerableError,
    EnvironmentFailure,
    SessionExpired,
    UsageError,
)

# Error codes for an expired session of the caller, by service.
EXPIRED_CODES = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")


def open_iam_client(
    context: SyncContext, config: Config = CONFIG, *, retry_throttling: bool = True
) -> tuple[object, str]:
    """Open an IAM client with the default AWS settings, and find its account.

    Args:
        context: Context of the scan.
        config: Client configuration.
        retry_throttling: Wait while AWS throttles.

    Raises:
        UsageError: The profile is unknown, or the endpoint is not a URL.
        EnvironmentFailure: No credentials, refused credentials, or no network.
    """
    try:
        session = open_session(context)
        region = resolve_region(session, context) or DEFAULT_REGION
        sts = open_client(session, "sts", region, context)
        iam = open_client(
            session, "iam", region, context, config, retry_throttling=retry_throttling
        )
        return iam, str(sts.get_caller_identity()["Account"])
    except (BotoCoreError, ClientError, ValueError) as error:
        raise scan_refused_error(error, context, "aws") from None


def json_default(value: object) -> str:
    """Encode values that JSON lacks (times, bytes), as the AWS CLI does."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def error_code(error: Exception) -> str:
    """Return an error's API code, else its class name; never its message."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown error"))
    return type(error).__name__


def raise_if_expired(error: Exception) -> None:
    """Raise `SessionExpired` if an error means that the caller's session expired.

    Otherwise the scan would collect nothing and look like missing permissions.
    """
    if error_code(error) in EXPIRED_CODES:
        raise SessionExpired(
            f"the AWS session has expired (got {error_code(error)})",
            "sign in again (`aws sso login`, or new keys), then run the same command",
        ) from None


def scan_refused_error(
    error: Exception, context: SyncContext, source: str
) -> AnswerableError:
    """Build the error for a scan that cannot start.

    Args:
        error: A botocore error, or a ValueError for a URL.
        context: Context of the scan.
        source: Source name, e.g. `aws`, whose file could be scanned instead.

    Raises:
        SessionExpired: The caller's session expired.
    """
    if isinstance(error, ProfileNotFound):
        return UsageError(
            f"no such AWS profile (got {context.profile!r})",
            "list the profiles: aws configure list-profiles",
        )
    if isinstance(error, NoCredentialsError):
        return EnvironmentFailure(
            "no AWS credentials were found",
            f"set AWS_PROFILE, run `aws configure` or `aws sso login`, or scan {source}:FILE",
        )
    raise_if_expired(error)
    if isinstance(error, ClientError) and error.operation_name == "AssumeRole":
        return EnvironmentFailure(
            f"the role {context.role_arn} cannot be assumed: {error_code(error)}",
            "create it in that account and let it trust the scanning identity",
        )
    if isinstance(error, ClientError):
        return EnvironmentFailure(
            f"AWS refused the credentials: {error_code(error)}",
            "check them with: aws sts get-caller-identity",
        )
    if isinstance(error, ValueError):
        return UsageError("the endpoint is not a URL", "expected http(s)://HOST[:PORT]")
    return EnvironmentFailure(
        f"the request to AWS failed: {type(error).__name__}",
        "check the network, --endpoint-url and the profile's settings",
    )
