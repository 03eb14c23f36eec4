"""Count the findings of each snapshot (command `findings trend`)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from answerable.model.documents.shared_shapes import Document
from answerable.model.progress import ProgressCallback
from answerable.model.time_units import DAY_NS
from answerable.presentation.answer_coverage import build_list_coverage
from answerable.services.inventory.snapshots import list_snapshots, load_inventory
from answerable.services.posture.finding_documents import compute_findings
from answerable.services.posture.finding_trend import (
    SnapshotFindings,
    build_trend_items,
    summarize_findings,
)
from answerable.store.event_queries import read_log_spans
from answerable.store.store import EvidenceStore


def select_spread(
    snapshots: Sequence[tuple[int, str]], since: int, most: int
) -> list[str]:
    """Select names of snapshots since a time, evenly spread over it.

    The newest two are always selected, so that the last change is that of the last scan.

    Args:
        snapshots: Time (UTC nanoseconds) and name, oldest first.
        since: UTC nanoseconds; the last snapshot before it is the first to compare with.
        most: Number of snapshots.
    """
    older = [each for each in snapshots if each[0] < since][-1:]
    found = [*older, *(each for each in snapshots if each[0] >= since)]
    kept = min(2, most)
    newest, rest = found[-kept:], found[:-kept]
    free = max(0, most - len(newest))
    if len(rest) > free:
        begin, end = rest[0][0], newest[0][0]
        ticks = [begin + (end - begin) * n // max(1, free) for n in range(free)]
        # The last snapshot at or before each tick; ticks may share one.
        chosen = {max(each for each in rest if each[0] <= tick) for tick in ticks}
        rest = sorted(chosen)
    return [name for _, name in (*rest, *newest)]


def list_finding_trend(
    store: EvidenceStore,
    *,
    now: int,
    last: int,
    progress: ProgressCallback,
    days: int | None = None,
) -> Document:
    """Count the findings of the newest snapshots, each at its own time.

    Policies of the gateway are in no snapshot, so that their rule is not evaluated.

    Args:
        now: UTC nanoseconds.
        last: Number of snapshots.
        days: Days whose snapshots are compared, evenly spread; None for the newest ones.
        progress: Receives the number of the snapshot that is read.
    """
    snapshots = list_snapshots(store)
    if days is None:
        names = [each.name for each in snapshots[-last:]]
    else:
        names = select_spread(
            [(each.at, each.name) for each in snapshots], now - days * DAY_NS, last
        )

    def summarize() -> Iterator[SnapshotFindings]:
        for done, name in enumerate(names):
            progress(done, len(names), f"findings of {name}")
            inventory = load_inventory(store, name)
            found = compute_findings(inventory, now=inventory.at, store=store)
            yield summarize_findings(name, inventory, found)

    items = build_trend_items(summarize())
    newest = load_inventory(store, now=now)
    logs = {source for source, _ in read_log_spans(store)}
    coverage = build_list_coverage("findings", newest, now, logs=logs)
    document = Document("finding-trend", items, coverage)
    noun = "snapshot was" if len(names) == 1 else "snapshots were"
    return replace(document, searched=f"{len(names):,} {noun} compared")
