"""Build audit events from typed records of platform logs, by a small intermediate type.

A source decodes its record into a `msgspec.Struct` and returns a `LogEntry`. The rest is
the same for every source: names that a collector wrote in lower case, repeated keys,
times, digests, ids, and limits of lengths.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from answerable.connectors.formats.json_records.record_digest import (
    digest_without_whitespace,
)
from answerable.connectors.formats.json_records.repeated_keys import has_repeated_keys
from answerable.connectors.formats.log_format import (
    EventFactory,
    LogOptions,
    ParsedRecord,
    RecordParser,
    RecordRefused,
)
from answerable.connectors.formats.timestamps import parse_instant
from answerable.model.connector import ConnectorDeclaration
from answerable.model.delegated_credential import (
    build_delegated_credential_id,
    encode_delegation,
)
from answerable.model.errors import IdError
from answerable.model.event import EventOutcome
from answerable.model.ids import build_event_id, build_person_id
from answerable.model.time_units import SECOND_NS

MAX_ID_LENGTH = 2048
_MAX_FACT_LENGTH = 256
_MAX_RESOURCES = 64
_MAX_INSTANT = 1 << 62
_MILLISECOND = 1_000_000
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Numbers of these sizes are milliseconds and nanoseconds: in the unit before, they lie
# after the year 5138.
_FIRST_MILLISECONDS = 10**11
_FIRST_NANOSECONDS = 10**17

FactPairs = tuple[tuple[str, str], ...]
Time = str | int | float | None
Record = TypeVar("Record", bound=msgspec.Struct)


class LogEntry(msgspec.Struct, gc=False):
    """Content of one record, in the words of an audit event.

    Attributes:
        time: RFC 3339 text, or seconds, milliseconds or nanoseconds since 1970.
        native_id: The source's own id; empty to use the digest of the record.
        scope: Recording account, cluster or organization.
        delegated_by: Identities that the acting identity was impersonated by, origin
            first, as the platform authenticated them.
        credential: Credential used; with `delegated_by` the one of the origin.
        issued_until: Expiry in a form of `time`.
        facts: Small facts; empty values are left out. A tuple is by `list_facts`.
    """

    time: Time
    action: str
    outcome: EventOutcome
    native_id: str = ""
    scope: str = ""
    identity: str = ""
    session: str = ""
    credential: str = ""
    person: str = ""
    resources: Sequence[str] = ()
    source_ip: str = ""
    issued: str = ""
    issued_to: str = ""
    issued_until: Time = None
    created: str = ""
    deleted: str = ""
    delegated_by: Sequence[str] = ()
    facts: "Mapping[str, str | None] | FactPairs" = ()


def build_record_parser(
    declaration: ConnectorDeclaration,
    record_type: type[Record],
    read: Callable[[Record, LogOptions], LogEntry | RecordRefused],
    caller_keys: Sequence[str] = (),
    complete: Callable[[bytes, Record], bytes] | None = None,
) -> RecordParser:
    """Build the parser of a log from the type of its records and their mapping.

    Args:
        declaration: Connector, whose name is the log source.
        record_type: Typed record with optional fields only.
        read: Maps a record to its entry, or refuses it.
        caller_keys: Keys that name the caller; a record that repeats one is refused.
        complete: Adds what one way of delivery leaves out of a record, so that the
            digest is equal for all ways; None if all deliver the same.
    """
    decoder = msgspec.json.Decoder(record_type)
    names = [each.encode_name for each in msgspec.structs.fields(record_type)]
    spellings = {_fold_name(name): name for name in names}
    marks = [f'"{key}"'.encode() for key in caller_keys]
    noun = f"not a record of {declaration.name}"

    def parse(raw: bytes, options: LogOptions, make: EventFactory) -> ParsedRecord:
        try:
            record = decoder.decode(raw)
            entry = read(record, options)
            if isinstance(entry, RecordRefused):
                folded = _restore_key_case(raw, spellings)
                if folded is None:
                    return entry
                record = decoder.decode(folded)
                entry = read(record, options)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
            return RecordRefused(describe_decoding_error(noun, refusal))
        if isinstance(entry, RecordRefused):
            return entry
        for mark in marks:
            if raw.count(mark) > 1 and has_repeated_keys(raw):
                return RecordRefused(
                    "duplicate key in an object: parsers could disagree about its value"
                )
        whole = complete(raw, record) if complete else raw
        return build_event(declaration, whole, entry, make)

    return parse


def _restore_key_case(raw: bytes, spellings: Mapping[str, str]) -> bytes | None:
    """Restore the spelling of top-level keys; None if all are in their own spelling.

    Some collectors write the names of top-level members in lower case, and clients in
    Python with underscores. A record with two spellings of one name stays as it is.
    """
    members = _MEMBERS.decode(raw)
    restored = {
        spellings.get(_fold_name(key), key): raw for key, raw in members.items()
    }
    if restored.keys() == members.keys() or len(restored) < len(members):
        return None
    return msgspec.json.encode(restored)


def _fold_name(name: str) -> str:
    """Fold the spellings of a name: `operation_name`, `OperationName`."""
    return name.lower().replace("_", "")


def describe_decoding_error(noun: str, refusal: Exception) -> str:
    """Describe a decoding error; it names types and paths, never values."""
    if isinstance(refusal, msgspec.ValidationError):
        return f"{noun}: {refusal}"
    if isinstance(refusal, RecursionError):
        return "the record is nested too deeply"
    return "not JSON"


def parse_time(time: Time) -> int:
    """Parse a time of a record to UTC nanoseconds; 0 without a time.

    Raises:
        ValueError: It is not a time, or before 1970.
    """
    if not time:
        return 0
    if isinstance(time, str):
        return parse_instant(time)
    if not 0 < time < _MAX_INSTANT:
        raise ValueError("a time out of range")
    unit = _MILLISECOND if time >= _FIRST_MILLISECONDS else SECOND_NS
    if time >= _FIRST_NANOSECONDS:
        unit = 1
    nanoseconds = int(time * unit)
    if nanoseconds >= _MAX_INSTANT:
        raise ValueError("a time out of range")
    return nanoseconds


def build_event(
    declaration: ConnectorDeclaration, raw: bytes, entry: LogEntry, make: EventFactory
) -> ParsedRecord:
    """Build the audit event of an entry."""
    source = declaration.name
    try:
        when = parse_time(entry.time)
    except (ValueError, OverflowError):
        return RecordRefused(f"not a record of {source}: its time is not a time")
    if not when:
        return RecordRefused(f"not a record of {source}: it has no time")
    facts = entry.facts if isinstance(entry.facts, tuple) else list_facts(entry.facts)
    identity, person, credential = entry.identity, entry.person, entry.credential
    names = f"{entry.action}{identity}{entry.session}{credential}{person}"
    named: Sequence[str] = ()
    # The total is computed faster, and nearly always suffices.
    if len(names) > MAX_ID_LENGTH:
        named = (entry.action, identity, entry.session, credential, person)
    if entry.delegated_by:
        path = (*entry.delegated_by, identity)
        credential = build_delegated_credential_id(path, entry.credential)
        delegation = encode_delegation(entry.delegated_by, entry.credential)
        made = (pair for pair in delegation.items() if pair[1])
        facts = tuple(sorted((*facts, *made)))
        named = (*named, credential, *delegation.values())
    if named and len(max(named, key=len)) > MAX_ID_LENGTH:
        return RecordRefused(f"the caller's name is longer than {MAX_ID_LENGTH}")
    touched = entry.resources
    if touched and (
        len(touched) > _MAX_RESOURCES or len("".join(touched)) > MAX_ID_LENGTH
    ):
        touched = [each[:MAX_ID_LENGTH] for each in touched[:_MAX_RESOURCES]]
    first = touched[0] if touched else ""
    digest = digest_without_whitespace(raw)
    native = entry.native_id.encode() if entry.native_id else digest
    row: tuple[Any, ...] = (
        build_event_id(when, source, entry.scope, native),
        when,
        source,
        entry.scope,
        declaration.written_by,
        digest,
        entry.action,
        entry.outcome,
        entry.native_id,
        identity,
        entry.session,
        credential,
        person,
        first,
        first.rpartition("/")[0] or first,
        tuple(touched[1:]) if len(touched) > 1 else (),
        entry.source_ip[:_MAX_FACT_LENGTH],
        entry.issued,
        entry.issued_to,
        _parse_expiry(entry.issued_until) if entry.issued_until else 0,
        entry.created,
        entry.deleted,
        "",
        "",
        (),
        facts,
    )
    return make(row)


def list_facts(facts: Mapping[str, str | None]) -> FactPairs:
    """List facts by name, cut to their longest size, without those that are empty."""
    pairs = [
        (k, v if len(v) <= _MAX_FACT_LENGTH else v[:_MAX_FACT_LENGTH])
        for k, v in facts.items()
        if v
    ]
    pairs.sort()  # the names of a connector are in this order already
    return tuple(pairs)


def _parse_expiry(time: Time) -> int:
    """Parse an expiry to UTC nanoseconds, 0 if it is missing or invalid."""
    try:
        return parse_time(time)
    except (ValueError, OverflowError):
        return 0


def build_person_of_sign_in(name: str | None) -> str:
    """Build the person that a platform authenticated by name; empty if invalid."""
    try:
        return build_person_id(name) if name else ""
    except IdError:
        return ""


# A subject with an address in one of these domains is a workload.
_WORKLOAD_SUFFIXES = (".gserviceaccount.com", ".serviceaccount.com")


@lru_cache(maxsize=4096)
def build_person_of_address(name: str | None) -> str:
    """Build the person of a name with an `@` that a platform authenticated, or empty."""
    if not name or "@" not in name or ":" in name or name.endswith(_WORKLOAD_SUFFIXES):
        return ""
    return build_person_of_sign_in(name)


def outcome_of_http_status(code: int | None) -> EventOutcome:
    """Return the outcome of an HTTP status code."""
    if not code:
        return EventOutcome.UNKNOWN
    if code in (401, 403):
        return EventOutcome.DENIED
    return EventOutcome.ERROR if code >= 400 else EventOutcome.SUCCESS


def outcome_of_word(word: str | None) -> EventOutcome:
    """Return the outcome of the words that logs use for one."""
    folded = (word or "").lower()
    return _OUTCOMES_OF_WORDS.get(folded, EventOutcome.UNKNOWN)


_OUTCOMES_OF_WORDS = {
    **dict.fromkeys(
        ("success", "succeeded", "allow", "challenge", "accept", "accepted"),
        EventOutcome.SUCCESS,
    ),
    **dict.fromkeys(
        (
            "deny",
            "denied",
            "unauthorized",
            "forbidden",
            "authorizationerror",
            "authorizationfailure",
            "authenticationfailed",
            "clientauthorizationerror",
        ),
        EventOutcome.DENIED,
    ),
    **dict.fromkeys(
        (
            "failure",
            "failed",
            "error",
            "timeout",
            "abandoned",
            "clientothererror",
            "servererror",
        ),
        EventOutcome.ERROR,
    ),
}


def text_of(value: object) -> str:
    """Return a scalar of a record as text; empty for none or a nested value."""
    if value is None:  # nearly always
        return ""
    if isinstance(value, str):
        return value
    return "" if isinstance(value, dict | list) else str(value)
