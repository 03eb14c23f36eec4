"""Parse notifications of new log files: which object of which bucket to read.

Sources: Amazon S3, "Event message structure" (the key is URL-encoded; `s3:TestEvent` has
no records) and "EventBridge event message structure" (the key is not encoded); Amazon
SNS, "Parsing message formats" (a notification wraps a message); AWS CloudTrail,
"Configuring Amazon SNS notifications for CloudTrail" (`s3Bucket`, `s3ObjectKey`).
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

import msgspec

MAX_OBJECTS = 1000  # of one notification
_LOG_KEY = re.compile(
    r"(?:.*/)?AWSLogs/(?:o-[a-z0-9]+/)?(?P<account>\d{12})/CloudTrail/"
    r"[a-z0-9-]+/\d{4}/\d{2}/\d{2}/[^/]+\.json(?:\.gz)?"
)


class NotificationError(ValueError):
    """Unknown notification; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class LogObject:
    """Object of a bucket.

    Attributes:
        bucket: Name of the bucket.
        key: Key of the object.
        version: Version of the object; empty in a bucket without versions.
    """

    bucket: str
    key: str
    version: str = ""

    @property
    def account(self) -> str:
        """Return the account of a CloudTrail log file; empty for another object."""
        found = _LOG_KEY.fullmatch(self.key)
        return found["account"] if found else ""


class _Name(msgspec.Struct):
    name: str


class _S3Object(msgspec.Struct, rename={"version": "versionId"}):
    key: str
    version: str | None = None


class _S3Entity(msgspec.Struct):
    bucket: _Name
    object: _S3Object


class _S3Record(msgspec.Struct):
    s3: _S3Entity


class _BridgeObject(msgspec.Struct, rename={"version": "version-id"}):
    key: str
    version: str | None = None


class _BridgeDetail(msgspec.Struct):
    bucket: _Name
    object: _BridgeObject


class _Notification(
    msgspec.Struct,
    rename={
        "records": "Records",
        "message": "Message",
        "event": "Event",
        "bucket": "s3Bucket",
        "keys": "s3ObjectKey",
    },
):
    """Members of all four forms."""

    records: list[_S3Record] | None = None
    message: str | None = None
    event: str | None = None
    bucket: str | None = None
    keys: list[str] | None = None
    detail: _BridgeDetail | None = None


_NOTIFICATIONS = msgspec.json.Decoder(_Notification)


def parse_notification(body: str, *, is_wrapped: bool = False) -> tuple[LogObject, ...]:
    """Return the objects of a notification; empty for `s3:TestEvent`.

    Args:
        body: Body of the message.
        is_wrapped: It is the message of an SNS notification.

    Raises:
        NotificationError: It is none of the known forms.
    """
    try:
        found = _NOTIFICATIONS.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise NotificationError("not a notification of a new object") from None
    if found.message is not None and not is_wrapped:
        return parse_notification(found.message, is_wrapped=True)
    objects: list[LogObject] = []
    if found.records is not None:
        objects += [
            LogObject(
                each.s3.bucket.name,
                unquote_plus(each.s3.object.key),
                each.s3.object.version or "",
            )
            for each in found.records
        ]
    elif found.bucket and found.keys is not None:
        objects += [LogObject(found.bucket, key) for key in found.keys]
    elif found.detail is not None:
        object_ = found.detail.object
        objects.append(
            LogObject(found.detail.bucket.name, object_.key, object_.version or "")
        )
    elif found.event != "s3:TestEvent":
        raise NotificationError("not a notification of a new object")
    if len(objects) > MAX_OBJECTS:
        raise NotificationError(f"it names more than {MAX_OBJECTS} objects")
    return tuple(objects)
