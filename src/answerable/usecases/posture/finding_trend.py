"""Count the findings of each snapshot (command `findings trend`)."""

from collections.abc import Iterator
from dataclasses import replace

from answerable.model.documents.shared_shapes import Document
from answerable.model.progress import ProgressCallback
from answerable.presentation.answer_coverage import build_list_coverage
from answerable.services.inventory.snapshots import list_snapshots, load_inventory
from answerable.services.posture.finding_documents import compute_findings
from answerable.services.posture.finding_trend import (
    SnapshotFindings,
    build_trend_items,
    summarize_findings,
)
from answerable.store.store import EvidenceStore


def list_finding_trend(
    store: EvidenceStore, *, now: int, last: int, progress: ProgressCallback
) -> Document:
    """Count the findings of the newest snapshots, each at its own time.

    Policies of the gateway are in no snapshot, so that their rule is not evaluated.

    Args:
        now: UTC nanoseconds.
        last: Number of snapshots.
        progress: Receives the number of the snapshot that is read.
    """
    names = [each.name for each in list_snapshots(store)][-last:]

    def summarize() -> Iterator[SnapshotFindings]:
        for done, name in enumerate(names):
            progress(done, len(names), f"findings of {name}")
            inventory = load_inventory(store, name)
            found = compute_findings(inventory, now=inventory.at, store=store)
            yield summarize_findings(name, inventory, found)

    items = build_trend_items(summarize())
    newest = load_inventory(store, now=now)
    coverage = build_list_coverage("findings", newest, now)
    document = Document("finding-trend", items, coverage)
    noun = "snapshot was" if len(names) == 1 else "snapshots were"
    return replace(document, searched=f"{len(names):,} {noun} compared")
