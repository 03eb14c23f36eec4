"""Parse model invocation logs of Amazon Bedrock, without prompts and answers.

Source: Amazon Bedrock User Guide, "Monitor model invocation using CloudWatch Logs and
Amazon S3" (docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html):
`schemaType` is `ModelInvocationLog`; `identity.arn` is the caller; `requestMetadata` is
what the caller wrote. Only calls of `bedrock-runtime` are logged. `requestId` is the
`requestID` of the CloudTrail record of the same call.
"""

import re

import msgspec

from answerable.connectors.bedrock.declaration import DECLARATION
from answerable.connectors.formats.log_entry import LogEntry, build_record_parser
from answerable.connectors.formats.log_format import (
    LogFormat,
    LogOptions,
    RecordRefused,
)
from answerable.model.event import EventOutcome

_SESSION_ARN = re.compile(r"arn:([a-z-]+):sts::(\d{12}):assumed-role/([^/]+)/(.+)")


class _InvocationCaller(msgspec.Struct):
    arn: str | None = None


class _Tokens(msgspec.Struct, rename="camel"):
    input_token_count: int | None = None
    output_token_count: int | None = None


class BedrockRecord(msgspec.Struct, rename="camel"):
    """Invocation log, with only the fields that are read."""

    schema_type: str | None = None
    timestamp: str | None = None
    account_id: str | None = None
    region: str | None = None
    identity: _InvocationCaller | None = None
    request_id: str | None = None
    operation: str | None = None
    model_id: str | None = None
    error_code: str | None = None
    input: _Tokens | None = None
    output: _Tokens | None = None
    request_metadata: dict[str, str | None] | None = None


def _read_record(
    record: BedrockRecord, options: LogOptions
) -> LogEntry | RecordRefused:
    """Map a record to its entry, or refuse it."""
    if record.schema_type != "ModelInvocationLog" or not record.operation:
        return RecordRefused("not a Bedrock invocation log: it has no such schemaType")
    arn = (record.identity.arn if record.identity else "") or ""
    session = _SESSION_ARN.fullmatch(arn)
    said = record.request_metadata or {}
    return LogEntry(
        time=record.timestamp,
        action=f"bedrock:{record.operation}",
        outcome=_get_outcome(record.error_code),
        native_id=record.request_id or "",
        scope=record.account_id or "",
        identity=f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}"
        if session
        else arn,
        session=arn if session else "",
        resources=[record.model_id] if record.model_id else [],
        facts={
            "error": record.error_code,
            "input_tokens": _get_count(record.input, "input_token_count"),
            "output_tokens": _get_count(record.output, "output_token_count"),
            "region": record.region,
            "request_id": record.request_id,
            **{f"self:metadata:{name[:64]}": said[name] for name in sorted(said)[:16]},
        },
    )


def _get_count(tokens: _Tokens | None, name: str) -> str:
    """Return a number of tokens as text; empty if it is not logged."""
    count = getattr(tokens, name) if tokens else None
    return str(count) if count else ""


def _get_outcome(error: str | None) -> EventOutcome:
    """Return the outcome of an error code."""
    if not error:
        return EventOutcome.SUCCESS
    denied = "AccessDenied" in error
    return EventOutcome.DENIED if denied else EventOutcome.ERROR


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "Bedrock invocation",
    build_record_parser(DECLARATION, BedrockRecord, _read_record, ("identity",)),
    content_members=(b'"input":', b'"output":'),
)
