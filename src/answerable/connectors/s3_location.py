"""Addresses of object storage: `s3://BUCKET/PREFIX`, without credentials."""

import re

from answerable.model.errors import UsageError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_EXPECTED = "expected s3://BUCKET/PREFIX"
_CREDENTIALS_HINT = (
    f"{_EXPECTED}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)


def refuse_other_scheme(named: str, what: str) -> None:
    """Refuse an address that is no folder and does not start with `s3://`.

    Raises:
        UsageError: It has another scheme.
    """
    scheme, separator, _ = named.partition("://")
    if separator and scheme.isalnum() and scheme != "s3":
        raise UsageError(
            f"{what} is a folder or s3://BUCKET/PREFIX (got {scheme}://...)",
            "name a folder, or s3://BUCKET/PREFIX in lower case; AWS_ENDPOINT_URL_S3 "
            "names another S3 service",
        )


def refuse_credentials(named: str) -> None:
    """Refuse an address of object storage with credentials, without printing them.

    Raises:
        UsageError: There is an `@` before the first `/`, other than `BUCKET@SNAPSHOT`,
            or a query.
    """
    address = named.removeprefix("s3://")
    host, slash, _ = address.partition("/")
    if "@" in host and (slash or ":" in host):
        raise UsageError(
            "credentials do not belong in the address of a bucket", _CREDENTIALS_HINT
        )
    if "?" in address or "#" in address:
        raise UsageError(
            "the address of a bucket has no parameters (got one with ? or #)",
            _CREDENTIALS_HINT,
        )


def require_bucket(named: str) -> None:
    """Refuse an address of object storage without the name of a bucket.

    Raises:
        UsageError: The name is missing or malformed.
    """
    bucket = named.removeprefix("s3://").partition("/")[0]
    if _BUCKET.fullmatch(bucket) is None:
        raise UsageError(f"no bucket is named (got {bucket[:80]!r})", _EXPECTED)
