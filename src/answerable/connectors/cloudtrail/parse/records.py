"""Parser from a CloudTrail record to an audit event, or a refusal reason."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress

import msgspec

from answerable.connectors.cloudtrail.parse.action_names import AUTHORISED_BY, action_of
from answerable.connectors.cloudtrail.parse.call_effects import (
    Outcomes,
    concerns,
    outcomes_of,
)
from answerable.connectors.cloudtrail.parse.caller import Caller
from answerable.connectors.cloudtrail.parse.record_types import (
    NULL,
    Identified,
    Record,
    Wrapped,
    members,
)
from answerable.connectors.cloudtrail.parse.resources import (
    LONGEST,
    derived,
    prefix_of,
    stated,
)
from answerable.connectors.cloudtrail.parse.timestamps import instant
from answerable.connectors.cloudtrail.parse.user_identity import (
    Who,
    called,
    is_plain,
    who_of,
    word,
)
from answerable.model.event import AuditEvent, Outcome
from answerable.model.ids import event_id
from answerable.model.provenance import WrittenBy

SOURCE = "cloudtrail"
_RECORD = msgspec.json.Decoder(Record)
_IDENTIFIED = msgspec.json.Decoder(Identified)
_WRAPPED = msgspec.json.Decoder(Wrapped)
_ROW = msgspec.json.Decoder(list[Wrapped])
_AROUND = len(b'"userIdentity":,')
# Records beyond the usual size have their facts cut, never a field of the chain.
_USUAL = 16 << 10
_FACT = 256
_DENIED = ("AccessDenied", "UnauthorizedOperation", "UnauthorizedAccess")
_NO_OUTCOMES = Outcomes()
# Names of the small facts, sorted; `self:` marks the caller's own words.
_KEYS = (
    "authenticated_by",
    "authorised_by",
    "category",
    "console",
    "error",
    "event_type",
    "invoked_by",
    "mfa",
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


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused record with its reason.

    Attributes:
        why: Reason, without any value of the record.
        skipped: True if it is well-formed but not an audit record.
    """

    why: str
    skipped: bool = False


Outcomed = AuditEvent | Refused


Make = Callable[..., AuditEvent]


def read_record(raw: bytes, written_by: WrittenBy, make: Make = AuditEvent) -> Outcomed:
    """Parse one record.

    Args:
        raw: Bytes of the record, or of a wrapper with the record as text.
        written_by: Author class of the connector.
        make: Factory of events from their fields, in order.
    """
    try:
        record = _RECORD.decode(raw) if raw[:1] != b"[" else Record()
    except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
        return Refused(_why(refusal))
    if record.event_name and record.event_time and record.event_source:
        return _event(raw, record, written_by, make)
    return _unwrapped(raw, record, written_by, make)


def _why(refusal: Exception) -> str:
    """Describe a decoding error; it names types and paths, never values."""
    if isinstance(refusal, msgspec.ValidationError):
        return f"not a CloudTrail record: {refusal}"
    if isinstance(refusal, RecursionError):
        return "not read: nested too deep"
    return "not JSON"


def _why_not_identified(raw: bytes, refusal: Exception) -> str:
    try:
        _IDENTIFIED.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as placed:
        return _why(placed)
    return _why(refusal)


def _unwrapped(
    raw: bytes, outer: Record, written_by: WrittenBy, make: Make
) -> Outcomed:
    try:
        around = _ROW.decode(raw) if raw[:1] == b"[" else _WRAPPED.decode(raw)
        if isinstance(around, list):  # a Lake answer: one object per column
            around = next((each for each in around if each.event_json), Wrapped())
        carried = around.carried or around.event_json
        inner = carried.encode() if carried else bytes(around.event_data)
        record = _RECORD.decode(inner) if inner != b"null" else outer
    except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
        return Refused(_why(refusal))
    if around.digest_start_time is not None:
        return Refused("a CloudTrail digest file, no log", skipped=True)
    if around.insight_details != NULL:
        return Refused("a CloudTrail Insights event, no call", skipped=True)
    if record.event_name and record.event_time and record.event_source:
        return _event(inner, record, written_by, make)
    needed = {
        "eventTime": record.event_time,
        "eventSource": record.event_source,
        "eventName": record.event_name,
    }
    lacks = ", ".join(name for name, value in needed.items() if not value)
    return Refused(f"not a CloudTrail record: it lacks {lacks}")


def _event(raw: bytes, record: Record, written_by: WrittenBy, make: Make) -> Outcomed:
    try:
        when = instant(record.event_time or "")
    except ValueError:
        return Refused("not a CloudTrail record: eventTime is no time")
    element = bytes(record.user_identity)
    try:
        who = who_of(element)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
        return Refused(_why_not_identified(raw, refusal))
    if _ambiguous(raw, element, who):
        return Refused("a key is repeated in one object: two parsers could differ")
    caller = called(record, who)
    if max(len(caller.identity), len(caller.session), len(caller.person)) > LONGEST:
        return Refused("the caller's name is longer than any ARN")
    brought = outcomes_of(record, caller) if concerns(record) else _NO_OUTCOMES
    if brought is None:
        return Refused("the answer of an issuing call has an unknown shape")
    action = action_of(record.event_source or "", (record.event_name or "")[:LONGEST])
    touched = _touched(record, action, caller, brought)
    scope = record.recipient_account_id or caller.account
    native = record.event_id.encode() if record.event_id else raw
    # In the order of the fields: rows without names cost less in a process of its own.
    return make(
        event_id(when, SOURCE, scope, native),
        when,
        SOURCE,
        scope,
        written_by,
        _digest(raw),
        action,
        _outcome(record.error_code),
        record.event_id or "",
        caller.identity,
        caller.session,
        caller.credential,
        caller.person,
        touched[0] if touched else "",
        prefix_of(touched[0]) if touched else "",
        tuple(touched[1:]),
        (record.source_ip or "")[:_FACT],
        brought.issued,
        brought.issued_to,
        brought.issued_until,
        brought.created,
        brought.deleted,
        "",  # no mediator decided
        "",
        (),
        _facts(record, who, action, caller, brought, len(raw)),
    )


def _digest(raw: bytes) -> bytes:
    """Hash a record without whitespace between tokens, as CloudTrail delivers it.

    A pretty-printed copy is then no conflict with the original. The first keys show
    whether it was pretty-printed.
    """
    head = raw[:64]
    if b'": ' in head or b"\n" in head or b'" :' in head:
        raw = msgspec.json.format(raw, indent=-1)
    return hashlib.sha256(raw).digest()


def _touched(
    record: Record, action: str, caller: Caller, brought: Outcomes
) -> list[str]:
    if brought.created or brought.deleted:
        return [brought.created or brought.deleted]
    found = stated(record.resources)
    if not found and record.request_parameters != NULL:
        found = derived(
            action.partition(":")[0],
            record.aws_region or "",
            record.recipient_account_id or caller.account,
            members(record.request_parameters),
        )
    return found


def _outcome(error: str | None) -> Outcome:
    if not error:
        return Outcome.SUCCESS
    return Outcome.DENIED if any(word in error for word in _DENIED) else Outcome.ERROR


def _facts(
    record: Record,
    who: Who,
    action: str,
    caller: Caller,
    brought: Outcomes,
    size: int,
) -> tuple[tuple[str, str], ...]:
    """Collect the facts of the record, in sorted order."""
    tls = record.tls_details
    values = (
        caller.by,
        AUTHORISED_BY.get(action),
        record.event_category if record.event_category != "Management" else "",
        "true" if record.session_credential_from_console in (True, "true") else "",
        record.error_code,
        record.event_type if record.event_type != "AwsApiCall" else "",
        who.identity.invoked_by,
        who.mfa,
        word(record.read_only),
        record.aws_region,
        record.request_id,
        brought.session_name,
        caller.session_name,
        brought.source_identity or who.source_identity,
        record.user_agent,
        who.issuer_id,
        record.shared_event_id,
        tls.tls_version if tls else "",
        record.vpc_endpoint_id,
    )
    said = filter(None, values)
    pairs = tuple(zip(compress(_KEYS, values), said, strict=True))
    if size > _USUAL:
        return tuple((key, value[:_FACT]) for key, value in pairs)
    return pairs


def _ambiguous(raw: bytes, element: bytes, who: Who) -> bool:
    """Tell whether a key that determines the caller is repeated.

    Two parsers of such a record could see different callers. A count is fast; if a key
    may be repeated or escaped, a slow strict parse decides.
    """
    begins = raw.find(b'"userIdentity"')
    ends = raw.find(b'"eventTime"', begins)
    # In CloudTrail's own order and spelling nothing but the element is in between.
    if ends - begins == len(element) + _AROUND:
        plain = who.plain
    else:
        plain = is_plain(raw[begins:ends], who.identity)
    if (
        not plain
        or raw.find(b'"userIdentity"', begins + 1) >= 0
        or raw.find(b'"eventTime"', ends + 1) >= 0
        or (b"\\" in raw and b"\\u00" in raw)
    ):
        return _repeats(raw)
    return False


class _RepeatedError(ValueError):
    """Repeated key in one object."""


def _once(pairs: list[tuple[str, object]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        raise _RepeatedError


def _repeats(raw: bytes) -> bool:
    try:
        json.loads(raw, object_pairs_hook=_once)
    except _RepeatedError:
        return True
    except (ValueError, RecursionError):
        return True
    return False
