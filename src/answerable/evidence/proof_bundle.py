"""Encode and verify proof bundles: events with inclusion proofs in one file."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from answerable.evidence.canonical_event import decode_event
from answerable.evidence.checkpoint import Checkpoint, parse_checkpoint
from answerable.evidence.log_entries import SegmentManifest, decode_entry
from answerable.evidence.merkle import leaf_hash, verify_inclusion
from answerable.evidence.signed_note import VerifierKey
from answerable.model.errors import UsageError, VerificationError
from answerable.model.event import AuditEvent
from answerable.model.json_members import reject_duplicate_names

SCHEMA = "answerable/bundle/v1"


class ProvenSegment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment manifest with its inclusion proof in the log.

    Attributes:
        index: Its leaf's place in the log.
        manifest: The log entry, canonical JSON.
        path: Inclusion path in the log, hex, leaf first.
    """

    index: int
    manifest: str
    path: tuple[str, ...]


class ProvenEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event with its inclusion proof in its segment.

    Attributes:
        segment: Place in the bundle's list of segments.
        row: Row in the segment.
        event: Canonical bytes, which are JSON text.
        path: Inclusion path in the segment, hex, leaf first.
    """

    segment: int
    row: int
    event: str
    path: tuple[str, ...]


class ProofBundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A proof bundle as encoded in its file.

    Attributes:
        segments: Segments of the events.
        schema: `answerable/bundle/v1`.
    """

    checkpoint: str
    segments: tuple[ProvenSegment, ...]
    events: tuple[ProvenEvent, ...]
    schema: str = SCHEMA


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """The verified content of a proof bundle."""

    checkpoint: Checkpoint
    events: tuple[AuditEvent, ...]


def encode_bundle(bundle: ProofBundle) -> bytes:
    """Encode a bundle as canonical JSON and a newline."""
    return msgspec.json.encode(bundle, order="sorted") + b"\n"


def decode_bundle(data: bytes) -> ProofBundle:
    """Decode a proof bundle; nothing is verified yet.

    Raises:
        UsageError: The file is no bundle, or a later release wrote it.
    """
    try:
        bundle = msgspec.json.decode(data, type=ProofBundle, strict=True)
        reject_duplicate_names(data)
    except (ValueError, RecursionError):
        raise UsageError(
            "not a bundle (expected a file written by: answerable evidence bundle)"
        ) from None
    if bundle.schema != SCHEMA:
        raise UsageError(
            f"unsupported bundle format (got {bundle.schema[:80]!r}, expected "
            f"{SCHEMA!r})",
            "upgrade answerable",
        )
    return bundle


def verify_bundle(bundle: ProofBundle, key: VerifierKey) -> VerifiedBundle:
    """Verify every signature and Merkle proof in an evidence bundle.

    Raises:
        VerificationError: A check failed; the message names it.
    """
    if not bundle.events:
        raise VerificationError(
            "the bundle contains no events, so there is nothing to verify"
        )
    return verify_proofs(bundle, key)


def verify_proofs(bundle: ProofBundle, key: VerifierKey) -> VerifiedBundle:
    """Verify the signature and the proofs of a bundle that may contain no events.

    Raises:
        VerificationError: A check failed; the message names it.
    """
    checkpoint = parse_checkpoint(bundle.checkpoint.encode(), key)
    manifests = [
        _verify_manifest(number, segment, checkpoint)
        for number, segment in enumerate(bundle.segments)
    ]
    events = [
        _verify_event(number, event, manifests)
        for number, event in enumerate(bundle.events)
    ]
    _reject_duplicate_events(bundle, manifests)
    return VerifiedBundle(checkpoint, tuple(events))


def _verify_manifest(
    number: int, segment: ProvenSegment, checkpoint: Checkpoint
) -> SegmentManifest:
    """Verify that the log contains a segment's manifest, and return it."""
    data = segment.manifest.encode()
    entry = decode_entry(data)
    if not isinstance(entry, SegmentManifest):
        raise VerificationError(f"segment {number} of the bundle is not a manifest")
    path = decode_proof_hashes(segment.path)
    if not verify_inclusion(
        segment.index, checkpoint.size, leaf_hash(data), path, checkpoint.root
    ):
        raise VerificationError(
            f"segment {entry.segment} is not in the log that the checkpoint covers"
        )
    return entry


def _verify_event(
    number: int, event: ProvenEvent, manifests: Sequence[SegmentManifest]
) -> AuditEvent:
    """Verify that a segment contains an event, and return the event."""
    if not 0 <= event.segment < len(manifests):
        raise VerificationError(f"event {number} of the bundle names no segment")
    manifest = manifests[event.segment]
    data = event.event.encode()
    leaf, path = leaf_hash(data), decode_proof_hashes(event.path)
    root = bytes.fromhex(manifest.event_root)
    if not verify_inclusion(event.row, manifest.count, leaf, path, root):
        raise VerificationError(
            f"event {number} of the bundle is not in segment {manifest.segment}"
        )
    return decode_event(data)


def _reject_duplicate_events(
    bundle: ProofBundle, manifests: Sequence[SegmentManifest]
) -> None:
    """Reject an event that occurs twice, so that the count of events is true."""
    first: dict[tuple[str, int], int] = {}
    for number, proven in enumerate(bundle.events):
        place = manifests[proven.segment].segment, proven.row
        if place in first:
            raise VerificationError(
                f"event {number} of the bundle repeats event {first[place]}"
            )
        first[place] = number


def decode_proof_hashes(path: Sequence[str]) -> list[bytes]:
    """Decode the hashes of a proof from lower-case hex."""
    try:
        steps = [bytes.fromhex(step) for step in path]
    except ValueError:
        steps = []
    # One spelling only: fromhex takes capitals and spaces too.
    if [step.hex() for step in steps] != list(path):
        raise VerificationError("a proof of the bundle is malformed")
    return steps
