"""Read CloudTrail records from files, folders, standard input or a queue, in batches."""

from collections.abc import Iterator

from answerable.connectors.boto3_import import require_boto3
from answerable.connectors.cloudtrail.declaration import QUEUE_PREFIX
from answerable.connectors.cloudtrail.log_format import FORMAT
from answerable.connectors.log_files import split_log_location
from answerable.connectors.log_reader import read_log
from answerable.model.connector import EventBatch, EventContext
from answerable.model.errors import UsageError


def read(location: str, context: EventContext) -> Iterator[EventBatch]:
    """Yield the records of a location; see `read_log` and `read_queue`.

    Raises:
        UsageError: As for `read_log`, or the bucket of a queue is missing.
        EnvironmentFailure: As for `read_log`, or the queue cannot be read.
    """
    if not location.startswith(QUEUE_PREFIX):
        return read_log(FORMAT, location, context)
    where = location.removeprefix(QUEUE_PREFIX)
    url, options = split_log_location(where, ("bucket",))
    bucket = options.get("bucket", "")
    if not bucket or not url.startswith(("https://", "http://")):
        raise UsageError(
            "the queue or its bucket is missing "
            f"(expected cloudtrail:{QUEUE_PREFIX}URL,bucket=NAME)",
            "name the bucket of the trail: only its objects are read",
        )
    with require_boto3("a queue of notifications"):
        from answerable.connectors.cloudtrail.live import read_queue
    return read_queue(url, bucket, context)
