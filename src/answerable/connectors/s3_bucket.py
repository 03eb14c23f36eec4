"""S3-compatible bucket with conditional writes, for a store in object storage.

Writes send `If-None-Match: *` or `If-Match: ETAG`
(docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html) and the SHA-256 of
the object, so that the server refuses one that arrived in part. boto3 finds credentials,
region and endpoint (`AWS_ENDPOINT_URL_S3`).

The gateway of Ceph 18 compares `If-Match` as text with the ETag without its quotes, and
so refuses the ETag that it answered. Such a server gets the ETag without quotes.
"""

import base64
import hashlib
import random
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from answerable.connectors.boto3_import import require_boto3
from answerable.connectors.s3_location import refuse_credentials
from answerable.model.errors import EnvironmentFailure, UsageError

_LOCATION = re.compile(
    r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([\x21-\x7e]{1,900}))?"
)
_MISSING = frozenset({"404", "NoSuchKey"})
# 409: two conditional writes at once; neither answer says which one was first.
_REFUSED = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict"})
_ATTEMPTS, _FIRST_DELAY, _MAX_DELAY = 8, 0.05, 3.0  # seconds
_FINAL_STATUS = 500  # a client error below it is not repeated
_THROTTLED = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout"}
)


_CLIENT_HINT = (
    "check AWS_ENDPOINT_URL_S3 (https://HOST), AWS_PROFILE, AWS_DEFAULT_REGION and "
    "~/.aws/config"
)
_ACCESS_HINT = (
    "check the bucket, its endpoint, and that the identity has s3:GetObject, "
    "s3:PutObject, s3:DeleteObject and s3:ListBucket there; then run it again"
)
_ENDPOINT_HINT = "check the network and AWS_ENDPOINT_URL_S3 (without it: Amazon S3); then run it again"
_CREDENTIALS_HINT = (
    "sign in (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY; then run it again"
)
_HINTS = {
    "NoSuchBucket": "create the bucket, or name another one: --store s3://BUCKET/PREFIX",
    "NoCredentialsError": _CREDENTIALS_HINT,
    "PartialCredentialsError": _CREDENTIALS_HINT,
    "ExpiredToken": _CREDENTIALS_HINT,
    "InvalidAccessKeyId": _CREDENTIALS_HINT,
    "SignatureDoesNotMatch": _CREDENTIALS_HINT,
    "InvalidToken": _CREDENTIALS_HINT,
    "EndpointConnectionError": _ENDPOINT_HINT,
    "ConnectTimeoutError": _ENDPOINT_HINT,
    "SSLError": _ENDPOINT_HINT,
}


class _ConditionFailedError(Exception):
    """The condition of a write does not hold."""


def open_s3_bucket(location: str) -> "ObjectStorageBucket":
    """Open the bucket of `s3://BUCKET/PREFIX`.

    Raises:
        UsageError: The location is malformed.
        EnvironmentFailure: boto3 is not installed.
    """
    return ObjectStorageBucket(*parse_location(location))


def parse_location(location: str) -> tuple[str, str]:
    """Parse `s3://BUCKET/PREFIX` into bucket and prefix; the prefix may be empty.

    Raises:
        UsageError: The location is malformed.
    """
    refuse_credentials(location)
    found = _LOCATION.fullmatch(location)
    if found is None or "//" in location.removeprefix("s3://"):
        raise UsageError(
            f"not a place in object storage (got {location[:80]!r})",
            "expected s3://BUCKET/PREFIX, without an empty part",
        )
    return found[1], (found[2] or "").strip("/")


class ObjectStorageBucket:
    """Objects under a prefix of an S3-compatible bucket."""

    def __init__(self, bucket: str, prefix: str) -> None:
        with require_boto3("a store in object storage"):
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._compares_quotes: bool | None = None  # of If-Match; None until one matched
        # Repeated here: botocore's own repetition hides that a write may have happened.
        config = Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"total_max_attempts": 1},
            max_pool_connections=16,
        )
        try:
            # A session of its own: the default one must not be used by several threads.
            self._client: Any = boto3.session.Session().client("s3", config=config)
        except (BotoCoreError, ValueError) as error:  # of the environment, or ~/.aws
            reason = str(error).splitlines()[0][:200]
            raise UsageError(
                f"cannot use s3://{bucket}: {reason}", _CLIENT_HINT
            ) from None

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Read an object and its version (ETag); None if there is none."""

        def read() -> tuple[bytes, str]:
            found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            return found["Body"].read(), _get_version(found)

        found: tuple[bytes, str] | None = self._repeat("read", key, read)
        return found

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one of that key; return whether it did."""
        return bool(self._put(key, data, IfNoneMatch="*"))

    def overwrite(self, key: str, data: bytes) -> None:
        """Write an object, whether there is one or not."""
        self._put(key, data)

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Write an object if it still has this version; return the new one or empty."""
        known = self._compares_quotes
        for quoted in (True, False) if known is None else (known,):
            if known is None and not quoted and self._read_version(key) != version:
                return ""
            expected = version if quoted else version.strip('"')
            if written := self._put(key, data, IfMatch=expected):
                self._compares_quotes = quoted
                return written
        return ""

    def delete(self, key: str) -> None:
        """Delete an object, if there is one."""
        name = self._prefix + key
        self._repeat(
            "delete",
            key,
            lambda: self._client.delete_object(Bucket=self._bucket, Key=name),
        )

    def find(self, prefix: str) -> str:
        """Return the key of an object whose key starts so; empty if there is none."""
        start = self._prefix + prefix

        def list_one() -> str:
            found = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=start, MaxKeys=1
            )
            keys = [str(each["Key"]) for each in found.get("Contents", ())]
            return keys[0].removeprefix(self._prefix) if keys else ""

        return self._repeat("list", prefix, list_one) or ""

    def _read_version(self, key: str) -> str:
        """Read the version (ETag) of an object; empty if there is none."""
        name = self._prefix + key

        def read() -> str:
            return _get_version(self._client.head_object(Bucket=self._bucket, Key=name))

        return self._repeat("read", key, read) or ""

    def _put(self, key: str, data: bytes, **condition: str) -> str:
        """Write an object under a condition; return its version, empty if refused."""
        # Computed here: boto3 sends its own after the body over TLS, where not every
        # server compares it; with this one, it signs the digest of the body too.
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()

        def write() -> str:
            return _get_version(
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    Body=data,
                    ChecksumSHA256=digest,
                    **condition,
                )
            )

        try:
            return str(self._repeat("write", key, write))
        except _ConditionFailedError:
            return ""

    def _repeat(self, what: str, key: str, call: Callable[[], Any]) -> Any:
        """Call until it succeeds; None for a missing object.

        Raises:
            EnvironmentFailure: The last attempt failed too, or a repetition is useless.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        for attempt in range(_ATTEMPTS):
            try:
                return call()
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))[:80]
                facts = error.response.get("ResponseMetadata", {})
                if code in _REFUSED:
                    raise _ConditionFailedError from None
                if code in _MISSING and what != "write":
                    return None
                status = int(facts.get("HTTPStatusCode", 0))
                again = status >= _FINAL_STATUS or code in _THROTTLED
            except BotoCoreError as error:
                code = type(error).__name__
                again = code not in ("NoCredentialsError", "NoRegionError")
            if not again or attempt == _ATTEMPTS - 1:
                break
            delay = min(_MAX_DELAY, _FIRST_DELAY * 2**attempt)
            time.sleep(delay * random.uniform(0.5, 1))  # noqa: S311 - no secret
        raise EnvironmentFailure(
            f"cannot {what} s3://{self._bucket}/{self._prefix}{key} ({code})",
            _HINTS.get(code, _ACCESS_HINT),
        ) from None


def _get_version(answer: Mapping[str, Any]) -> str:
    """Return the version (ETag) in an answer.

    Raises:
        EnvironmentFailure: There is none: the server is not S3-compatible.
    """
    if not answer.get("ETag"):
        raise EnvironmentFailure(
            "the server's answer has no ETag: it is not S3-compatible storage",
            _ENDPOINT_HINT,
        )
    return str(answer["ETag"])
