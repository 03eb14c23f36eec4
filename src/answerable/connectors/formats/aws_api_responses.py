"""Parse a file of AWS API responses: one object, an array, JSON lines or pages.

`aws ... > FILE` writes one JSON document; people append pages to it, wrap them in an
array, or write one per line. All of these are read as the same sequence of objects.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from answerable.model.errors import ParseError, UsageError
from answerable.model.time_units import EPOCH, LAST_TIME_NS

AnswerFields = dict[str, msgspec.Raw]
AwsTimestamp = str | float | int | None

# Everything that a typed decoder raises over hostile bytes.
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# Codes of errors that mean "you may not": as the API has them, or as the CLI prints them.
ACCESS_DENIED_CODES = frozenset(
    [
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnauthorizedOperation",
    ]
)

_HINT = "expected what the AWS CLI prints with --output json"

# A field that gives a document away, what the document is, and where it belongs.
_RESOURCE_ANSWERS = "responses about AWS resources"
_KINDS = (
    ("UserDetailList", "account authorization details", "aws:FILE"),
    ("RoleDetailList", "account authorization details", "aws:FILE"),
    ("GroupDetailList", "account authorization details", "aws:FILE"),
    ("AccessKeyMetadata", "output of list-access-keys", "aws-keys:FILE"),
    ("GeneratedTime", "a credential report, which contains no key ids", ""),
    ("Records", "CloudTrail records", "cloudtrail:FILE (with `answerable ingest`)"),
    ("Organization", "output of AWS Organizations", "aws-org:FILE"),
    ("Roots", "output of AWS Organizations", "aws-org:FILE"),
    ("Accounts", "output of AWS Organizations", "aws-org:FILE"),
    ("BucketPolicy", _RESOURCE_ANSWERS, "aws-resources:FILE"),
    ("Buckets", _RESOURCE_ANSWERS, "aws-resources:FILE"),
    ("KeyPolicy", _RESOURCE_ANSWERS, "aws-resources:FILE"),
    ("Functions", _RESOURCE_ANSWERS, "aws-resources:FILE"),
    ("QueueAttributes", _RESOURCE_ANSWERS, "aws-resources:FILE"),
    ("SecretList", _RESOURCE_ANSWERS, "aws-resources:FILE"),
    ("ResourceTagMappingList", _RESOURCE_ANSWERS, "aws-resources:FILE"),
    ("ResourcePolicy", _RESOURCE_ANSWERS, "aws-resources:FILE"),
    ("Statement", "a single policy document", ""),
    ("mcpServers", "an agent client's configuration", "home:DIR or repo:DIR"),
)


@dataclass(frozen=True, slots=True)
class AwsAnswer:
    """JSON object of an answer file.

    Attributes:
        pointer: Place in the file: empty for a single one, else `/N`.
        fields: Its fields, undecoded.
    """

    pointer: str
    fields: AnswerFields


def parse_aws_answers(data: bytes, place: str) -> tuple[AwsAnswer, ...]:
    """Parse every object of a file, in file order.

    Args:
        data: The whole file; UTF-8, or UTF-16 with its mark (as PowerShell writes).
        place: File, for messages.

    Raises:
        ParseError: The bytes are not JSON objects; names the offset.
    """
    data = _to_utf8(data, place)
    if not data.strip():
        raise _parse_error("the file is empty", place)
    try:
        msgspec.json.decode(data, type=msgspec.Raw)  # not kept: a copy is as large
        whole: bytes | None = data
    except RecursionError:
        raise _parse_error("the JSON is nested too deeply", place) from None
    except DECODE_ERRORS:
        whole = None
    texts = _split_documents(data, place) if whole is None else (whole,)
    found = [fields for text in texts for fields in _decode_objects(text, place)]
    if not found:
        raise _parse_error("the file contains no API response", place)
    if len(found) == 1:
        return (AwsAnswer("", found[0]),)
    return tuple(AwsAnswer(f"/{index}", fields) for index, fields in enumerate(found))


def wrong_kind_error(answer: Collection[str], place: str, expected: str) -> UsageError:
    """Build the error for a document of another kind, with its proper source.

    Args:
        answer: Field names of the document.
        place: File.
        expected: Expected kind, e.g. `account authorization details`.
    """
    for field, what, belongs in _KINDS:
        if field in answer and what != expected:
            hint = f"pass it as {belongs}" if belongs else f"expected {expected}"
            return UsageError(f"{place} contains {what}, not {expected}", hint)
    return UsageError(f"{place} does not contain {expected}", "see docs/aws.md")


def is_credential_report(data: bytes) -> bool:
    """Return whether the bytes are the CSV of an IAM credential report."""
    return data.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"user,arn,user_creation_time")


def parse_timestamp_ns(timestamp: AwsTimestamp) -> int:
    """Parse a time of an AWS answer to UTC nanoseconds; 0 for none.

    A time after the year 2262 means that a key does not expire, and is 0, too.
    Accepts ISO 8601 (the CLI's default) and seconds since 1970 (the API's own).
    """
    try:
        if isinstance(timestamp, str):
            moment = datetime.fromisoformat(timestamp.strip())
        else:
            moment = datetime.fromtimestamp(timestamp or 0, tz=UTC)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        passed = moment - EPOCH
    except (ValueError, OverflowError, OSError):
        return 0
    seconds = passed.days * 86_400 + passed.seconds
    time = seconds * 1_000_000_000 + passed.microseconds * 1000
    return time if 0 <= time <= LAST_TIME_NS else 0


def describe_decode_error(error: Exception) -> str:
    """Describe a decoding error in one line, without values."""
    if isinstance(error, UnicodeDecodeError):
        return "the text is not UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error).split("\n", 1)[0][:200]


def _parse_error(message: str, place: str, offset: int = -1) -> ParseError:
    """Build the parse error of a place in the file."""
    error = ParseError(message, place, offset)
    error.hint = _HINT
    return error


def _to_utf8(data: bytes, place: str) -> bytes:
    """Convert UTF-16 to UTF-8, and remove a byte order mark."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16").encode()
        except UnicodeError:
            raise _parse_error("the file is truncated UTF-16 text", place) from None
    return data.removeprefix(b"\xef\xbb\xbf")


def _decode_objects(text: bytes, place: str) -> list[AnswerFields]:
    """Decode one JSON document: an object, or an array of objects."""
    try:
        whole = msgspec.json.decode(text, type=AnswerFields | list[AnswerFields])
    except DECODE_ERRORS as error:
        why = f"not a response of the AWS API: {describe_decode_error(error)}"
        raise _parse_error(why, place) from None
    return whole if isinstance(whole, list) else [whole]


def _split_documents(data: bytes, place: str) -> Iterator[bytes]:
    """Split concatenated documents; the error gives the offset of invalid JSON."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _parse_error("the file is not UTF-8", place, error.start) from None
    decoder = json.JSONDecoder()
    at = _skip_whitespace(text, 0)
    while at < len(text):
        try:
            _, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            why = error.msg.removesuffix(" at")
            raise _parse_error(f"not JSON: {why}", place, error.pos) from None
        except (RecursionError, ValueError):
            raise _parse_error("the JSON cannot be read", place, at) from None
        yield text[at:end].encode()
        at = _skip_whitespace(text, end)


def _skip_whitespace(text: str, start: int) -> int:
    """Return the index after white space."""
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start
