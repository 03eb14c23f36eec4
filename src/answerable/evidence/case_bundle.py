"""Encode and verify case bundles: a whole investigation in one file.

A bundle has the records of the case and the objects behind its chains, each with an
inclusion proof in the log, and the proof bundle of its events. Chains are derived: a
row is compared with the sealed record of its event, its hops are not proven. A stated
owner is compared with the statements in the log.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from answerable.evidence.case_owners import DisclosedObject, verify_case_owners
from answerable.evidence.case_records import (
    CASE_RECORD,
    CaseRecord,
    CaseRecordKind,
    decode_case_record,
)
from answerable.evidence.checkpoint import Checkpoint
from answerable.evidence.log_entries import ObjectEntry, decode_entry
from answerable.evidence.merkle import leaf_hash, verify_inclusion
from answerable.evidence.proof_bundle import (
    ProofBundle,
    decode_proof_hashes,
    verify_proofs,
)
from answerable.evidence.signed_note import VerifierKey
from answerable.model.errors import UsageError, VerificationError
from answerable.model.event import AuditEvent
from answerable.model.json_members import reject_duplicate_names
from answerable.model.owner_signing_key import LogPosition

SCHEMA = "answerable/case-bundle/v1"
ABSENT_CHECK = "absent"  # name of the check that lists what was not verified


class ProvenObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stored object with its inclusion proof in the log.

    Attributes:
        index: Place of its entry in the log.
        entry: The log entry, canonical JSON, with the digest of the content.
        path: Inclusion path in the log, hex, leaf first.
        content: The content, base64; empty if only its digest is disclosed.
    """

    index: int
    entry: str
    path: tuple[str, ...]
    content: str = ""


class AbsentCaseItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event or a decision that the bundle names without content and proof.

    Attributes:
        value: Id of the event or decision.
        cause: `removed` (by retention), `erased`, `unreadable` or `not-known`, as
            stated by the store that wrote the bundle.
    """

    value: str
    cause: str


class CaseBundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A case bundle as encoded in its file.

    Attributes:
        case: Id of the case.
        proofs: Events of the case and joining events, with their proofs.
        objects: Records of the case, snapshots, and statements about owners.
        joining: Ids of events that join the chains, such as issuances.
        rows: The rows of the events as `trace` shows them.
        owners: Owner of each agent and identity in the rows; a stated one as the
            statement names it.
        drawing: The drawn chains, a Mermaid flowchart.
        absent: Events and decisions of the case, and joining events, that the store
            could not prove.
        schema: `answerable/case-bundle/v1`.
    """

    case: str
    proofs: ProofBundle
    objects: tuple[ProvenObject, ...]
    joining: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    owners: dict[str, dict[str, Any]]
    drawing: str
    absent: tuple[AbsentCaseItem, ...] = ()
    schema: str = SCHEMA


def encode_case_bundle(bundle: CaseBundle) -> bytes:
    """Encode a bundle as canonical JSON and a newline."""
    return msgspec.json.encode(bundle, order="sorted") + b"\n"


def is_case_bundle(data: bytes) -> bool:
    """Return whether a file is a case bundle, by its schema."""
    try:
        found = msgspec.json.decode(data, type=_SchemaMember)
    except (ValueError, RecursionError):
        return False
    return found.schema == SCHEMA


class _SchemaMember(msgspec.Struct):
    schema: str = ""


def decode_case_bundle(data: bytes) -> CaseBundle:
    """Decode a case bundle; nothing is verified yet.

    Raises:
        UsageError: The file is no case bundle.
    """
    try:
        bundle = msgspec.json.decode(data, type=CaseBundle, strict=True)
        reject_duplicate_names(data)
    except (ValueError, RecursionError):
        raise UsageError(
            "not a case bundle (expected a file written by: answerable case bundle)"
        ) from None
    return bundle


def verify_case_bundle(
    bundle: CaseBundle, key: VerifierKey
) -> Iterator[tuple[str, str]]:
    """Verify a case bundle; yield the name and the result of each check that holds.

    Raises:
        VerificationError: A check failed; the message names it.
    """
    verified = verify_proofs(bundle.proofs, key)
    tree = verified.checkpoint
    yield "checkpoint", f"log of size {tree.size:,} signed by {key.name}"
    yield "events", f"{len(verified.events):,} events in the log"
    objects = list(_verify_objects(bundle, tree))
    records = [
        decode_case_record(each.content) for each in objects if each.kind == CASE_RECORD
    ]
    yield "objects", f"{len(bundle.objects):,} objects in the log"
    _verify_case_records(bundle, records, verified.events)
    if bundle.absent:
        named = ", ".join(f"{each.value} ({each.cause})" for each in bundle.absent)
        yield ABSENT_CHECK, f"not in the bundle, and not verified: {named}"
    yield "case", f"{len(records):,} records of case {bundle.case} in the log"
    _verify_rows(bundle.rows, verified.events)
    count = len(bundle.rows)
    same = (
        "1 row equals its record"
        if count == 1
        else f"{count:,} rows equal their records"
    )
    yield "rows", f"{same}; hops are derived"
    stated = verify_case_owners(bundle.owners, objects, str(key))
    derived = len(bundle.owners) - stated
    yield (
        "owners",
        f"{stated:,} owners equal a statement in the log; {derived:,} derived",
    )


def _verify_objects(bundle: CaseBundle, tree: Checkpoint) -> Iterator[DisclosedObject]:
    """Verify that the log contains each object; yield those with their content."""
    for number, proven in enumerate(bundle.objects):
        data = proven.entry.encode()
        entry = decode_entry(data)
        if not isinstance(entry, ObjectEntry):
            raise VerificationError(f"object {number} of the bundle has no such entry")
        path = decode_proof_hashes(proven.path)
        if not verify_inclusion(
            proven.index, tree.size, leaf_hash(data), path, tree.root
        ):
            raise VerificationError(f"object {number} of the bundle is not in the log")
        content = _decode_content(number, proven.content)
        if content is None:
            if entry.of == CASE_RECORD:
                raise VerificationError(f"record {number} of the case has no content")
            continue
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise VerificationError(
                f"the content of object {number} does not match its digest in the log"
            )
        yield DisclosedObject(
            LogPosition(proven.index, int(entry.at)), entry.of, content
        )


def _decode_content(number: int, text: str) -> bytes | None:
    """Decode the content of an object; None if only its digest is disclosed."""
    if not text:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise VerificationError(
            f"the content of object {number} is not base64"
        ) from None


def _verify_case_records(
    bundle: CaseBundle, records: Sequence[CaseRecord], events: Sequence[AuditEvent]
) -> None:
    """Check that the records belong to the case, and that their events are there."""
    ids = {event.event_id.hex() for event in events}
    decisions = {event.decision_id for event in events}
    absent = {each.value for each in bundle.absent}
    ids, decisions = ids | absent, decisions | absent
    if not any(each.kind is CaseRecordKind.OPENED for each in records):
        raise VerificationError("the bundle has no record that opened the case")
    for record in records:
        if record.case != bundle.case:
            raise VerificationError(
                f"a record belongs to case {record.case} (expected {bundle.case})"
            )
        if record.kind is CaseRecordKind.EVENT and record.value not in ids:
            raise VerificationError(f"event {record.value} of the case is missing")
        if record.kind is CaseRecordKind.DECISION and record.value not in decisions:
            raise VerificationError(f"decision {record.value} of the case is missing")


def _verify_rows(
    rows: Sequence[Mapping[str, Any]], events: Sequence[AuditEvent]
) -> None:
    """Check that each row repeats the sealed record of its event."""
    sealed: dict[object, list[AuditEvent]] = {}
    for event in events:
        sealed.setdefault(event.event_id.hex(), []).append(event)
    for row in rows:
        of = sealed.get(row.get("event_id"), [])
        if not any(_is_row_of(row, event) for event in of):
            raise VerificationError(
                f"row {row.get('event_id')} differs from the record of its event"
            )


def _is_row_of(row: Mapping[str, Any], event: AuditEvent) -> bool:
    """Return whether a row repeats the fields of an event."""
    hops = row.get("hops")
    if not isinstance(hops, Mapping):
        return False
    action, resource = hops.get("action"), hops.get("resource")
    return (
        isinstance(action, Mapping)
        and isinstance(resource, Mapping)
        and action.get("value") == event.action
        and resource.get("value") == event.resource
        and row.get("source") == event.source
        and row.get("outcome") == event.outcome.value
        and row.get("credential") == event.credential
        and row.get("written_by") == event.written_by.value
        and row.get("decision_id") == event.decision_id
    )
