"""Verify the evidence log, and export checkpoints, inclusion proofs and bundles."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast

from answerable.evidence.canonical_event import decode_event
from answerable.evidence.case_bundle import (
    ABSENT_CHECK,
    CaseBundle,
    decode_case_bundle,
    is_case_bundle,
    verify_case_bundle,
)
from answerable.evidence.checkpoint import parse_checkpoint
from answerable.evidence.log_entries import SegmentManifest, decode_entry
from answerable.evidence.merkle import leaf_hash
from answerable.evidence.proof_bundle import decode_bundle, encode_bundle, verify_bundle
from answerable.evidence.signed_note import VerifierKey
from answerable.model.documents.evidence import (
    CheckItem,
    CheckpointItem,
    EvidenceBundleItem,
    InclusionProofItem,
)
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import UsageError, VerificationError
from answerable.model.progress import ignore_progress_report
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.presentation.command_hints import format_command
from answerable.presentation.lineage_exports import iterate_mermaid_lines
from answerable.store import (
    export_checkpoint,
    fsck,
    inclusion_proofs,
    verification_record,
)
from answerable.store.checked_files import forget_checked_files
from answerable.store.fsck_segments import format_count
from answerable.store.store import EvidenceStore

_DAMAGE_HINT = "compare with a copy of the store; all records before this one are valid"


def verify_evidence(
    source: EvidenceStore | bytes,
    *,
    checkpoint: bytes | None = None,
    key: str = "",
    progress: Callable[[int, int, str], None] = ignore_progress_report,
    mode: str = verification_record.FULL,
    sample: int = 0,
    now: int = 0,
) -> Document:
    """Verify a store, or a bundle without a store.

    Args:
        source: The store, or the bytes of a bundle.
        checkpoint: Exported checkpoint that the log must still contain.
        key: Text of the public key; a bundle needs one, a store has its own.
        progress: Called with (done, total, what).
        mode: Mode of `verification_record`; an incremental verification of a store
            without a record verifies everything.
        sample: Number of segments of a sample.
        now: UTC nanoseconds, recorded with the outcome; 0 to record none.

    Returns:
        One item per check; failed if a check fails.
    """
    public = VerifierKey.parse(key) if key else None
    if isinstance(source, EvidenceStore):
        since = None
        if mode == verification_record.INCREMENTAL:
            since = verification_record.find_verified_prefix(source)
        scope = fsck.VerificationScope(since, sample)
        if mode == verification_record.FULL:
            forget_checked_files(source)
        note = source.log.checkpoint()
        checks = fsck.verify_store(source, checkpoint, public, progress, scope)
        if now and all(check.ok for check in checks):
            _record_verification(source, note, mode, now)
        elif now:
            failed = verification_record.VerifiedState(now, 0, "")
            with suppress(VerificationError):  # a damaged key: nothing is signed
                verification_record.save_verified_state(
                    source, verification_record.FAILED, failed
                )
    else:
        checks = _check_bundle(source, checkpoint, public)
    items: list[CheckItem] = [
        {
            "check": check.check,
            "ok": check.ok,
            "detail": check.detail,
            "hint": "" if check.ok else check.hint or _DAMAGE_HINT,
        }
        for check in checks
    ]
    coverage = build_empty_coverage()
    problems = [check.detail for check in checks if check.check == ABSENT_CHECK]
    if problems:
        coverage["partial"] = True
        coverage["sources"] = [
            {"source": "case bundle", "at": "", "age_s": 0, "problems": problems}
        ]
    return Document(
        "verify",
        items,
        coverage,
        failed=not all(check.ok for check in checks),
    )


def _record_verification(
    store: EvidenceStore, note: bytes, mode: str, now: int
) -> None:
    """Record a successful verification up to the checkpoint at its start."""
    if note:
        tree = parse_checkpoint(note, store.keys.public_key)
        state = verification_record.VerifiedState(now, tree.size, tree.root.hex())
        verification_record.save_verified_state(store, mode, state)


def _check_bundle(
    bundle: bytes, checkpoint: bytes | None, key: VerifierKey | None
) -> list[fsck.VerificationCheck]:
    """Verify a bundle with the public key of its log; return each check."""
    if key is None:
        raise UsageError(
            "a bundle requires the public key of its log (got none)",
            "get keys/log.pub from the operator of the log, then use --key FILE",
        )
    if checkpoint is not None:
        raise UsageError(
            "a bundle cannot be compared with another checkpoint",
            "compare the store instead: answerable evidence verify --checkpoint FILE",
        )
    if is_case_bundle(bundle):
        return _check_case_bundle(bundle, key)
    try:
        opened = verify_bundle(decode_bundle(bundle), key)
    except VerificationError as error:
        return [fsck.VerificationCheck("bundle", False, error.message)]
    tree = opened.checkpoint
    signed = f"log of size {tree.size:,} signed by {key.name}"
    records = f"{format_count(len(opened.events), 'event')} in the log"
    return [
        fsck.VerificationCheck("checkpoint", True, signed),
        fsck.VerificationCheck("bundle", True, records),
    ]


def _check_case_bundle(bundle: bytes, key: VerifierKey) -> list[fsck.VerificationCheck]:
    """Verify a case bundle; return the checks up to the first that fails."""
    checks: list[fsck.VerificationCheck] = []
    try:
        decoded = decode_case_bundle(bundle)
        for name, detail in verify_case_bundle(decoded, key):
            checks.append(fsck.VerificationCheck(name, True, detail))
        _require_drawing_of_rows(decoded)
    except VerificationError as error:
        checks.append(fsck.VerificationCheck("case bundle", False, error.message))
    return checks


def _require_drawing_of_rows(bundle: CaseBundle) -> None:
    """Require that a case bundle has the drawing of its rows.

    Raises:
        VerificationError: It has another drawing, or its rows cannot be drawn.
    """
    try:
        lines = iterate_mermaid_lines(cast("Sequence[TraceItem]", bundle.rows))
        drawn = "\n".join(lines)
    except (AttributeError, LookupError, TypeError, ValueError):
        drawn = ""
    if bundle.drawing != drawn:
        raise VerificationError("the drawing is not that of the rows of the bundle")


def show_checkpoint(store: EvidenceStore) -> Document:
    """Show the signed head of the log and of journals; `note` is the text to export."""
    note = export_checkpoint.sign_export_checkpoint(store)
    if not note:
        raise UsageError("the log is empty", "run: answerable ingest cloudtrail:PATH")
    tree = parse_checkpoint(note, store.keys.public_key)
    item: CheckpointItem = {
        "origin": tree.origin,
        "size": tree.size,
        "root": tree.root.hex(),
        "key": str(store.keys.public_key),
        "note": note.decode(),
    }
    return Document("checkpoint", [item], build_empty_coverage())


def prove_record(store: EvidenceStore, event_id: str) -> Document:
    """Show a record with its inclusion proof up to the signed head."""
    cut = inclusion_proofs.build_inclusion_bundle(store, [_parse_event_id(event_id)])
    tree = parse_checkpoint(cut.checkpoint.encode(), store.keys.public_key)
    items: list[InclusionProofItem] = []
    for proven in cut.events:
        segment = cut.segments[proven.segment]
        manifest = decode_entry(segment.manifest.encode())
        if not isinstance(manifest, SegmentManifest):
            raise VerificationError("a proof does not name a segment")
        data = proven.event.encode()
        items.append(
            {
                "event_id": decode_event(data).event_id.hex(),
                "event": proven.event,
                "leaf": leaf_hash(data).hex(),
                "segment": manifest.segment,
                "row": proven.row,
                "rows": manifest.count,
                "path": list(proven.path),
                "event_root": manifest.event_root,
                "log_index": segment.index,
                "log_size": tree.size,
                "log_path": list(segment.path),
                "log_root": tree.root.hex(),
                "checkpoint": cut.checkpoint,
            }
        )
    return Document(
        "prove",
        items,
        build_empty_coverage(),
        next=format_command("evidence", "bundle", event_id, "--out", "bundle.json"),
    )


def build_bundle(store: EvidenceStore, event_ids: Sequence[str]) -> Document:
    """Build one file of records and proofs; `bundle` is its content."""
    cut = inclusion_proofs.build_inclusion_bundle(
        store, [_parse_event_id(text) for text in event_ids]
    )
    public = store.keys.public_key
    tree = parse_checkpoint(cut.checkpoint.encode(), public)
    item: EvidenceBundleItem = {
        "events": len(cut.events),
        "segments": len(cut.segments),
        "log_size": tree.size,
        "key": str(public),
        "bundle": encode_bundle(cut).decode(),
    }
    return Document(
        "bundle",
        [item],
        build_empty_coverage(),
        next="answerable evidence verify BUNDLE --key PUB",
    )


def _parse_event_id(text: str) -> bytes:
    """Parse an event id: 32 hex digits, with or without the dashes of a UUID."""
    digits = text.strip().replace("-", "")
    try:
        number = bytes.fromhex(digits)
    except ValueError:
        number = b""
    if len(number) != 16 or len(digits) != 32:
        raise UsageError(
            f"not an event id (got {text[:80]!r}, expected 32 hex digits)",
            "list ids with: answerable trace",
        )
    return number
