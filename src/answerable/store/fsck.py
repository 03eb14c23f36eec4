"""Verification of a store: all evidence bytes, and the first wrong record.

Each check stops at its first invalid record and names it; the other checks continue.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from answerable.evidence.canonical import decode_brief
from answerable.evidence.checkpoint import Checkpoint, read_checkpoint
from answerable.evidence.log_entries import (
    Entry,
    JournalOpened,
    JournalSealed,
    decode_entry,
)
from answerable.evidence.merkle import leaf_hash, root
from answerable.evidence.note import PublicKey, public_key
from answerable.evidence.restore_events import KIND as RESTORE
from answerable.evidence.tiles import (
    WIDTH,
    entries_path,
    tile_path,
    tiles_after,
    unpack_entries,
    widths,
)
from answerable.model.errors import AnswerableError, VerificationError
from answerable.store import journal_files
from answerable.store.durable_files import read_file
from answerable.store.fsck_history import check_history, described, restores
from answerable.store.fsck_objects import check_objects
from answerable.store.fsck_segments import check_segments, counted
from answerable.store.store import Store
from answerable.store.store_layout import Layout
from answerable.store.transparency_log import emptied, other_fingerprint_key

_RESTORED = (
    "compare with a copy of the store; if you put back an older copy, record that and "
    "go on: answerable evidence restored --reason TEXT"
)
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Check:
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


def verify(
    store: Store, exported: bytes | None, key: PublicKey | None, progress: Progress
) -> list[Check]:
    """Verify a whole store.

    Args:
        store: The store.
        exported: Exported checkpoint that the log must still contain.
        key: Required signing key of that checkpoint; None for the store's own.
        progress: Called with (done, total, what).
    """
    layout = store.layout
    note = store.log.checkpoint()
    checks = [_run("keys", lambda: _keys(store, key, note))]
    if not note:
        checks.append(_run("checkpoint", lambda: _nothing(layout, exported)))
        checks.append(_run("journals", lambda: _journals(store, [])))
        return checks
    trusted = key
    if trusted is None:
        try:
            trusted = store.keys.public
        except AnswerableError as error:
            return [*checks, Check("checkpoint", False, error.message)]
    tree = Checkpoint("", 0, b"")
    try:
        tree = read_checkpoint(note, trusted)
        if tree.origin != trusted.name:
            raise VerificationError("the checkpoint is of another log")
        detail = f"log of size {tree.size:,} signed by {trusted.name}"
        checks.append(Check("checkpoint", True, detail))
    except VerificationError as error:
        return [*checks, Check("checkpoint", False, f"log/checkpoint: {error.message}")]
    try:
        entries, raw = _log(layout, tree)
        checks.append(Check("log", True, f"entries lead to the root: {len(entries):,}"))
    except AnswerableError as error:
        return [*checks, Check("log", False, error.message)]
    if exported is not None:
        leaves = [leaf_hash(data) for data in raw]
        checks.append(
            _run(
                "history",
                lambda: check_history(store, exported, trusted, tree, leaves, entries),
            )
        )
    if store.objects(RESTORE):
        checks.append(_run("restores", lambda: _restores(store)))
    checks.append(
        _run("segments", lambda: check_segments(layout, entries, raw, progress))
    )
    checks.append(_run("journals", lambda: _journals(store, entries)))
    checks.append(_run("objects", lambda: check_objects(store, entries)))
    return checks


def _run(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except AnswerableError as error:
        return Check(name, False, error.message, error.hint)
    except FileNotFoundError as error:
        return Check(name, False, f"{error.filename} is missing")
    except OSError as error:
        return Check(name, False, f"{error.filename} cannot be read: {error.strerror}")


def _keys(store: Store, key: PublicKey | None, note: bytes) -> str:
    file = store.layout.keys / "log.pub"
    if not file.exists():
        return "no key yet: nothing was signed"
    public = store.keys.public
    for name in ("log.pub", "log.key", "fingerprint.key"):
        _one_line(store.layout.keys / name)
    if key is not None and key != public:
        raise VerificationError("keys/log.pub is not the key given with --key")
    if not (store.layout.keys / "log.key").exists():
        return f"{public.name}; the signing key is not here"
    if public_key(public.name, store.keys.seed()) != public:
        raise VerificationError("keys/log.key and keys/log.pub are no pair")
    named = b""
    with suppress(VerificationError):  # a malformed one is named by the next check
        named = read_checkpoint(note, None).fingerprint_key
    here = store.keys.fingerprint_digest()
    if named and not here:
        raise VerificationError("keys/fingerprint.key is missing")
    if named and named != here:
        raise other_fingerprint_key()
    return public.name


def _one_line(path: Path) -> None:
    """Reject extra bytes of a key file that its readers would ignore."""
    try:
        data = read_file(path)
    except FileNotFoundError:
        return
    if data.removesuffix(b"\n") != data.strip():
        raise VerificationError(f"keys/{path.name} has bytes that are no part of it")


def _restores(store: Store) -> str:
    return "; ".join(described(each) for each in restores(store))


def _nothing(layout: Layout, exported: bytes | None) -> str:
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
        raise emptied()
    if leftovers or exported is not None:
        raise VerificationError("log/checkpoint is missing")
    return "nothing is stored yet"


def _log(layout: Layout, tree: Checkpoint) -> tuple[list[Entry], list[bytes]]:
    raw: list[bytes] = []
    for index, width in widths(tree.size):
        path = entries_path(index, width)
        data = _read(layout, path)
        try:
            raw += unpack_entries(data, width)
        except VerificationError:
            raise _first_entry(layout, data, index, width) from None
    leaves = [leaf_hash(data) for data in raw]
    if root(leaves) != tree.root:
        raise _wrong_entry(layout, leaves)
    for path, tile in tiles_after(0, leaves).items():
        if _read(layout, path) != tile:
            raise VerificationError(f"log/{path} does not hold")
    entries = []
    for number, data in enumerate(raw):
        try:
            entries.append(decode_entry(data))
        except VerificationError as error:
            raise VerificationError(f"log entry {number}: {error.message}") from error
    return entries, raw


def _wrong_entry(layout: Layout, leaves: list[bytes]) -> VerificationError:
    """Build the error for the first entry that differs from its hash in the tile."""
    for index, width in widths(len(leaves)):
        stored = _read(layout, tile_path(0, index, width))
        for at, here in enumerate(leaves[index * WIDTH : index * WIDTH + width]):
            if stored[at * 32 : at * 32 + 32] != here:
                place = f"log/{entries_path(index, width)}"
                number = index * WIDTH + at
                return VerificationError(f"{place}: entry {number} does not hold")
    return VerificationError("the log does not lead to the root of its checkpoint")


def _first_entry(
    layout: Layout, data: bytes, index: int, width: int
) -> VerificationError:
    """Build the error for the first entry of a bundle with a wrong length."""
    stored = _read(layout, tile_path(0, index, width))
    at, place = 0, 0
    while at + 2 <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if leaf_hash(data[at + 2 : end]) != stored[place * 32 : place * 32 + 32]:
            break
        at, place = end, place + 1
    number = index * WIDTH + place
    return VerificationError(
        f"log/{entries_path(index, width)}: entry {number} does not hold"
    )


def _read(layout: Layout, path: str) -> bytes:
    try:
        return read_file(layout.log / path)
    except FileNotFoundError:
        raise VerificationError(f"log/{path} is missing") from None


def _journals(store: Store, entries: list[Entry]) -> str:
    layout = store.layout
    torn: list[str] = []
    events: set[tuple[str, str]] = set()  # once each, for any number of processes
    sealed = {e.journal for e in entries if isinstance(e, JournalSealed)}
    opened = {e.journal for e in entries if isinstance(e, JournalOpened)} - sealed
    for name in journal_files.names(layout):
        if name in sealed:
            continue
        head = journal_files.head_bytes(layout, name)
        try:
            journal = journal_files.load(layout, store.keys, name)
        except FileNotFoundError:
            continue
        fault = journal_files.fault(store.keys, name, journal, head)
        if fault and not (name not in opened and not journal.records):
            raise VerificationError(f"journal/{name}.log: {fault}", _RESTORED)
        if journal.behind and name in opened:
            torn.append(
                f"{counted(journal.behind, 'byte')} after the last head of "
                f"journal/{name}.log, never acknowledged"
            )
        briefs = map(decode_brief, journal.records)
        events.update((brief.event_id, brief.raw_sha256) for brief in briefs)
        opened.discard(name)
    # What was sealed and removed since the entries were read is not missing.
    now = {e.journal for e in store.log.entries() if isinstance(e, JournalSealed)}
    for name in sorted(opened - now):
        raise VerificationError(
            f"journal/{name}.log is missing and was never sealed", _RESTORED
        )
    return "; ".join([f"{counted(len(events), 'event')} not sealed yet", *torn])
