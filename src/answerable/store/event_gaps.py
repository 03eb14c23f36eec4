"""Name the events that answers lack: in unreadable files, or removed by a policy."""

from collections import defaultdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from answerable.evidence.journal_format import HEAD_SIZE, parse_head, read_journal
from answerable.evidence.log_entries import (
    RowsRemoved,
    SegmentManifest,
    list_live_segments,
    list_unsealed_journals,
)
from answerable.model.inventory import REMOVALS, EventGaps
from answerable.store import journal_files
from answerable.store.durable_files import read_regular_file

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_FIRST_DAY = date(1970, 1, 1).toordinal()


def read_event_gaps(
    store: "EvidenceStore", *, look_at_files: bool = False
) -> EventGaps:
    """Read the events that a store lacks, as lines for the coverage of an answer.

    Args:
        store: The store.
        look_at_files: Look at both ends of each segment file, if no query read them;
            damage in the middle of a file is not found.
    """
    lost = dict(store.find_unreadable_segments())
    if look_at_files:
        from answerable.store.damaged_segments import find_damaged_files

        live = list_live_segments(store.log.entries())
        cut = find_damaged_files(store.layout, live, ends_only=True)
        lost |= {
            each.segment: (each, "damaged") for each in live if each.segment in cut
        }
    unreadable = [
        f"events of {manifest.day}: segment {manifest.segment} "
        f"({manifest.count:,} events) is {reason}"
        for manifest, reason in lost.values()
    ]
    unreadable += _describe_damaged_journals(store)
    return EventGaps(tuple(unreadable), tuple(_describe_removals(store)))


def read_incomplete_days(store: "EvidenceStore") -> frozenset[int] | None:
    """Read the UTC days since 1970 of which the store lacks events that were in a log.

    Returns:
        None if the days are not known: a journal of unsealed events lacks events.
    """
    if _describe_damaged_journals(store):
        return None
    entries = store.log.entries()
    removed = {each.segment for each in entries if isinstance(each, RowsRemoved)}
    removed |= store.find_unreadable_segments().keys()
    segments = (each for each in entries if isinstance(each, SegmentManifest))
    return frozenset(
        date.fromisoformat(each.day).toordinal() - _FIRST_DAY
        for each in segments
        if each.segment in removed
    )


def _describe_damaged_journals(store: "EvidenceStore") -> list[str]:
    """Describe the journals that lack events: missing, damaged, or cut at an end.

    Signatures are not verified, as for segments.
    """
    found: dict[str, str] = {}
    for name in sorted(list_unsealed_journals(store.log.entries())):
        # The head first: a live journal grows between the two reads.
        head = journal_files.read_head_file(store.layout, name)
        try:
            data = read_regular_file(store.layout.journal_file(name))
        except FileNotFoundError:
            if store.layout.remote is None:  # it may be on another machine
                found[name] = "is missing"
            continue
        journal = read_journal(data, name, lambda signature, text: True)
        count = len(journal.records)
        if journal.fault and not journal.torn:
            found[name] = f"is damaged after {count:,} events"
        elif head is None or len(head) != HEAD_SIZE:
            found[name] = "may lack events: its head file is missing or damaged"
        elif parse_head(head).count > count:
            found[name] = f"was cut after {count:,} events"
    left = list_unsealed_journals(store.log.entries())  # not sealed meanwhile
    return [
        f"events not sealed yet: journal/{name}.log {found[name]}"
        for name in found
        if name in left
    ]


def _describe_removals(store: "EvidenceStore") -> list[str]:
    """Describe the rows that policies removed: cause, first and last day, dates."""
    entries = store.log.entries()
    removals = [each for each in entries if isinstance(each, RowsRemoved)]
    if not removals:
        return []
    from answerable.evidence.log_entries import read_segment_states

    states = {e.manifest.segment: e.manifest for e in read_segment_states(entries)}
    left = {name: manifest.count for name, manifest in states.items()}
    counts: dict[str, int] = defaultdict(int)
    days: dict[str, set[str]] = defaultdict(set)
    dates: dict[str, str] = {}
    again: set[str] = set()  # causes whose days have later events
    for each in entries:
        if isinstance(each, SegmentManifest) and not each.replaces:
            again.update(cause for cause, found in days.items() if each.day in found)
        if not isinstance(each, RowsRemoved):
            continue
        counts[each.cause] += left[each.segment] - each.count
        left[each.segment] = each.count
        days[each.cause].add(states[each.segment].day)
        dates[each.cause] = format_date(int(each.at))
    return [
        f"{counts[cause]:,} events of {min(days[cause])} to {max(days[cause])}: "
        f"{REMOVALS.get(cause, cause)}, last on {dates[cause]}"
        + ("; later ingests stored events of these days" if cause in again else "")
        for cause in sorted(counts)
    ]


def format_date(at: int) -> str:
    """Format a time as a UTC date, `YYYY-MM-DD`."""
    return datetime.fromtimestamp(at // 10**9, tz=UTC).strftime("%Y-%m-%d")
