"""Verify all evidence bytes of a store, and name the first wrong record.

Each check stops at its first invalid record and names it; the other checks continue.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from answerable.evidence.canonical_event import decode_seal_fields
from answerable.evidence.checkpoint import Checkpoint
from answerable.evidence.log_entries import (
    JournalOpened,
    JournalSealed,
    LogEntry,
    RowsRemoved,
    SegmentManifest,
    SegmentState,
    decode_entry,
    read_segment_states,
)
from answerable.evidence.log_tiles import (
    TILE_WIDTH,
    compute_changed_tiles,
    entries_path,
    list_tile_widths,
    tile_path,
    unpack_entries,
)
from answerable.evidence.merkle import leaf_hash, merkle_root
from answerable.evidence.restore_events import RESTORE_KIND as RESTORE
from answerable.evidence.signed_note import VerifierKey
from answerable.model.errors import AnswerableError, VerificationError
from answerable.model.progress import ProgressCallback
from answerable.store import journal_files
from answerable.store.durable_files import read_file
from answerable.store.event_gaps import format_date
from answerable.store.fsck_history import (
    check_against_exported_checkpoint,
    describe_restore,
    read_restore_events,
)
from answerable.store.fsck_keys import check_key_files
from answerable.store.fsck_objects import check_objects
from answerable.store.fsck_segments import check_segments, format_count
from answerable.store.store import EvidenceStore
from answerable.store.store_keys import parse_own_checkpoint
from answerable.store.store_layout import StoreLayout
from answerable.store.transparency_log import build_missing_log_error
from answerable.store.verification_record import VerifiedState

_MAX_RUNS = 5  # while other processes change the store
_RESTORED_HINT = (
    "compare with a backup of the store; if you restored an older backup, record "
    "the restore: answerable evidence restored --reason TEXT"
)


@dataclass(frozen=True, slots=True)
class VerificationCheck:
    """Result of one check.

    Attributes:
        check: Name of the check.
        ok: Whether it passed.
        detail: Finding; for a failure, the first invalid record.
        hint: Next step after a failure; empty for the usual one.
    """

    check: str
    ok: bool
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class VerificationScope:
    """Part of a store whose files are verified; the log is always verified.

    Attributes:
        since: State up to which everything was verified before; None for the start.
        sample: Number of segments chosen at random; 0 for all.
    """

    since: VerifiedState | None = None
    sample: int = 0


EVERYTHING = VerificationScope()


def verify_store(
    store: EvidenceStore,
    exported_checkpoint: bytes | None,
    key: VerifierKey | None,
    progress: ProgressCallback,
    scope: VerificationScope = EVERYTHING,
) -> list[VerificationCheck]:
    """Verify hashes, signatures and chains of a whole evidence store.

    Args:
        store: The store.
        exported_checkpoint: Exported checkpoint that the log must still contain.
        key: Required signing key of that checkpoint; None for the store's own.
        progress: Called with (done, total, what).
        scope: Part whose segments and objects are verified.
    """
    for _ in range(_MAX_RUNS):
        note = store.log.checkpoint()
        checks = _verify_log(store, note, exported_checkpoint, key, progress, scope)
        # Compaction, retention and sealing delete files that an older log names.
        if all(each.ok for each in checks) or store.log.checkpoint() == note:
            break
    return checks


def _verify_log(
    store: EvidenceStore,
    note: bytes,
    exported_checkpoint: bytes | None,
    key: VerifierKey | None,
    progress: ProgressCallback,
    scope: VerificationScope,
) -> list[VerificationCheck]:
    """Verify a store once, against one checkpoint of its log."""
    layout = store.layout
    checks = [_run_check("keys", lambda: check_key_files(store, key, note))]
    if not note:
        return [*checks, *_check_store_without_log(store, exported_checkpoint)]
    trusted = key
    if trusted is None:
        try:
            trusted = store.keys.public_key
        except AnswerableError as error:
            return [*checks, VerificationCheck("checkpoint", False, error.message)]
    tree = Checkpoint("", 0, b"")
    try:
        tree = parse_own_checkpoint(note, trusted)
        if tree.origin != trusted.name:
            raise VerificationError("log/checkpoint belongs to another log")
        detail = f"log of size {tree.size:,} signed by {trusted.name}"
        checks.append(VerificationCheck("checkpoint", True, detail))
    except VerificationError as error:
        return [
            *checks,
            VerificationCheck("checkpoint", False, error.message, error.hint),
        ]
    checks += _check_object_storage(store, trusted)
    try:
        entries, raw = _check_log_tiles(layout, tree)
        checks.append(
            VerificationCheck(
                "log", True, f"entries lead to the root: {len(entries):,}"
            )
        )
    except AnswerableError as error:
        return [*checks, VerificationCheck("log", False, error.message)]
    if exported_checkpoint is not None:
        leaves = [leaf_hash(data) for data in raw]
        checks.append(
            _run_check(
                "history",
                lambda: check_against_exported_checkpoint(
                    store, exported_checkpoint, trusted, tree, leaves, entries
                ),
            )
        )
    if store.list_objects(RESTORE):
        checks.append(
            _run_check("restores", lambda: _describe_recorded_restores(store))
        )
    if scope != EVERYTHING:
        checks.append(
            _run_check("scope", lambda: _check_verified_prefix(scope, entries, raw))
        )
    selects = _build_selection(scope, entries)
    checks.append(
        _run_check(
            "segments",
            lambda: check_segments(layout, entries, raw, progress, selects),
        )
    )
    checks.append(
        _run_check("journals", lambda: _check_unsealed_journals(store, entries))
    )
    start = scope.since.size if scope.since else 0
    checks.append(_run_check("objects", lambda: check_objects(store, entries[start:])))
    return checks


def _check_store_without_log(
    store: EvidenceStore, exported_checkpoint: bytes | None
) -> list[VerificationCheck]:
    """Check a store that has no checkpoint; name a missing log once."""
    log = _run_check(
        "checkpoint", lambda: _check_empty_store(store.layout, exported_checkpoint)
    )
    journals = _run_check("journals", lambda: _check_unsealed_journals(store, []))
    return [log] if journals.detail == log.detail else [log, journals]


def _check_object_storage(
    store: EvidenceStore, key: VerifierKey
) -> list[VerificationCheck]:
    """Check the log in object storage, if the store is there."""
    remote = store.layout.remote
    if remote is None:
        return []
    from answerable.store.fsck_remote import check_remote_log

    return [_run_check("storage", lambda: check_remote_log(store, remote, key))]


def _check_verified_prefix(
    scope: VerificationScope, entries: Sequence[LogEntry], raw: Sequence[bytes]
) -> str:
    """Check that the log still starts with the entries that were verified before."""
    if scope.since is None:
        return f"a random sample of at most {scope.sample:,} segments"
    leaves = [leaf_hash(data) for data in raw[: scope.since.size]]
    if len(leaves) < scope.since.size or merkle_root(leaves).hex() != scope.since.root:
        raise VerificationError(
            "the log no longer starts with the entries that were verified before",
            "verify everything: answerable evidence verify",
        )
    return (
        f"segments and objects since entry {scope.since.size:,}, verified before on "
        f"{format_date(scope.since.at)}; {len(entries) - scope.since.size:,} new"
    )


def _build_selection(
    scope: VerificationScope, entries: Sequence[LogEntry]
) -> Callable[[SegmentState], bool]:
    """Build the predicate of the segments to verify; a sample has no compacted ones."""
    start = scope.since.size if scope.since else 0
    changed = {
        entry.segment
        for entry in entries[start:]
        if isinstance(entry, SegmentManifest | RowsRemoved)
    }
    if scope.sample:
        there = [
            each.manifest.segment
            for each in read_segment_states(entries)
            if not each.compacted and each.manifest.segment in changed
        ]
        count = min(scope.sample, len(there))
        changed = set(secrets.SystemRandom().sample(there, count))
    return lambda state: state.manifest.segment in changed


def _run_check(name: str, check: Callable[[], str]) -> VerificationCheck:
    """Run one check, and turn an error into its result."""
    try:
        return VerificationCheck(name, True, check())
    except AnswerableError as error:
        return VerificationCheck(name, False, error.message, error.hint)
    except FileNotFoundError as error:
        return VerificationCheck(name, False, f"{error.filename} is missing")
    except OSError as error:
        return VerificationCheck(
            name, False, f"{error.filename} cannot be read: {error.strerror}"
        )


def _describe_recorded_restores(store: EvidenceStore) -> str:
    """Describe in one line the recorded restores of the store from a backup."""
    return "; ".join(describe_restore(each) for each in read_restore_events(store))


def _check_empty_store(layout: StoreLayout, exported_checkpoint: bytes | None) -> str:
    """Check that a store without a checkpoint has no evidence."""
    leftovers = [
        path
        for folder in (
            layout.log,
            layout.segments,
            layout.journal,
            layout.objects,
            layout.quarantine,
        )
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    ]
    if (layout.keys / "log.pub").exists():
        raise build_missing_log_error()
    if leftovers or exported_checkpoint is not None:
        raise VerificationError("log/checkpoint is missing")
    return "nothing is stored yet"


def _check_log_tiles(
    layout: StoreLayout, checkpoint: Checkpoint
) -> tuple[list[LogEntry], list[bytes]]:
    """Check the log's entries and tiles against the checkpoint; return the entries."""
    raw: list[bytes] = []
    for index, width in list_tile_widths(checkpoint.size):
        path = entries_path(index, width)
        data = _read_log_file(layout, path)
        try:
            raw += unpack_entries(data, width)
        except VerificationError:
            raise _build_malformed_entry_error(layout, data, index, width) from None
    leaves = [leaf_hash(data) for data in raw]
    if merkle_root(leaves) != checkpoint.root:
        raise _build_wrong_entry_error(layout, leaves)
    for path, tile in compute_changed_tiles(0, leaves).items():
        if _read_log_file(layout, path) != tile:
            raise VerificationError(f"log/{path} is invalid")
    entries = []
    for number, data in enumerate(raw):
        try:
            entries.append(decode_entry(data))
        except VerificationError as error:
            raise VerificationError(f"log entry {number}: {error.message}") from error
    return entries, raw


def _build_wrong_entry_error(
    layout: StoreLayout, leaves: list[bytes]
) -> VerificationError:
    """Build the error for the first entry that differs from its hash in the tile."""
    for index, width in list_tile_widths(len(leaves)):
        stored = _read_log_file(layout, tile_path(0, index, width))
        for at, here in enumerate(
            leaves[index * TILE_WIDTH : index * TILE_WIDTH + width]
        ):
            if stored[at * 32 : at * 32 + 32] != here:
                place = f"log/{entries_path(index, width)}"
                number = index * TILE_WIDTH + at
                return VerificationError(f"{place}: entry {number} is invalid")
    return VerificationError("the root of the log does not match its checkpoint")


def _build_malformed_entry_error(
    layout: StoreLayout, data: bytes, index: int, width: int
) -> VerificationError:
    """Build the error for the first entry of a bundle with a wrong length."""
    stored = _read_log_file(layout, tile_path(0, index, width))
    at, place = 0, 0
    while at + 2 <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if leaf_hash(data[at + 2 : end]) != stored[place * 32 : place * 32 + 32]:
            break
        at, place = end, place + 1
    number = index * TILE_WIDTH + place
    return VerificationError(
        f"log/{entries_path(index, width)}: entry {number} is invalid"
    )


def _read_log_file(layout: StoreLayout, path: str) -> bytes:
    """Read a file of the transparency log; a missing one is an error."""
    try:
        return read_file(layout.log / path)
    except FileNotFoundError:
        raise VerificationError(f"log/{path} is missing") from None


def _check_unsealed_journals(store: EvidenceStore, entries: list[LogEntry]) -> str:
    """Check the unsealed journals: hash chain, signed heads, none missing."""
    layout = store.layout
    torn: list[str] = []
    events: set[tuple[str, str]] = set()  # once each, for any number of processes
    sealed = {e.journal for e in entries if isinstance(e, JournalSealed)}
    opened = {e.journal for e in entries if isinstance(e, JournalOpened)} - sealed
    for name in layout.list_journals():
        if name in sealed:
            continue
        head = journal_files.read_head_file(layout, name)
        try:
            journal = journal_files.load_journal(layout, store.keys, name)
        except FileNotFoundError:
            continue
        fault = journal_files.describe_first_journal_fault(store.keys, journal, head)
        if fault and not (name not in opened and not journal.records):
            raise VerificationError(f"journal/{name}.log: {fault}", _RESTORED_HINT)
        if journal.behind and name in opened:
            torn.append(
                f"{format_count(journal.behind, 'byte')} after the last head of "
                f"journal/{name}.log, never acknowledged"
            )
        briefs = map(decode_seal_fields, journal.records)
        events.update((brief.event_id, brief.raw_sha256) for brief in briefs)
        opened.discard(name)
    # What was sealed and removed since the entries were read is not missing.
    now = {e.journal for e in store.log.entries() if isinstance(e, JournalSealed)}
    missing = sorted(opened - now)
    if missing and layout.remote is not None:
        torn.append(
            f"{format_count(len(missing), 'journal')} of other machines not sealed "
            "yet, and not checked here"
        )
    elif missing:
        raise VerificationError(
            f"journal/{missing[0]}.log is missing and was never sealed", _RESTORED_HINT
        )
    return "; ".join([f"{format_count(len(events), 'event')} not sealed yet", *torn])
