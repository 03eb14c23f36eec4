"""Parse one CloudTrail record into an audit event, or the reason it is refused."""

from collections.abc import Iterator
from itertools import compress
from typing import cast

import msgspec

from answerable.connectors.cloudtrail.declaration import DECLARATION
from answerable.connectors.cloudtrail.parse.action_names import (
    IAM_ACTION_OF_CALL,
    iam_action_name,
)
from answerable.connectors.cloudtrail.parse.call_effects import (
    CallEffects,
    may_affect_identities,
    parse_call_effects,
)
from answerable.connectors.cloudtrail.parse.caller import CloudTrailCaller
from answerable.connectors.cloudtrail.parse.passed_roles import list_passed_roles
from answerable.connectors.cloudtrail.parse.record_types import (
    NULL,
    CloudTrailRecord,
    IdentityOnlyRecord,
    WrappedRecord,
    split_members,
)
from answerable.connectors.cloudtrail.parse.resources import (
    MAX_ARN_LENGTH,
    derive_resources,
    list_logged_resources,
    parent_of_resource_arn,
)
from answerable.connectors.cloudtrail.parse.user_identity import (
    ParsedUserIdentity,
    derive_caller,
    flag_to_text,
    has_unique_caller_keys,
    parse_user_identity,
)
from answerable.connectors.formats.json_records.record_digest import (
    digest_without_whitespace,
)
from answerable.connectors.formats.json_records.repeated_keys import has_repeated_keys
from answerable.connectors.formats.log_format import (
    EventFactory,
    LogOptions,
    ParsedRecord,
    RecordRefused,
    make_event_from_row,
)
from answerable.connectors.formats.timestamps import parse_instant
from answerable.model.event import EventOutcome
from answerable.model.ids import build_event_id

SOURCE = "cloudtrail"
decode_record = msgspec.json.Decoder(CloudTrailRecord).decode
_IDENTITY_DECODER = msgspec.json.Decoder(IdentityOnlyRecord)
_WRAPPER_DECODER = msgspec.json.Decoder(WrappedRecord)
_LAKE_ROW_DECODER = msgspec.json.Decoder(list[WrappedRecord])
IDENTITY_KEY_BYTES = len(b'"userIdentity":,')
# Records beyond the usual size have their facts cut, never a field of the chain.
MAX_USUAL_BYTES = 16 << 10
MAX_FACT_LENGTH = 256
_DENIED_ERRORS = ("AccessDenied", "UnauthorizedOperation", "UnauthorizedAccess")
_NO_EFFECTS = CallEffects()
# Names of the small facts, sorted; `self:` marks the caller's own words.
_FACT_NAMES = (
    "authenticated_by",
    "authorised_by",
    "category",
    "console",
    "error",
    "event_type",
    "invoked_by",
    "mfa",
    "passed_roles",
    "read_only",
    "region",
    "request_id",
    "self:issued_session_name",
    "self:session_name",
    "self:source_identity",
    "self:user_agent",
    "session_issuer_id",
    "shared_event_id",
    "tls",
    "vpc_endpoint",
)


def parse_record(
    raw: bytes, options: LogOptions, event_factory: EventFactory = make_event_from_row
) -> ParsedRecord:
    """Parse one CloudTrail record into an audit event, or a refusal.

    Args:
        raw: Bytes of the record, or of a wrapper with the record as text.
        options: Unused: the location of a CloudTrail log has no options.
        event_factory: Factory of events from a row of their fields, in order.
    """
    try:
        record = decode_record(raw) if raw[:1] != b"[" else CloudTrailRecord()
    except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
        return RecordRefused(_refusal_reason(refusal))
    if record.event_name and record.event_time and record.event_source:
        return build_event(raw, record, event_factory)
    return _parse_wrapped_record(raw, record, event_factory)


def _refusal_reason(refusal: Exception) -> str:
    """Describe a decoding error; it names types and paths, never values."""
    if isinstance(refusal, msgspec.ValidationError):
        return f"not a CloudTrail record: {refusal}"
    if isinstance(refusal, RecursionError):
        return "the record is nested too deeply"
    return "not JSON"


def _identity_refusal_reason(raw: bytes, refusal: Exception) -> str:
    """Describe an invalid `userIdentity` with its path in the record."""
    try:
        _IDENTITY_DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as placed:
        return _refusal_reason(placed)
    return _refusal_reason(refusal)


def _parse_wrapped_record(
    raw: bytes,
    outer: CloudTrailRecord,
    event_factory: EventFactory,
) -> ParsedRecord:
    """Parse a record inside an EventBridge, Lake or lookup-events entry."""
    try:
        around = (
            _LAKE_ROW_DECODER.decode(raw)
            if raw[:1] == b"["
            else _WRAPPER_DECODER.decode(raw)
        )
        if isinstance(around, list):  # a Lake answer: one object per column
            around = next((each for each in around if each.event_json), WrappedRecord())
        carried = around.carried or around.event_json
        inner = carried.encode() if carried else bytes(around.event_data)
        record = decode_record(inner) if inner != b"null" else outer
    except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
        return RecordRefused(_refusal_reason(refusal))
    if around.digest_start_time is not None:
        return RecordRefused("a CloudTrail digest file, not a log file", skipped=True)
    if around.insight_details != NULL:
        return RecordRefused(
            "a CloudTrail Insights event, not an API call", skipped=True
        )
    if record.event_name and record.event_time and record.event_source:
        return build_event(inner, record, event_factory)
    needed = {
        "eventTime": record.event_time,
        "eventSource": record.event_source,
        "eventName": record.event_name,
    }
    lacks = ", ".join(name for name, value in needed.items() if not value)
    return RecordRefused(f"not a CloudTrail record: it has no {lacks}")


def build_event(
    raw: bytes,
    record: CloudTrailRecord,
    event_factory: EventFactory,
) -> ParsedRecord:
    """Build the audit event of a decoded record."""
    try:
        when = parse_instant(record.event_time or "")
    except ValueError:
        return RecordRefused("not a CloudTrail record: eventTime is not a time")
    element = bytes(record.user_identity)
    try:
        who = parse_user_identity(element)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
        return RecordRefused(_identity_refusal_reason(raw, refusal))
    if _has_ambiguous_caller(raw, element, who):
        return RecordRefused(
            "duplicate key in a JSON object: parsers may disagree on its value"
        )
    caller = derive_caller(record, who)
    if (
        max(len(caller.identity), len(caller.session), len(caller.person))
        > MAX_ARN_LENGTH
    ):
        return RecordRefused("the caller's name exceeds the maximum length of an ARN")
    brought = (
        parse_call_effects(record, caller)
        if may_affect_identities(record)
        else _NO_EFFECTS
    )
    if brought is None:
        return RecordRefused(
            "the response of a call that issues credentials has an unexpected format"
        )
    action = iam_action_name(
        record.event_source or "", (record.event_name or "")[:MAX_ARN_LENGTH]
    )
    touched = list_called_resources(record, action, caller, brought)
    scope = record.recipient_account_id or caller.account
    native = record.event_id.encode() if record.event_id else raw
    # In the order of the fields of `AuditEvent`; a tuple is faster than keywords.
    row = (
        build_event_id(when, SOURCE, scope, native),
        when,
        SOURCE,
        scope,
        DECLARATION.written_by,
        digest_without_whitespace(raw),
        action,
        outcome_of_error(record.error_code),
        record.event_id or "",
        caller.identity,
        caller.session,
        caller.credential,
        caller.person,
        touched[0] if touched else "",
        parent_of_resource_arn(touched[0]) if touched else "",
        tuple(touched[1:]),
        (record.source_ip or "")[:MAX_FACT_LENGTH],
        brought.issued,
        brought.issued_to,
        brought.issued_until,
        brought.created,
        brought.deleted,
        "",  # no mediator decided
        "",
        (),
        collect_event_facts(record, who, action, caller, brought, len(raw)),
    )
    return event_factory(row)


def list_called_resources(
    record: CloudTrailRecord,
    action: str,
    caller: CloudTrailCaller,
    effects: CallEffects,
) -> list[str]:
    """List the resources of a call: created, stated or derived ones."""
    if effects.created or effects.deleted:
        return [effects.created or effects.deleted]
    found = list_logged_resources(record.resources)
    if not found and record.request_parameters != NULL:
        found = derive_resources(
            action.partition(":")[0],
            record.aws_region or "",
            record.recipient_account_id or caller.account,
            split_members(record.request_parameters),
        )
    return found


def outcome_of_error(error: str | None) -> EventOutcome:
    """Return the outcome for an error code: success, denied or error."""
    if not error:
        return EventOutcome.SUCCESS
    return (
        EventOutcome.DENIED
        if any(word in error for word in _DENIED_ERRORS)
        else EventOutcome.ERROR
    )


def collect_event_facts(
    record: CloudTrailRecord,
    user_identity: ParsedUserIdentity,
    action: str,
    caller: CloudTrailCaller,
    effects: CallEffects,
    size: int,
) -> tuple[tuple[str, str], ...]:
    """Collect the facts of the record, in sorted order."""
    tls = record.tls_details
    values = (
        caller.sign_in_method,
        IAM_ACTION_OF_CALL.get(action),
        record.event_category if record.event_category != "Management" else "",
        "true" if record.session_credential_from_console in (True, "true") else "",
        record.error_code,
        record.event_type if record.event_type != "AwsApiCall" else "",
        user_identity.identity.invoked_by,
        user_identity.mfa,
        " ".join(
            list_passed_roles(
                action,
                record.request_parameters,
                record.recipient_account_id or caller.account,
            )
        ),
        flag_to_text(record.read_only),
        record.aws_region,
        record.request_id,
        effects.session_name,
        caller.session_name,
        effects.source_identity or user_identity.source_identity,
        record.user_agent,
        user_identity.issuer_id,
        record.shared_event_id,
        tls.tls_version if tls else "",
        record.vpc_endpoint_id,
    )
    said = cast("Iterator[str]", compress(values, values))
    pairs = tuple(zip(compress(_FACT_NAMES, values), said, strict=True))
    if size > MAX_USUAL_BYTES:
        return tuple((key, value[:MAX_FACT_LENGTH]) for key, value in pairs)
    return pairs


def _has_ambiguous_caller(
    raw: bytes, element: bytes, user_identity: ParsedUserIdentity
) -> bool:
    """Return whether a key that determines the caller is repeated.

    Two parsers of such a record could see different callers. A count is fast; if a key
    may be repeated or escaped, a slow strict parse decides.
    """
    begins = raw.find(b'"userIdentity"')
    ends = raw.find(b'"eventTime"', begins)
    # In CloudTrail's own order and spelling nothing but the element is in between.
    if ends - begins == len(element) + IDENTITY_KEY_BYTES:
        plain = user_identity.has_unique_keys
    else:
        plain = has_unique_caller_keys(raw[begins:ends], user_identity.identity)
    if (
        not plain
        or raw.find(b'"userIdentity"', begins + 1) >= 0
        or raw.find(b'"eventTime"', 0, max(begins, 0)) >= 0
        or raw.find(b'"eventTime"', ends + 1) >= 0
        or (b"\\" in raw and b"\\u00" in raw)
    ):
        return has_repeated_keys(raw)
    return False
