"""Open boto3 sessions and clients for a live scan, as the caller or an assumed role.

Only the `live` module of a connector and `aws_api` import it; it needs boto3.
"""

import gc
import time
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError

from answerable.model.connector import SyncContext

CONFIG = Config(
    retries={"mode": "standard"},
    connect_timeout=10,
    read_timeout=60,
    user_agent_extra="answerable",
)
DEFAULT_REGION = "us-east-1"  # IAM has none; STS wants one named
SESSION_NAME = "answerable-scan"  # in CloudTrail of each account

# botocore gives up after three attempts. We go on for as long as this, in seconds.
THROTTLE_LIMIT = 300.0
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 20.0
_BOTOCORE_ATTEMPTS = 3
# Source: botocore, `botocore/retries/standard.py`, ThrottledRetryableChecker.
_THROTTLED = frozenset(
    [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    ]
)

_CREATION_LOCK = Lock()  # a boto3 session makes one client at a time


def open_session(context: SyncContext) -> "boto3.Session":
    """Return the session of the default AWS settings, or of the context's role.

    Each is created once per `context.sessions`; a role's session renews itself. Clients
    of several regions share it, so use `resolve_region`, not the session's region.

    Raises:
        BotoCoreError: The profile is unknown, or there are no credentials.
    """
    with _CREATION_LOCK:
        base = _get_or_create_session(
            context, f"profile {context.profile}", _default_session
        )
        if not context.role_arn:
            return base
        return _get_or_create_session(
            context, context.role_arn, partial(_assume_role_session, base)
        )


def forget_session(context: SyncContext) -> None:
    """Drop the cached session of a role that is no longer needed, with its clients."""
    if context.sessions.pop(context.role_arn, None) is not None:
        gc.collect()  # clients are in reference cycles, and commands collect rarely


def resolve_region(session: "boto3.Session", context: SyncContext) -> str:
    """Return the region: the context's, else the configured one, else empty."""
    return context.region or session.region_name or ""


def open_client(
    session: "boto3.Session",
    service: str,
    region: str,
    context: SyncContext,
    config: Config = CONFIG,
    *,
    retry_throttling: bool = True,
) -> "boto3.client":
    """Create a boto3 client of a service, with the scan's retry settings.

    Args:
        session: Session of `open_session`.
        service: boto3 service name.
        region: Region of the client.
        context: Scan context.
        config: Client configuration.
        retry_throttling: Wait while AWS throttles, up to `THROTTLE_LIMIT` per call.

    Raises:
        ValueError: The endpoint is not a URL.
    """
    with _CREATION_LOCK:
        client = session.client(
            service,
            region,
            endpoint_url=context.endpoint_url or None,
            config=_copy_config(config),
        )
    if retry_throttling:
        _install_throttle_retry(client, context)
    return client


def _copy_config(config: Config) -> Config:
    """Copy a configuration for one client: botocore modifies it."""
    return config.merge(Config(retries=dict(config.retries or {})))


def _get_or_create_session(
    context: SyncContext,
    name: str,
    create_session: Callable[[SyncContext], "boto3.Session"],
) -> "boto3.Session":
    """Return a cached session of the scan, created on first use."""
    if name not in context.sessions:
        context.sessions[name] = create_session(context)
    return context.sessions[name]


def _default_session(context: SyncContext) -> "boto3.Session":
    """Create a session of the default AWS settings."""
    return boto3.Session(profile_name=context.profile or None)


def _assume_role_session(
    parent_place: "boto3.Session", context: SyncContext
) -> "boto3.Session":
    """Create the session of a role; no call is made until first use."""

    def create(service: str, **keys: object) -> "boto3.client":
        client = parent_place._session.create_client(
            service,
            region_name=resolve_region(parent_place, context) or DEFAULT_REGION,
            endpoint_url=context.endpoint_url or None,
            config=_copy_config(CONFIG),
            **keys,
        )
        _install_throttle_retry(client, context)
        return client

    caller = parent_place.get_credentials()
    if caller is None:
        raise NoCredentialsError
    fetcher = AssumeRoleCredentialFetcher(
        create,
        caller,
        context.role_arn,
        extra_args={"RoleSessionName": SESSION_NAME},
    )
    core = botocore.session.Session(profile=context.profile or None)
    # Descriptions of services are large: all sessions of one scan share them.
    loader = parent_place._session.get_component("data_loader")
    core.register_component("data_loader", loader)
    core._credentials = DeferredRefreshableCredentials(
        fetcher.fetch_credentials, "assume-role"
    )
    return boto3.Session(botocore_session=core)


def _install_throttle_retry(client: "boto3.client", context: SyncContext) -> None:
    """Make a client wait and retry while AWS throttles."""
    handler = partial(_compute_throttle_delay, context)
    client.meta.events.register_last("needs-retry", handler)


def _compute_throttle_delay(
    context: SyncContext,
    attempts: int,
    operation: object,
    request_dict: Mapping[str, object],
    response: tuple[object, Mapping[str, object]] | None = None,
    **_: object,
) -> float | None:
    """Return the seconds to wait before a retry, None to stop retrying."""
    code = _error_code(response)
    if code not in _THROTTLED or attempts < _BOTOCORE_ATTEMPTS:
        return None
    memory = request_dict.get("context")
    if not isinstance(memory, dict):
        return None
    began = float(memory.setdefault("throttled_since", time.monotonic()))
    if time.monotonic() - began >= THROTTLE_LIMIT:
        return None
    wait: float = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (attempts - _BOTOCORE_ATTEMPTS))
    name = getattr(operation, "name", "a call")
    context.progress(attempts, 0, f"retries of {name}, which AWS throttles")
    return wait


def _error_code(response: tuple[object, Mapping[str, object]] | None) -> str:
    """Return the error code of a response."""
    if response is None:
        return ""
    error = response[1].get("Error")
    return str(error.get("Code", "")) if isinstance(error, Mapping) else ""
