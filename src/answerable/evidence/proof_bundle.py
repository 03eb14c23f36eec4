"""Proof bundles: records with inclusion proofs in one file, verified with a public key."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from answerable.evidence.canonical import decode, refuse_repeated_names
from answerable.evidence.checkpoint import Checkpoint, read_checkpoint
from answerable.evidence.log_entries import Manifest, decode_entry
from answerable.evidence.merkle import includes, leaf_hash
from answerable.evidence.note import PublicKey
from answerable.model.errors import UsageError, VerificationError
from answerable.model.event import AuditEvent

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


class Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
class Opened:
    """The verified content of a proof bundle."""

    checkpoint: Checkpoint
    events: tuple[AuditEvent, ...]


def encode_bundle(bundle: Bundle) -> bytes:
    """Encode a bundle as canonical JSON and a newline."""
    return msgspec.json.encode(bundle, order="sorted") + b"\n"


def decode_bundle(data: bytes) -> Bundle:
    """Decode a bundle.

    Raises:
        UsageError: The file is no bundle, or a later release wrote it.
    """
    try:
        bundle = msgspec.json.decode(data, type=Bundle, strict=True)
        refuse_repeated_names(data)
    except (ValueError, RecursionError):
        raise UsageError(
            "not a bundle (expected a file of: answerable evidence bundle)"
        ) from None
    if bundle.schema != SCHEMA:
        raise UsageError(
            f"not a bundle this release reads (got {bundle.schema[:80]!r}, "
            f"expected {SCHEMA!r})",
            "upgrade answerable",
        )
    return bundle


def open_bundle(bundle: Bundle, key: PublicKey) -> Opened:
    """Verify every signature and proof in a bundle.

    Raises:
        VerificationError: A check failed; the message names it.
    """
    if not bundle.events:
        raise VerificationError("the bundle holds no event: nothing is proven")
    checkpoint = read_checkpoint(bundle.checkpoint.encode(), key)
    manifests = [
        _manifest(number, segment, checkpoint)
        for number, segment in enumerate(bundle.segments)
    ]
    events = [
        _event(number, event, manifests) for number, event in enumerate(bundle.events)
    ]
    _refuse_repeated(bundle, manifests)
    return Opened(checkpoint, tuple(events))


def _manifest(number: int, segment: ProvenSegment, tree: Checkpoint) -> Manifest:
    data = segment.manifest.encode()
    entry = decode_entry(data)
    if not isinstance(entry, Manifest):
        raise VerificationError(f"segment {number} of the bundle is no manifest")
    path = _path(segment.path)
    if not includes(segment.index, tree.size, leaf_hash(data), path, tree.root):
        raise VerificationError(
            f"segment {entry.segment} is not in the log the checkpoint signs"
        )
    return entry


def _event(
    number: int, proven: ProvenEvent, manifests: Sequence[Manifest]
) -> AuditEvent:
    if not 0 <= proven.segment < len(manifests):
        raise VerificationError(f"event {number} of the bundle names no segment")
    manifest = manifests[proven.segment]
    data = proven.event.encode()
    leaf, path = leaf_hash(data), _path(proven.path)
    root = bytes.fromhex(manifest.event_root)
    if not includes(proven.row, manifest.count, leaf, path, root):
        raise VerificationError(
            f"event {number} of the bundle is not in segment {manifest.segment}"
        )
    return decode(data)


def _refuse_repeated(bundle: Bundle, manifests: Sequence[Manifest]) -> None:
    """Reject an event that occurs twice, so that the count of events is true."""
    first: dict[tuple[str, int], int] = {}
    for number, proven in enumerate(bundle.events):
        place = manifests[proven.segment].segment, proven.row
        if place in first:
            raise VerificationError(
                f"event {number} of the bundle repeats event {first[place]}"
            )
        first[place] = number


def _path(path: Sequence[str]) -> list[bytes]:
    try:
        steps = [bytes.fromhex(step) for step in path]
    except ValueError:
        steps = []
    # One spelling only: fromhex takes capitals and spaces too.
    if [step.hex() for step in steps] != list(path):
        raise VerificationError("a proof of the bundle is malformed")
    return steps
