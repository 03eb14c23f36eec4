"""Compact, retain, hold, repair and measure the events of a store."""

import re
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.store import HoldItem, StoreChangeItem, StoreDayItem
from answerable.model.errors import AnswerableError, UsageError, VerificationError
from answerable.presentation.answer_coverage import (
    build_empty_coverage,
    build_source_coverage,
    format_time,
)
from answerable.presentation.collection_coverage import add_unread_logs
from answerable.services.store_changes import (
    list_removals,
    require_name,
    require_reason,
)
from answerable.store import compaction, legal_holds, retention, store_repair
from answerable.store.collection_state import read_unread_logs
from answerable.store.event_queries import read_event_sources
from answerable.store.fsck_segments import format_count
from answerable.store.held_events import count_held_events
from answerable.store.store import EvidenceStore
from answerable.store.store_statistics import read_day_statistics

MAX_DAYS = 36_500  # of retention
_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


def show_store_statistics(store: EvidenceStore, *, now: int) -> Document:
    """Show the events, segments and bytes of each day.

    Partial if an ingested log was not read completely.
    """
    items: list[StoreDayItem] = [
        {
            "day": each.day,
            "events": each.events,
            "segments": each.segments,
            "bytes": each.size,
            "removed": each.removed,
            "unreadable": each.unreadable,
        }
        for each in read_day_statistics(store)
    ]
    damaged = any(each["unreadable"] for each in items)
    unread = add_unread_logs((), read_unread_logs(store.layout))
    return Document(
        "store",
        items,
        build_source_coverage(unread, now) if unread else build_empty_coverage(),
        failed=damaged,
        next="answerable store repair" if damaged else "",
    )


def compact_store(
    store: EvidenceStore, day: str = "", *, now: int, dry_run: bool = False
) -> Document:
    """Compact the segments of each day into few large ones.

    Failed if a segment does not match its manifest; its day is left as it is.

    Raises:
        UsageError: The day is malformed.
    """
    _require_day(day, "--day")
    items: list[StoreChangeItem] = []
    failed = False
    for group in compaction.plan_compaction(store, day):
        made, detail = None, ""
        if not dry_run:
            try:
                made = compaction.compact_segments(store, group, now)
                detail = f"segment {made.segment}" if made else ""
            except VerificationError as error:  # the other days are compacted
                failed, detail = True, error.message
        items.append(
            {
                "action": "compact",
                "state": "planned" if dry_run else "done" if made else "open",
                "target": f"{group[0].day}: {len(group)} segments",
                "events": sum(each.count for each in group),
                "held": 0,
                "detail": detail,
            }
        )
    if items and not dry_run:  # else the first question computes statistics
        store.queries.refresh_catalogue()
    return Document("store-changes", items, build_empty_coverage(), failed=failed)


def retain_events(
    store: EvidenceStore,
    days: int,
    source: str = "",
    *,
    now: int,
    dry_run: bool = False,
) -> Document:
    """Remove events that are older than a number of days.

    Raises:
        UsageError: The number of days is out of range, or the clock is wrong.
    """
    if not 1 <= days <= MAX_DAYS:
        raise UsageError(
            f"--days must be from 1 to {MAX_DAYS:,} (got {days:,})",
            "90 keeps the last 90 days",
        )
    planned = retention.apply_retention(store, days, source, now, dry_run=dry_run)
    if not dry_run and any(each.rows for each in planned):
        # A plan, and a store that has nothing old, needs no query of the chains.
        from answerable.services.inventory.snapshots import remove_outdated_inventories
        from answerable.services.lineage.question_files import rewrite_question_files

        rewrite_question_files(store)
        remove_outdated_inventories(store)
    items = list_removals("retain", planned, dry_run=dry_run)
    unknown = _describe_unknown_source(store, source) if source and not items else ""
    return Document(
        "store-changes",
        items,
        build_empty_coverage(),
        failed=any(each.unreadable for each in planned),
        note=unknown and f"warning: {unknown}",
    )


def place_hold(
    store: EvidenceStore, hold: legal_holds.LegalHold, *, now: int
) -> Document:
    """Place a legal hold, and list the holds in force.

    Raises:
        UsageError: The reason is missing, or a day or the person is malformed.
    """
    require_reason(hold.reason)
    if hold.person:
        hint = "without --person, the hold covers events of all persons"
        require_name(hold.person, 1, hint)
    _require_day(hold.since, "--since")
    _require_day(hold.until, "--until")
    if hold.since and hold.until and hold.since > hold.until:
        raise UsageError(
            "the held days are empty (expected --since before --until)",
            "both days are held",
        )
    legal_holds.place_hold(store, hold, now)
    said = _describe_held_events(store, hold)
    if hold.person and (others := _describe_other_names(store, hold.person)):
        said += f"; warning: {others}: place a hold for each"
    return replace(list_holds(store), note=said)


def list_holds(store: EvidenceStore) -> Document:
    """List the legal holds in force."""
    items: list[HoldItem] = [
        {
            "id": digest[:12],
            "since": hold.since,
            "until": hold.until,
            "source": hold.source,
            "person": hold.person,
            "reason": hold.reason,
            "at": format_time(int(hold.at)),
        }
        for digest, hold in legal_holds.read_holds(store).items()
    ]
    return Document("holds", items, build_empty_coverage())


def release_hold(
    store: EvidenceStore, hold_id: str, reason: str, *, now: int
) -> Document:
    """Release a legal hold, and list the holds that remain.

    Raises:
        UsageError: There is no such hold, or the reason is missing.
    """
    require_reason(reason)
    legal_holds.release_hold(store, hold_id, reason, now)
    return list_holds(store)


def repair_files(
    store: EvidenceStore, copy: Path | None = None, *, now: int, dry_run: bool = False
) -> Document:
    """Repair the files of segments, and list each step."""
    steps = store_repair.repair_store(store, copy, now, dry_run=dry_run)
    items: list[StoreChangeItem] = [
        {
            "action": step.action,
            "state": "open" if step.failed else "planned" if dry_run else "done",
            "target": step.target,
            "events": 0,
            "held": 0,
            "detail": step.detail,
        }
        for step in steps
    ]
    return Document(
        "store-changes",
        items,
        build_empty_coverage(),
        failed=any(step.failed for step in steps),
    )


def _describe_held_events(store: EvidenceStore, hold: legal_holds.LegalHold) -> str:
    """Describe how many events are under a new hold; a warning if there are none."""
    try:
        count = count_held_events(store, hold)
        unreadable = len(store.find_unreadable_segments())
        unknown = _describe_unknown_source(store, hold.source) if hold.source else ""
    except AnswerableError:
        return "the hold is in force; its events could not be counted"
    rest = f"; {format_count(unreadable, 'unreadable segment')} not counted"
    rest = rest if unreadable else ""
    if count is None:
        return "the hold is in force; too many events to search for the person"
    if count:
        return f"the hold now covers {format_count(count, 'event')}{rest}"
    why = unknown or "check the spelling and the days"
    return (
        "warning: the hold is in force, but no stored event is under it now"
        f"{rest}: {why}"
    )


def _describe_other_names(store: EvidenceStore, person: str) -> str:
    """Describe the other names of a person; empty if none is known."""
    from answerable.services.inventory.other_names import describe_other_names

    return describe_other_names(store, [person])


def _describe_unknown_source(store: EvidenceStore, source: str) -> str:
    """Return a warning about a log source without events; empty for a known one."""
    known = read_event_sources(store)
    if source in known:
        return ""
    close = get_close_matches(source[:80], known, 1, 0.6)
    suggestion = f"; did you mean {close[0]}?" if close else ""
    listed = ", ".join(sorted(known)) or "none"
    return f"no readable event is from the source {source!r} (stored: {listed}){suggestion}"


def _require_day(day: str, option: str) -> None:
    """Refuse a malformed day."""
    try:
        is_day = not day or (
            _DAY.fullmatch(day) is not None and bool(date.fromisoformat(day))
        )
    except ValueError:
        is_day = False
    if not is_day:
        raise UsageError(
            f"{option} is not a day (got {day[:40]!r}, expected YYYY-MM-DD)",
            "list the days of the store: answerable store stats",
        )
