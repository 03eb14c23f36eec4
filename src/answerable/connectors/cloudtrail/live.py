"""Read new log files of a trail, as notifications in an SQS queue name them.

A message is deleted after the records of its objects are sealed. The visibility timeout
of the queue returns the messages of a run that ended before, and their records are then
found in the store. Of the objects, only those of the configured bucket are read: any
principal that may write into the queue could name another one.

A lost notification is found by a daily listing of the bucket. The cursor of the source
names the objects of the listed days that were read.
"""

import re
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from answerable.connectors.aws_errors import error_code, raise_if_expired
from answerable.connectors.aws_session import (
    DEFAULT_REGION,
    open_client,
    open_session,
    resolve_region,
)
from answerable.connectors.cloudtrail.bucket_listing import (
    INTERVAL,
    LAST_LISTING,
    list_recent_log_files,
)
from answerable.connectors.cloudtrail.log_format import FORMAT
from answerable.connectors.cloudtrail.parse.notifications import (
    LogObject,
    NotificationError,
    parse_notification,
)
from answerable.connectors.log_reader import (
    build_quarantined_record,
    read_downloaded_file,
)
from answerable.model.connector import EventBatch, EventContext, SyncContext
from answerable.model.errors import EnvironmentFailure
from answerable.model.event import QuarantinedRecord
from answerable.model.log_position import FilePosition
from answerable.model.sighting import ReadProblem, ReadProblemKind

MAX_MESSAGES = 1000  # of one run
MAX_OBJECT = 256 << 20  # bytes, as stored
# Deliveries after which a missing object is given up.
MAX_RECEIVES = 5
WAIT_SECONDS = 2  # of one receive call, for new messages
_CHUNK = 1 << 20
_BATCH = 10  # messages of one call, the maximum of SQS
_MISSING = ("NoSuchKey", "NoSuchVersion", "404")
_REGION = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/.*")


@dataclass(frozen=True, slots=True)
class TrailBucket:
    """Bucket of a trail, and how it is listed.

    Attributes:
        name: Name of the bucket.
        prefix: Beginning of its keys before `AWSLogs/`.
        days: Days that a listing covers; 0 for no listing.
    """

    name: str
    prefix: str = ""
    days: int = 0


def read_queue(
    url: str, bucket: TrailBucket, context: EventContext
) -> Iterator[EventBatch]:
    """Yield the records of the objects that the messages of a queue name.

    Args:
        url: URL of the queue.
        bucket: Bucket of the trail.
        context: Context with limits, and the cursor of the source.

    Raises:
        EnvironmentFailure: The queue cannot be read.
    """
    try:
        reader = _QueueReader(url, bucket, context)
        yield from reader.read_batches()
        yield from reader.read_unannounced_objects()
    except (BotoCoreError, ClientError, ValueError) as error:
        raise_if_expired(error)
        raise EnvironmentFailure(
            f"the queue cannot be read (got {error_code(error)})",
            "check the credentials, and sqs:ReceiveMessage and sqs:GetQueueAttributes",
        ) from None


class _QueueReader:
    """Reader of one queue, for one run."""

    def __init__(self, url: str, bucket: TrailBucket, context: EventContext) -> None:
        named = _REGION.fullmatch(url)
        aws = SyncContext(
            now=0, fingerprint=str, region=named.group(1) if named else ""
        )
        session = open_session(aws)
        region = resolve_region(session, aws) or DEFAULT_REGION
        self._sqs: Any = open_client(session, "sqs", region, aws)
        self._s3: Any = open_client(session, "s3", region, aws)
        self._url, self._bucket, self._context = url, bucket.name, context
        self._trail = bucket
        self._read: dict[str, FilePosition] = {}
        self._place = f"sqs:{url.rpartition('/')[2]}"
        self._done: list[str] = []
        context.on_sealed.append(self._delete_messages)

    def read_batches(self) -> Iterator[EventBatch]:
        """Yield the batches of all messages that are visible now, up to a maximum."""
        attributes = self._sqs.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["VisibilityTimeout"]
        )["Attributes"]
        # The rest of the timeout is for sealing.
        seconds = max(1.0, int(attributes["VisibilityTimeout"]) / 2)
        until, count = time.monotonic() + seconds, 0
        while count < MAX_MESSAGES and time.monotonic() < until:
            messages = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH,
                WaitTimeSeconds=WAIT_SECONDS,
                AttributeNames=["ApproximateReceiveCount"],
            ).get("Messages", [])
            if not messages:
                return
            count += len(messages)
            for message in messages:
                yield from self._read_message(message)

    def read_unannounced_objects(self) -> Iterator[EventBatch]:
        """Yield the records of listed objects that no notification named.

        The listing is repeated after a day. Its problem is one of the run.
        """
        cursor, now = self._context.cursor, self._context.now
        if not self._trail.days or cursor is None:
            return
        last = cursor.get(LAST_LISTING, FilePosition(0)).offset
        kept = {**cursor, **self._read, LAST_LISTING: FilePosition(0, offset=last)}
        if now - last >= INTERVAL:
            kept = {LAST_LISTING: FilePosition(0, offset=now)}
            listed = list_recent_log_files(
                self._s3, self._bucket, self._trail.prefix, self._trail.days, now
            )
            try:
                for each in listed:
                    known = self._read.get(each.named.key) or cursor.get(each.named.key)
                    is_read = known is not None and known.digest == each.version
                    if not is_read:
                        yield from self._read_object(each.named, each.named.key, 1)
                        known = self._read.get(each.named.key)
                    if known is not None:
                        kept[each.named.key] = known
            except (BotoCoreError, ClientError) as error:
                raise_if_expired(error)
                what = f"the bucket cannot be listed (got {error_code(error)})"
                yield self._make_batch(self._place, what)
                kept = {**cursor, **self._read}
        yield replace(self._make_batch(), positions=kept)

    def _read_message(self, message: dict[str, Any]) -> Iterator[EventBatch]:
        """Yield the batches of one message; a poison message is quarantined."""
        body = message["Body"]
        receives = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))
        is_done = True
        try:
            for each in parse_notification(body):
                if each.bucket != self._bucket:
                    yield self._build_quarantined_batch(
                        body, "the notification names another bucket"
                    )
                elif not each.account:
                    yield self._make_batch(skipped=("not a CloudTrail log file",))
                else:
                    is_read = yield from self._read_object(each, body, receives)
                    is_done = is_done and is_read
        except NotificationError as error:
            yield self._build_quarantined_batch(body, str(error))
        if is_done:
            self._done.append(message["ReceiptHandle"])

    def _read_object(
        self, named: LogObject, body: str, receives: int
    ) -> Generator[EventBatch, None, bool]:
        """Yield the batches of one object; return False if it is to be read again."""
        place = f"s3://{named.bucket}/{named.key}"
        version = {"VersionId": named.version} if named.version else {}
        with tempfile.NamedTemporaryFile() as file:
            try:
                answer = self._s3.get_object(
                    Bucket=named.bucket, Key=named.key, **version
                )
                if answer["ContentLength"] > MAX_OBJECT:
                    what = f"its object is larger than {MAX_OBJECT} bytes"
                    yield self._build_quarantined_batch(body, what)
                    return True
                for chunk in answer["Body"].iter_chunks(_CHUNK):
                    file.write(chunk)
            except (BotoCoreError, ClientError) as error:
                raise_if_expired(error)
                code = error_code(error)
                if code in _MISSING and receives >= MAX_RECEIVES:
                    yield self._build_quarantined_batch(
                        body, f"its object is missing ({code})"
                    )
                    return True
                yield self._make_batch(place, f"cannot be read (got {code})")
                return False
            file.flush()
            others, is_damaged = 0, False
            for batch in read_downloaded_file(FORMAT, file.name, place, self._context):
                others += sum(
                    each.scope not in ("", named.account) for each in batch.events
                )
                is_damaged = is_damaged or any(
                    each.kind is ReadProblemKind.UNREADABLE for each in batch.problems
                )
                yield batch
        if is_damaged:
            yield self._build_quarantined_batch(body, "its object cannot be read")
        if others:
            what = f"{others} records belong to another account than their file"
            yield self._make_batch(place, what)
        self._read[named.key] = FilePosition(0, digest=answer["ETag"].strip('"'))
        return True

    def _build_quarantined_batch(self, body: str, reason: str) -> EventBatch:
        """Build the batch of a message that is not read again."""
        record = build_quarantined_record(FORMAT, body.encode(), reason, self._place, 0)
        return self._make_batch(self._place, reason, (record,))

    def _make_batch(
        self,
        place: str = "",
        problem: str = "",
        quarantined: tuple[QuarantinedRecord, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> EventBatch:
        """Build a batch without events."""
        kind = ReadProblemKind.INVALID if quarantined else ReadProblemKind.UNREADABLE
        return EventBatch(
            place=place,
            events=(),
            quarantined=quarantined,
            done_bytes=0,
            total_bytes=0,
            problems=(ReadProblem(kind, place, problem),) if problem else (),
            skipped=skipped,
        )

    def _delete_messages(self) -> None:
        """Delete the messages whose records are sealed."""
        for at in range(0, len(self._done), _BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle}
                for number, handle in enumerate(self._done[at : at + _BATCH])
            ]
            try:
                answer = self._sqs.delete_message_batch(
                    QueueUrl=self._url, Entries=entries
                )
                failed = [each["Code"] for each in answer.get("Failed", ())]
            except (BotoCoreError, ClientError) as error:
                failed = [error_code(error)]
            if failed:
                raise EnvironmentFailure(
                    f"messages cannot be deleted (got {failed[0]}); their records are "
                    "stored",
                    "check sqs:DeleteMessage",
                )
        self._done.clear()
