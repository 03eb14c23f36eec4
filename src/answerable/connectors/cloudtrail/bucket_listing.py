"""List the recent log files of a trail's bucket: a notification may be lost.

Source: AWS CloudTrail User Guide, "Finding your CloudTrail log files" (docs.aws.amazon.com/
awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html): keys are
`PREFIX/AWSLogs/[ORGANIZATION/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/FILE`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from answerable.connectors.cloudtrail.parse.notifications import LogObject
from answerable.model.time_units import DAY_NS, SECOND_NS

# A notification of a younger file may still be under way.
MIN_AGE = timedelta(minutes=15)
INTERVAL = DAY_NS  # between two listings
LAST_LISTING = "listing"  # name of the position that holds the time of the last one


@dataclass(frozen=True, slots=True)
class ListedObject:
    """Log file in a bucket.

    Attributes:
        named: Its bucket and key.
        version: Its entity tag, which changes with the content.
    """

    named: LogObject
    version: str


def list_recent_log_files(
    s3: Any, bucket: str, prefix: str, days: int, now: int
) -> Iterator[ListedObject]:
    """List the log files of the last days, of all accounts and regions.

    Args:
        s3: Client of Amazon S3.
        bucket: Bucket of the trail.
        prefix: Beginning of the keys before `AWSLogs/`, empty for none.
        days: Days before today.
        now: UTC nanoseconds.
    """
    at = datetime.fromtimestamp(now // SECOND_NS, UTC)
    dates = [f"{at - timedelta(days=n):%Y/%m/%d}/" for n in range(days, -1, -1)]
    top = f"{prefix.rstrip('/')}/AWSLogs/" if prefix.strip("/") else "AWSLogs/"
    for account in _list_account_folders(s3, bucket, top):
        for region in _list_folders(s3, bucket, f"{account}CloudTrail/"):
            for date in dates:
                yield from _list_files(s3, bucket, region + date, at)


def _list_account_folders(s3: Any, bucket: str, top: str) -> Iterator[str]:
    """List the folders of accounts, also below that of an organization."""
    for folder in _list_folders(s3, bucket, top):
        if folder.removeprefix(top).startswith("o-"):
            yield from _list_folders(s3, bucket, folder)
        else:
            yield folder


def _list_folders(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    """List the common prefixes one level below a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter="/"
    )
    for page in pages:
        for each in page.get("CommonPrefixes", ()):
            yield each["Prefix"]


def _list_files(
    s3: Any, bucket: str, prefix: str, at: datetime
) -> Iterator[ListedObject]:
    """List the log files below a prefix that are old enough."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for each in page.get("Contents", ()):
            named = LogObject(bucket, each["Key"])
            if named.account and at - each["LastModified"] >= MIN_AGE:
                yield ListedObject(named, each["ETag"].strip('"'))
