"""Read CloudTrail records from files, folders, standard input or a queue, in batches."""

from collections.abc import Iterator

from answerable.connectors.boto3_import import require_boto3
from answerable.connectors.cloudtrail.declaration import QUEUE_PREFIX
from answerable.connectors.cloudtrail.log_format import FORMAT
from answerable.connectors.log_files import split_log_location
from answerable.connectors.log_reader import read_log
from answerable.model.connector import EventBatch, EventContext
from answerable.model.errors import UsageError

MAX_LISTED_DAYS = 90


def read(location: str, context: EventContext) -> Iterator[EventBatch]:
    """Yield the records of a location; see `read_log` and `read_queue`.

    Raises:
        UsageError: As for `read_log`, or the bucket of a queue is missing.
        EnvironmentFailure: As for `read_log`, or the queue cannot be read.
    """
    if not location.startswith(QUEUE_PREFIX):
        return read_log(FORMAT, location, context)
    where = location.removeprefix(QUEUE_PREFIX)
    url, options = split_log_location(where, ("bucket", "prefix", "list-days"))
    bucket, days = options.get("bucket", ""), options.get("list-days", "0")
    if not days.isascii() or not days.isdigit() or int(days) > MAX_LISTED_DAYS:
        raise UsageError(
            f"list-days is invalid (got {days[:20]!r}, expected 0 to {MAX_LISTED_DAYS})",
            "2 lists the files of yesterday and the day before, once a day",
        )
    if not bucket or not url.startswith(("https://", "http://")):
        raise UsageError(
            "the queue or its bucket is missing "
            f"(expected cloudtrail:{QUEUE_PREFIX}URL,bucket=NAME)",
            "name the bucket of the trail: only its objects are read",
        )
    with require_boto3("a queue with notifications of new files"):
        from answerable.connectors.cloudtrail.live import TrailBucket, read_queue
    trail = TrailBucket(bucket, options.get("prefix", ""), int(days))
    return read_queue(url, trail, context)
