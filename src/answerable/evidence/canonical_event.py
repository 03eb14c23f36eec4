"""Encode audit events in a frozen canonical form: the bytes of a Merkle leaf.

RFC 8785 JSON of one flat object. Keys are the field names of `AuditEvent`, sorted; a
field that equals its default is left out; integers above 2^53 are decimal strings,
bytes are lower-case hex, there are no floats. Fields are only ever appended with a
default, so the bytes of an older record never change. docs/evidence.md has a worked
example, tests/evidence/vectors.json the test vectors.
"""

from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields
from functools import lru_cache
from itertools import repeat
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from answerable.model.errors import VerificationError
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import EventId
from answerable.model.provenance import WrittenBy

MAX_SAFE_INTEGER = 1 << 53
_INT64 = 1 << 63

# In the order of the encoding. A new field of `AuditEvent` goes here and in `_EventWire`.
FIELDS = (
    "action",
    "agent",
    "created",
    "credential",
    "decision_id",
    "deleted",
    "entities",
    "event_id",
    "event_time",
    "facts",
    "identity",
    "ingest_time",
    "issued",
    "issued_to",
    "issued_until",
    "native_id",
    "outcome",
    "person",
    "raw_sha256",
    "recorder",
    "resource",
    "resource_prefix",
    "resources",
    "run",
    "salt",
    "schema",
    "scope",
    "sequence",
    "session",
    "source",
    "source_ip",
    "tool",
    "written_by",
)


class _EventWire(
    msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, gc=False
):
    """Wire form of an event. UNSET marks the fields that are always written."""

    action: str | UnsetType = UNSET
    agent: str = ""
    created: str = ""
    credential: str = ""
    decision_id: str = ""
    deleted: str = ""
    entities: tuple[str, ...] = ()
    event_id: str | UnsetType = UNSET
    event_time: int | str | UnsetType = UNSET
    facts: tuple[tuple[str, str], ...] = ()
    identity: str = ""
    ingest_time: int | str = 0
    issued: str = ""
    issued_to: str = ""
    issued_until: int | str = 0
    native_id: str = ""
    outcome: EventOutcome | UnsetType = UNSET
    person: str = ""
    raw_sha256: str | UnsetType = UNSET
    recorder: str = ""
    resource: str = ""
    resource_prefix: str = ""
    resources: tuple[str, ...] = ()
    run: str = ""
    salt: str = ""
    schema: int | str = 1  # not EVENT_SCHEMA: what an absent schema means is frozen
    scope: str | UnsetType = UNSET
    sequence: int | str = 0
    session: str = ""
    source: str | UnsetType = UNSET
    source_ip: str = ""
    tool: str = ""
    written_by: WrittenBy | UnsetType = UNSET


_encode = msgspec.json.Encoder().encode
_ROW_FIELDS = [each.name for each in fields(AuditEvent)]
_WIRE_DEFAULTS = {e.name: e.default for e in msgspec.structs.fields(_EventWire)}
# What a row that ends earlier has, and an absent member does not mean.
_WRITTEN_DEFAULTS = {
    each.name: each.default
    for each in fields(AuditEvent)
    if each.name not in ("ingest_time", "salt")
    and each.default not in (MISSING, _WIRE_DEFAULTS[each.name])
}
_ROW_INTEGERS = ("event_time", "issued_until", "schema", "sequence")
_decode = msgspec.json.Decoder(_EventWire, strict=True).decode


_NO_FACTS = msgspec.Raw(b"[]")


class SealFields(msgspec.Struct, gc=False):
    """The fields of a record that sealing reads."""

    event_id: str
    event_time: int | str
    raw_sha256: str
    source: str
    identity: str = ""
    schema: int | str = 1
    # Those of the statistics of a segment.
    agent: str = ""
    created: str = ""
    credential: str = ""
    decision_id: str = ""
    deleted: str = ""
    issued: str = ""
    issued_to: str = ""
    person: str = ""
    resource_prefix: str = ""
    run: str = ""
    session: str = ""
    tool: str = ""
    scope: str = ""
    written_by: str = ""
    action: str = ""
    facts: msgspec.Raw = _NO_FACTS  # not decoded: sealing reads few of them


def find_fact(facts: bytes, name: bytes) -> str | None:
    """Find the first fact of a name in the canonical bytes of facts; None without one.

    Args:
        facts: The facts, or the first of them up to a comma.
        name: Name of the fact, of ASCII letters.
    """
    # The quotes would be escaped within a text, so that this opens a pair.
    _, mark, rest = facts.partition(b'["%b","' % name)
    if not mark:
        return None
    text = rest[: rest.find(b'"')]
    if b"\\" not in text:
        return text.decode()
    key, whole = name.decode(), facts[:-1] + b"]" if facts.endswith(b",") else facts
    return next(value for each, value in _decode_facts(whole) if each == key)


_decode_facts = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode
decode_seal_fields = msgspec.json.Decoder(SealFields).decode


def _encode_integer(number: int) -> int | str:
    """Encode an integer as a JSON number, above 2^53 as decimal text."""
    if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
        return number
    if not -_INT64 <= number < _INT64:
        raise ValueError("an integer does not fit in 64 bits")
    return str(number)


def encode_event(event: AuditEvent) -> bytes:
    """Encode an event with the ingest time and salt that it has.

    Raises:
        ValueError: A text holds a lone surrogate, or an integer does not fit 64 bits.
    """
    return encode_stored_event(event, event.ingest_time, event.salt)


def encode_stored_event(event: AuditEvent, ingest_time: int, salt: bytes) -> bytes:
    """Encode an event with the ingest time and salt assigned by the store.

    Raises:
        ValueError: A text holds a lone surrogate, or an integer does not fit 64 bits.
    """
    return _encode(
        _EventWire(
            action=event.action,
            agent=event.agent,
            created=event.created,
            credential=event.credential,
            decision_id=event.decision_id,
            deleted=event.deleted,
            entities=event.entities,
            event_id=event.event_id.hex(),
            event_time=_encode_integer(event.event_time),
            facts=event.facts,
            identity=event.identity,
            ingest_time=_encode_integer(ingest_time),
            issued=event.issued,
            issued_to=event.issued_to,
            issued_until=event.issued_until and _encode_integer(event.issued_until),
            native_id=event.native_id,
            outcome=event.outcome,
            person=event.person,
            raw_sha256=event.raw_sha256.hex(),
            recorder=event.recorder,
            resource=event.resource,
            resource_prefix=event.resource_prefix,
            resources=event.resources,
            run=event.run,
            salt=salt.hex(),
            schema=event.schema if event.schema == 1 else _encode_integer(event.schema),
            scope=event.scope,
            sequence=event.sequence and _encode_integer(event.sequence),
            session=event.session,
            source=event.source,
            source_ip=event.source_ip,
            tool=event.tool,
            written_by=event.written_by,
        )
    )


def encode_stored_columns(
    columns: Sequence[Sequence[Any]], ingest_time: int, salts: bytes
) -> list[bytes]:
    """Encode columns of the first fields of `AuditEvent`, as `encode_stored_event` does.

    It works column by column, so that no line of Python runs for an event.

    Args:
        columns: Columns in the order of the fields.
        ingest_time: UTC nanoseconds.
        salts: 16 random bytes for each event.

    Raises:
        ValueError: As for `encode_stored_event`.
    """
    given: dict[str, Sequence[Any]] = dict(zip(_ROW_FIELDS, columns, strict=False))
    for name, default in _WRITTEN_DEFAULTS.items():
        given.setdefault(name, [default] * len(columns[0]))
    values: dict[str, Iterable[Any]] = {
        name: column
        for name, column in given.items()
        if column[0] != (default := _WIRE_DEFAULTS[name])
        or column.count(default) < len(column)
    }
    for name in _ROW_INTEGERS:
        if name in values:
            values[name] = _encode_integer_column(given[name])
    for name in ("event_id", "raw_sha256"):
        values[name] = map(bytes.hex, values[name])
    values["ingest_time"] = repeat(_encode_integer(ingest_time))
    size = len(salts) // len(columns[0])
    values["salt"] = salts.hex("-", size).split("-") if size else repeat("")
    names = tuple(filter(values.__contains__, FIELDS))
    make = _make_wire_type(names)
    return list(map(_encode, map(make, *map(values.__getitem__, names))))


@lru_cache(64)
def _make_wire_type(names: tuple[str, ...]) -> type[msgspec.Struct]:
    """Make the wire form of these fields alone: fewer are compared with defaults."""
    known = {each.name: each for each in msgspec.structs.fields(_EventWire)}
    members = [(name, known[name].type, known[name].default) for name in names]
    return msgspec.defstruct("_Wire", members, omit_defaults=True, gc=False)


def _encode_integer_column(numbers: Sequence[int]) -> Iterable[int | str]:
    """Encode integers of a column; zero and one keep the type of a default."""
    if min(numbers) > MAX_SAFE_INTEGER and max(numbers) < _INT64:
        return map(str, numbers)
    return [n if n in (0, 1) else _encode_integer(n) for n in numbers]


def decode_event(data: bytes) -> AuditEvent:
    """Decode canonical bytes and check that they re-encode to the same bytes.

    Raises:
        VerificationError: The bytes are not the canonical encoding of an event.
    """
    try:
        wire = _decode(data)
        event = _build_event_from_wire(wire)
        same = encode_event(event) == data
    except (ValueError, TypeError, RecursionError) as error:
        raise VerificationError("an event is not in canonical encoding") from error
    if not same:
        raise VerificationError("an event is not in canonical encoding")
    return event


def _build_event_from_wire(wire: _EventWire) -> AuditEvent:
    """Build an event from its wire form; a missing field is an error."""
    if (
        wire.action is UNSET
        or wire.event_id is UNSET
        or wire.event_time is UNSET
        or wire.outcome is UNSET
        or wire.raw_sha256 is UNSET
        or wire.scope is UNSET
        or wire.source is UNSET
        or wire.written_by is UNSET
    ):
        raise ValueError("a field is missing")
    return AuditEvent(
        event_id=EventId(bytes.fromhex(wire.event_id)),
        event_time=int(wire.event_time),
        source=wire.source,
        scope=wire.scope,
        written_by=wire.written_by,
        raw_sha256=bytes.fromhex(wire.raw_sha256),
        action=wire.action,
        outcome=wire.outcome,
        native_id=wire.native_id,
        identity=wire.identity,
        session=wire.session,
        credential=wire.credential,
        person=wire.person,
        resource=wire.resource,
        resource_prefix=wire.resource_prefix,
        resources=wire.resources,
        source_ip=wire.source_ip,
        issued=wire.issued,
        issued_to=wire.issued_to,
        issued_until=int(wire.issued_until),
        created=wire.created,
        deleted=wire.deleted,
        decision_id=wire.decision_id,
        run=wire.run,
        entities=wire.entities,
        facts=wire.facts,
        recorder=wire.recorder,
        sequence=int(wire.sequence),
        ingest_time=int(wire.ingest_time),
        salt=bytes.fromhex(wire.salt),
        schema=int(wire.schema),
        agent=wire.agent,
        tool=wire.tool,
    )
