"""Checks of the evidence, of its last verification and export, and of the scheduled maintenance tasks."""

from collections.abc import Iterator

from answerable.evidence.restore_events import RESTORE_KIND
from answerable.model.documents.evidence import CheckItem
from answerable.model.errors import AnswerableError
from answerable.model.time_units import DAY_NS, SECOND_NS
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.relative_time import format_ago, format_span
from answerable.store.checkpoint_exports import load_checkpoint_exports
from answerable.store.collection_state import read_task_states
from answerable.store.event_gaps import read_event_gaps
from answerable.store.fsck_keys import check_key_files
from answerable.store.fsck_objects import list_object_files
from answerable.store.legal_holds import read_holds
from answerable.store.object_store import get_temporary_object_path
from answerable.store.store import EvidenceStore
from answerable.store.store_keys import parse_own_checkpoint
from answerable.store.verification_record import (
    FAILED,
    FULL,
    INCREMENTAL,
    load_verified_states,
)

MAX_EXPORT_AGE = MAX_VERIFICATION_AGE = 30 * DAY_NS
_EVIDENCE_HINT = (
    "answerable evidence verify names the fault; restore the file from a copy: "
    "answerable store repair --from FOLDER"
)
_NOTHING_MISSING = "no segment, journal or object is missing"
_KEY_HINT = "restore the files of the folder keys and log/checkpoint from a backup"

_ROLLBACK_HINT = (
    "compare: answerable evidence verify --checkpoint FILE; record a restore: "
    "answerable evidence restored --checkpoint FILE --reason TEXT"
)


def check_verification(store: EvidenceStore, now: int) -> Iterator[CheckItem]:
    """Check that no event is missing, and the signature of the log's newest head.

    The second item says when the evidence was last verified, by mode.

    A verification is advised after 30 days.
    """
    states = load_verified_states(store)
    note = store.log.checkpoint()
    if not note:
        return
    lost = [(each, _EVIDENCE_HINT) for each in read_event_gaps(store).unreadable]
    lost += [(each, _EVIDENCE_HINT) for each in _list_lost_objects(store)]
    lost += [(each, _ROLLBACK_HINT) for each in _list_lost_entries(store, note)]
    try:
        parse_own_checkpoint(note, store.keys.public_key)
        check_key_files(store, None, note)
    except AnswerableError as error:
        lost.append((error.message, error.hint or _KEY_HINT))
    if failed := states.pop(FAILED, None):
        ago = format_ago(format_time(failed.at), now)
        detail = f"a verification failed {ago}, and no full one succeeded since"
        lost.append((detail, _EVIDENCE_HINT))
    for detail, hint in lost or [(_NOTHING_MISSING, "")]:
        yield {"check": "evidence", "ok": not lost, "detail": detail, "hint": hint}
    done = [
        f"{mode} {format_ago(format_time(states[mode].at), now)}"
        for mode in sorted(states)
    ]
    last = max((states[m].at for m in (FULL, INCREMENTAL) if m in states), default=0)
    ok = now - last < MAX_VERIFICATION_AGE
    yield {
        "check": "verified",
        "ok": ok,
        "detail": ", ".join(done) or "the evidence was never verified",
        "hint": "" if ok else "verify it: answerable evidence verify --incremental",
    }


def _list_lost_objects(store: EvidenceStore) -> Iterator[str]:
    """Name the first missing object, and a legal hold that cannot be read."""
    if store.layout.remote is not None:  # an object is read from there on use
        return
    missing = [
        str(each.relative_to(store.root))
        for each in list_object_files(store)
        if not each.is_file() and not get_temporary_object_path(each).is_file()
    ]
    if missing:
        more = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        yield f"{missing[0]} is missing{more}"
        return
    try:
        read_holds(store)
    except AnswerableError as error:
        yield f"{error.message}: no event can be removed"


def _list_lost_entries(store: EvidenceStore, note: bytes) -> Iterator[str]:
    """Name an export of more entries than the log has, unless a restore is recorded."""
    restored = max((each.at for each in store.list_objects(RESTORE_KIND)), default=0)
    try:
        size = parse_own_checkpoint(note, None).size
        exports = load_checkpoint_exports(store.layout)
    except AnswerableError:  # another check names it
        return
    for destination, export in sorted(exports.items()):
        if export.size > size and export.at > restored:
            yield (
                f"the log has {size:,} entries, but {export.size:,} were exported to "
                f"{destination}: it was truncated, or an older copy was restored"
            )


def check_checkpoint_exports(store: EvidenceStore, now: int) -> Iterator[CheckItem]:
    """Check that a checkpoint was exported in the last 30 days, once there are events."""
    note = store.log.checkpoint()
    if not note:
        return
    export = "answerable evidence checkpoint --export FILE"
    try:
        size = parse_own_checkpoint(note, None).size
        exports = load_checkpoint_exports(store.layout)
    except AnswerableError as error:
        yield {
            "check": "checkpoint",
            "ok": False,
            "detail": f"the last export is not known: {error.message}",
            "hint": f"the next export writes the file again: {export}",
        }
        return
    parts = [
        f"{format_ago(format_time(each.at), now)} to {destination} "
        f"({each.size:,} of {size:,} entries)"
        for destination, each in sorted(exports.items(), key=lambda item: -item[1].at)
    ]
    last = max((each.at for each in exports.values()), default=0)
    ok = now - last < MAX_EXPORT_AGE
    yield {
        "check": "checkpoint",
        "ok": ok,
        "detail": "exported " + ", ".join(parts) if parts else "it was never exported",
        "hint": "" if ok else f"export it to another machine: {export}",
    }


def check_maintenance_tasks(store: EvidenceStore, now: int) -> Iterator[CheckItem]:
    """Check that no maintenance task of the collector is late or failed.

    Refused changes, e.g. of events under a legal hold, are listed.
    """
    for state in read_task_states(store.layout):
        late, failed = now > state.late_after, state.failed_at > state.succeeded_at
        parts = []
        if state.succeeded_at:
            parts.append(f"done {format_ago(format_time(state.succeeded_at), now)}")
        if failed:
            ago = format_ago(format_time(state.failed_at), now)
            parts.append(f"failed {ago}: {state.reason}")
        if late:
            parts.append(
                f"late by {format_span((now - state.late_after) // SECOND_NS)}"
            )
        parts += state.problems
        ok = not late and not failed
        yield {
            "check": f"maintenance {state.source}",
            "ok": ok,
            "detail": "; ".join(parts) or "not run yet",
            "hint": "" if ok else "see the log of the collector, and docs/collector.md",
        }
