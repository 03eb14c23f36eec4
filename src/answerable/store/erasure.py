"""Erase a person: rows and objects that mention one, and every copy in derived files.

Leaves commit to a random salt beside each row. A row that is erased with its salt leaves
a hash that cannot be guessed, so that the rest still proves.
"""

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import msgspec

from answerable.evidence.case_records import CASE_RECORD
from answerable.evidence.log_entries import ObjectEntry, ObjectRemoved
from answerable.model.errors import AnswerableError, UsageError
from answerable.store import journal_files
from answerable.store.chain_writer import lock_chain_file
from answerable.store.change_lock import lock_log
from answerable.store.collection_state import forget_unread_locations
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import mark_crash_point
from answerable.store.erasure_guard import lock_derived_files
from answerable.store.fsck_objects import refuse_unlisted_objects
from answerable.store.legal_holds import read_holds
from answerable.store.mention_search import SET_ASIDE, MentionSearch
from answerable.store.object_store import read_compressed_object
from answerable.store.retention import build_hold_conditions
from answerable.store.row_conditions import build_person_condition
from answerable.store.row_removal import PlannedRemoval, plan_removal, remove_rows
from answerable.store.segment_files import delete_files, delete_unfinished_files
from answerable.store.temporary_folders import sweep_temporary_folders

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

ERASURE_KIND = "erasure"
# Folders of which the plan lists the rows and objects to erase, not the files.
_SEARCHED_FOLDERS = (
    "derived",
    "journal",
    "objects",
    "quarantine",
    "segments",
    SET_ASIDE,
)
# Objects of these kinds name events by their ids, which contain a part of a hash.
_NAMING_EVENTS = ("conflict", CASE_RECORD)


class ErasureRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Erasure of a person, as recorded in the log; it does not name the person.

    Attributes:
        id: Random id of the erasure.
        reason: Reason in the words of the person who erased.
        events: Erased rows.
        objects: Erased objects.
        at: UTC nanoseconds as a decimal string.
        schema: `answerable/erasure/v1`.
    """

    id: str
    reason: str
    events: int
    objects: int
    at: str
    schema: str = "answerable/erasure/v1"


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """Result of an erasure, or its plan.

    Attributes:
        rows: Rows of each segment that mention the person.
        objects: Kind and digest of each object to remove.
        used: Kind and digest of each object that mentions the person and is in use.
        held: Kind and digest of each object that a legal hold keeps.
        unsealed: Number of records that mention the person, by journal; a plan only.
        remaining: Files that still mention the person afterwards.
        damaged: Damaged files, set aside by a repair, that mention the person or cannot
            be searched; deleted, unless there is a legal hold.
    """

    rows: Sequence[PlannedRemoval]
    objects: Sequence[tuple[str, str]]
    used: Sequence[tuple[str, str]]
    held: Sequence[tuple[str, str]] = ()
    unsealed: Sequence[tuple[str, int]] = ()
    remaining: Sequence[str] = ()
    damaged: Sequence[str] = ()


def erase_person(
    store: "EvidenceStore",
    names: Sequence[str],
    reason: str,
    now: int,
    *,
    find_used_objects: Callable[[Collection[str]], tuple[set[str], set[str]]],
    dry_run: bool,
) -> ErasureResult:
    """Erase every row and object that mentions a person, except under a legal hold.

    Args:
        store: The store.
        names: Names of the person, with or without `person:`.
        reason: Reason, which must not contain a name.
        now: UTC nanoseconds.
        find_used_objects: Takes the digests that mention the person; gives those that
            are in use, and those that refer to one and are removed with it.
        dry_run: Plan without erasing.

    Raises:
        UsageError: The reason or an unsealed record mentions the person.
        VerificationError: A segment or a hold cannot be read; nothing was erased.
        EnvironmentFailure: The disk failed; the command may be repeated.
    """
    store.layout.refuse_remote()
    search = MentionSearch(names)
    if search.in_text(reason):
        raise UsageError(
            "the reason names the person", "the reason is kept: omit the name"
        )
    if not dry_run:
        store.seal(now)
        sweep_temporary_folders(store.layout)
    unsealed = list(_count_unsealed_records(store, search))
    if unsealed and not dry_run:
        raise UsageError(
            f"journal/{unsealed[0][0]}.log mentions the person, and the process that "
            "writes it is running",
            "end that process, or wait until it seals its events; then repeat",
        )
    with ExitStack() as locks:
        if not dry_run:  # chains that are derived now would be written afterwards
            locks.enter_context(lock_chain_file(store))
        locks.enter_context(lock_log(store, dry_run=dry_run))
        refuse_unlisted_objects(store)
        if not dry_run:
            delete_unfinished_files(store.layout, store.log.entries())
        holds = read_holds(store)
        planned = plan_removal(
            store,
            lambda day: True,
            build_person_condition(names),
            build_hold_conditions(holds.values()),
        )
        kinds = _list_object_kinds(store)
        found = _find_objects(store, kinds, search)
        found |= _find_objects_of_events(store, kinds, planned)
        used, referring = find_used_objects(found)
        kept = set(holds) & found
        objects = sorted((found | referring) - used - kept)
        damaged = [] if holds else search.list_damaged_files(store)
        result = ErasureResult(
            planned,
            [(kinds[each], each) for each in objects],
            [(kinds[each], each) for each in sorted(used)],
            [(kinds[each], each) for each in sorted(kept)],
            damaged=[str(each.relative_to(store.root)) for each in damaged],
        )
        if dry_run:
            kept_files = search.list_files(store, without=_SEARCHED_FOLDERS)
            return replace(result, unsealed=unsealed, remaining=tuple(kept_files))
        events = sum(len(each.rows) for each in planned)
        if events or objects:
            record = ErasureRecord(
                secrets.token_hex(16), reason, events, len(objects), str(now)
            )
            policy = store.put_object(ERASURE_KIND, msgspec.json.encode(record), now)
            remove_rows(store, planned, "erasure", policy, now)
            _remove_objects(store, objects, policy, now)
        delete_files(damaged)
        forget_unread_locations(store.layout, search.in_text)
        _delete_derived_files(store)
    return replace(result, remaining=tuple(search.list_files(store)))


def _count_unsealed_records(
    store: "EvidenceStore", search: MentionSearch
) -> Iterator[tuple[str, int]]:
    """Count the records that mention the person in each journal that has some."""
    for name in store.layout.list_journals():
        with suppress(FileNotFoundError):
            records = journal_files.read_unsealed_records(store.layout, name)
            if count := sum(map(search.in_bytes, records)):
                yield name, count


def _list_object_kinds(store: "EvidenceStore") -> dict[str, str]:
    """List the kinds of all stored objects by digest."""
    entries = store.log.entries()
    return {e.sha256: e.of for e in entries if isinstance(e, ObjectEntry)}


def _find_objects(
    store: "EvidenceStore", kinds: dict[str, str], search: MentionSearch
) -> set[str]:
    """Find the objects that mention the person."""
    return {
        digest
        for digest, kind in kinds.items()
        if (data := _read_object(store, digest, kind)) is not None
        and search.in_bytes(data)
    }


def _find_objects_of_events(
    store: "EvidenceStore", kinds: dict[str, str], planned: Iterable[PlannedRemoval]
) -> set[str]:
    """Find the conflicts and the case records that name an erased event."""
    naming = [digest for digest, kind in kinds.items() if kind in _NAMING_EVENTS]
    if not naming:
        return set()
    erased = {key.hex() for each in planned for key in _read_event_ids(store, each)}
    return {
        digest
        for digest in naming
        if (data := _read_object(store, digest, kinds[digest])) is not None
        and any(key in erased for key in re.findall("[0-9a-f]{32}", data.decode()))
    }


def _read_event_ids(store: "EvidenceStore", planned: PlannedRemoval) -> list[bytes]:
    """Read the ids of the events that are removed from a segment."""
    live = planned.state.live
    if live is None or not planned.rows:
        return []
    path = store.layout.segment_file(live.day, live.segment, ".parquet").absolute()
    engine = DuckDbEngine(store.layout.segments)
    try:
        rows = engine.run(
            f"SELECT event_id FROM read_parquet({quote_text(str(path))}, "  # noqa: S608 - ours
            "hive_partitioning=false, file_row_number=true) "
            f"WHERE file_row_number IN ({', '.join(map(str, planned.rows))})"
        )
    finally:
        engine.close()
    return [cast("bytes", key) for (key,) in rows]


def _remove_objects(
    store: "EvidenceStore", digests: Sequence[str], policy: str, now: int
) -> None:
    """Remove objects: log it, then delete their files.

    What differs from one of them is stored whole first.
    """
    if not digests:
        return
    store.store_whole(digests)
    store.log.append(
        [
            ObjectRemoved(sha256=each, cause="erasure", policy=policy, at=str(now))
            for each in digests
        ]
    )
    mark_crash_point("erasure-objects-logged")
    layout = store.layout
    delete_files(
        folder / name
        for each in digests
        for folder in (layout.objects, layout.quarantine)
        for name in (each, f".{each}.new")
    )
    mark_crash_point("erasure-objects-deleted")


def _delete_derived_files(store: "EvidenceStore") -> None:
    """Delete the caches of the store, which contain copies of rows and objects."""
    folder = store.root / "derived"
    with lock_derived_files(store.layout, alone=True):
        if folder.is_dir():
            delete_files(path for path in sorted(folder.rglob("*")) if path.is_file())
    mark_crash_point("erasure-caches-deleted")


def _read_object(store: "EvidenceStore", digest: str, kind: str) -> bytes | None:
    """Read an object; None if it was removed or is damaged."""
    layout = store.layout
    folder = layout.quarantine if kind == "quarantine" else layout.objects
    with suppress(AnswerableError, OSError):
        return read_compressed_object(folder / digest)
    return None
