"""Parse blocks of CloudTrail records: what records repeat is derived once, and cached.

Callers, kinds of calls and resources repeat from record to record, so that a usual record
costs one look-up of each. Any other record takes the way of `parse_record`; both ways
give the same event.
"""

from collections.abc import Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from answerable.connectors.cloudtrail.declaration import DECLARATION
from answerable.connectors.cloudtrail.parse.action_names import iam_action_name
from answerable.connectors.cloudtrail.parse.call_effects import (
    CallEffects,
    may_affect_identities,
    parse_call_effects,
)
from answerable.connectors.cloudtrail.parse.caller import CloudTrailCaller
from answerable.connectors.cloudtrail.parse.passed_roles import may_pass_roles
from answerable.connectors.cloudtrail.parse.record_types import (
    NULL,
    CloudTrailRecord,
    ResourceEntry,
)
from answerable.connectors.cloudtrail.parse.records import (
    IDENTITY_KEY_BYTES,
    MAX_FACT_LENGTH,
    MAX_USUAL_BYTES,
    SOURCE,
    build_event,
    collect_event_facts,
    decode_record,
    list_called_resources,
    outcome_of_error,
    parse_record,
)
from answerable.connectors.cloudtrail.parse.resources import (
    MAX_ARN_LENGTH,
    parent_of_resource_arn,
)
from answerable.connectors.cloudtrail.parse.user_identity import (
    ParsedUserIdentity,
    parse_user_identity,
)
from answerable.connectors.formats.json_records.record_digest import (
    HEAD_BYTES,
    digest_without_whitespace,
)
from answerable.connectors.formats.log_format import (
    EventFactory,
    LogOptions,
    ParsedRecord,
)
from answerable.connectors.formats.timestamps import parse_instant
from answerable.model.event import EventOutcome
from answerable.model.ids import build_event_id

Facts = tuple[tuple[str, str], ...]

_MAX_CACHED = 8_000
_MAX_KEY_BYTES = 2048  # a longer value is derived each time: what is kept stays small
_NO_EFFECTS = CallEffects()
_WRITTEN_BY = DECLARATION.written_by
_NONE: tuple[str, str, tuple[str, ...]] = ("", "", ())
_REQUEST, _CHOSEN, _ISSUER = "request_id", "self:", "session_issuer_id"
_ISSUED_SESSION_NAME = "self:issued_session_name"  # the first that a caller chooses
_CALL_MEMBERS = (
    "event_source",
    "event_name",
    "event_category",
    "session_credential_from_console",
    "error_code",
    "event_type",
    "read_only",
    "aws_region",
    "user_agent",
    "vpc_endpoint_id",
    "tls_details",
)
_get_call_members = attrgetter(*_CALL_MEMBERS)


class _KnownCaller(NamedTuple):
    """Caller of a `userIdentity` that decides it alone.

    Attributes:
        caller: The caller.
        identity: The element as parsed.
        kind: Values of its facts that few callers differ in.
        chosen: Facts that the caller chose.
        issuer: Fact of the issuer of its session.
        is_compact: It has as many bytes without white space as tell a compact record.
    """

    caller: CloudTrailCaller
    identity: ParsedUserIdentity
    kind: tuple[str, str, str]
    chosen: Facts
    issuer: Facts
    is_compact: bool


class _KnownCall(NamedTuple):
    """Kind of a call: the fields and facts that its members decide.

    Attributes:
        action: Its action.
        outcome: Its outcome.
        first: Facts before the request id.
        agent: Facts after those that the caller chose.
        last: Facts after the issuer of the session.
        has_effects: It may issue a credential, or create or delete an identity.
    """

    action: str
    outcome: EventOutcome
    first: Facts
    agent: Facts
    last: Facts
    has_effects: bool


_callers: dict[bytes, _KnownCaller | None] = {}
_calls: dict[tuple[object, ...], _KnownCall | None] = {}
_parents: dict[str, str] = {}
_heads: set[bytes] = set()  # usual bytes of a record before its caller


def parse_record_block(
    raws: Sequence[bytes], options: LogOptions, event_factory: EventFactory
) -> list[ParsedRecord]:
    """Parse CloudTrail records, each to what `parse_record` gives for it.

    Args:
        raws: Records.
        options: Unused, as in `parse_record`.
        event_factory: Factory of events from a row of their fields, in order.
    """
    found: list[ParsedRecord] = []
    add = found.append
    for raw in raws:
        try:
            record = decode_record(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            add(parse_record(raw, options, event_factory))
            continue
        row = _build_usual_row(raw, record)
        if row is not None:
            add(event_factory(row))
        elif record.event_name and record.event_time and record.event_source:
            add(build_event(raw, record, event_factory))
        else:
            add(parse_record(raw, options, event_factory))
    return found


def _build_usual_row(raw: bytes, record: CloudTrailRecord) -> tuple[Any, ...] | None:
    """Build the row of a usual record; None for any other."""
    element = bytes(record.user_identity)
    known = _callers.get(element)
    if known is None:
        known = _learn_caller(element)
    if (
        known is None
        or not record.event_time
        or record.shared_event_id
        or len(raw) > MAX_USUAL_BYTES
    ):
        return None
    # In CloudTrail's own order and spelling, each key once (`_has_ambiguous_caller`):
    # searched from the end, which takes half the time.
    begins = raw.rfind(b'"userIdentity"')
    ends = begins + len(element) + IDENTITY_KEY_BYTES
    if (
        raw.rfind(b'"eventTime"') != ends
        or (raw[:begins] not in _heads and not _learn_head(raw[:begins]))
        or (b"\\" in raw and b"\\u00" in raw)
    ):
        return None
    caller, _, kind, chosen, issuer, is_compact = known
    key = (kind, *_get_call_members(record))
    try:
        call = _calls[key]
    except KeyError:
        call = _learn_call(key, record, known)
    if call is None:
        return None
    try:
        when = parse_instant(record.event_time)
    except ValueError:
        return None
    effects = _NO_EFFECTS
    if call.has_effects:
        brought = parse_call_effects(record, caller)
        if brought is None or brought.source_identity:
            return None
        effects = brought
        if effects.session_name:
            chosen = ((_ISSUED_SESSION_NAME, effects.session_name), *chosen)
    resource, parent, others = _find_resources(record, call.action, caller, effects)
    scope = record.recipient_account_id or caller.account
    native = record.event_id or ""
    request = record.request_id
    return (
        build_event_id(when, SOURCE, scope, native.encode() if native else raw),
        when,
        SOURCE,
        scope,
        _WRITTEN_BY,
        sha256(raw).digest() if is_compact else digest_without_whitespace(raw),
        call.action,
        call.outcome,
        native,
        caller.identity,
        caller.session,
        caller.credential,
        caller.person,
        resource,
        parent,
        others,
        (record.source_ip or "")[:MAX_FACT_LENGTH],
        effects.issued,
        effects.issued_to,
        effects.issued_until,
        effects.created,
        effects.deleted,
        "",  # no mediator decided
        "",
        (),
        (*call.first, (_REQUEST, request), *chosen, *call.agent, *issuer, *call.last)
        if request
        else (*call.first, *chosen, *call.agent, *issuer, *call.last),
    )


def _learn_caller(element: bytes) -> _KnownCaller | None:
    """Parse a `userIdentity`, and keep its caller; None if the rest of a record counts."""
    if element in _callers or len(element) > _MAX_KEY_BYTES:
        return None
    try:
        who = parse_user_identity(element)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    known, caller = None, who.caller
    if (
        caller is not None
        and who.has_unique_keys
        and max(len(caller.identity), len(caller.session), len(caller.person))
        <= MAX_ARN_LENGTH
        and b'"eventTime"' not in element
        and b'"userIdentity"' not in element
    ):
        facts = collect_event_facts(CloudTrailRecord(), who, "", caller, _NO_EFFECTS, 0)
        known = _KnownCaller(
            caller,
            who,
            (caller.sign_in_method, who.identity.invoked_by or "", who.mfa),
            tuple(pair for pair in facts if pair[0].startswith(_CHOSEN)),
            tuple(pair for pair in facts if pair[0] == _ISSUER),
            len(element) >= HEAD_BYTES and not _has_white_space(element[:HEAD_BYTES]),
        )
    if len(_callers) >= _MAX_CACHED:
        _callers.clear()
    _callers[element] = known
    return known


def _learn_call(
    key: tuple[object, ...], record: CloudTrailRecord, known: _KnownCaller
) -> _KnownCall | None:
    """Derive what the members of a call decide; None if the rest of a record counts."""
    action = iam_action_name(
        record.event_source or "", (record.event_name or "")[:MAX_ARN_LENGTH]
    )
    call = None
    if (
        record.event_name
        and record.event_source
        and record.event_name != "ConsoleLogin"
        and record.event_type != "AwsServiceEvent"
        and not may_pass_roles(action)
    ):
        facts = collect_event_facts(
            record, known.identity, action, known.caller, _NO_EFFECTS, 0
        )
        rest = [each for each in facts if each not in known.chosen]
        call = _KnownCall(
            action,
            outcome_of_error(record.error_code),
            tuple(each for each in rest if each[0] < _REQUEST),
            tuple(each for each in rest if _REQUEST < each[0] < _ISSUER),
            tuple(each for each in rest if each[0] > _ISSUER),
            may_affect_identities(record),
        )
    if sum(len(each) for each in key if isinstance(each, str)) <= _MAX_KEY_BYTES:
        if len(_calls) >= _MAX_CACHED:
            _calls.clear()
        _calls[key] = call
    return call


def _find_resources(
    record: CloudTrailRecord,
    action: str,
    caller: CloudTrailCaller,
    effects: CallEffects,
) -> tuple[str, str, tuple[str, ...]]:
    """Return the first resource of a call with its parent, and the others."""
    listed = record.resources
    if changed := effects.created or effects.deleted:
        return changed, _find_parent(changed), ()
    if listed:
        if len(listed) == 1 and isinstance(only := listed[0], ResourceEntry):
            arn = only.listed_arn or only.arn
            if arn and len(arn) <= MAX_ARN_LENGTH:
                return arn, _parents.get(arn) or _find_parent(arn), ()
    elif record.request_parameters == NULL:
        return _NONE
    found = list_called_resources(record, action, caller, effects)
    return (found[0], _find_parent(found[0]), tuple(found[1:])) if found else _NONE


def _find_parent(resource: str) -> str:
    """Return the parent of a resource, derived once."""
    parent = _parents.get(resource)
    if parent is None:
        if len(_parents) >= _MAX_CACHED:
            _parents.clear()
        parent = _parents[resource] = parent_of_resource_arn(resource)
    return parent


def _learn_head(head: bytes) -> bool:
    """Keep the bytes of a record before its caller; False if they are not usual."""
    if (
        len(head) > HEAD_BYTES
        or _has_white_space(head)
        or b'"userIdentity"' in head
        or b'"eventTime"' in head
    ):
        return False
    if len(_heads) >= _MAX_CACHED:
        _heads.clear()
    _heads.add(head)
    return True


def _has_white_space(text: bytes) -> bool:
    """Return whether a text has white space, within values or between them."""
    return b" " in text or b"\n" in text
