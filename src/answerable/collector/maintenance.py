"""Run one maintenance task of the store: checkpoint, compact, retain or verify."""

from collections.abc import Sequence
from typing import cast

from answerable.collector.run_result import RunResult
from answerable.model.collection import MaintenanceTask
from answerable.model.documents.evidence import CheckItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.store import StoreChangeItem
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.export_checkpoint import export_checkpoint
from answerable.usecases.evidence.store_life import compact_store, retain_events
from answerable.usecases.evidence.verify_and_prove import verify_evidence

MAX_PROBLEMS = 20


def run_maintenance(store: EvidenceStore, task: MaintenanceTask, now: int) -> RunResult:
    """Run a task; what it could not do is in the result.

    Args:
        store: The store.
        task: The task.
        now: UTC nanoseconds.

    Raises:
        AnswerableError: The task failed.
    """
    if not store.log.checkpoint():
        return RunResult()  # nothing was stored yet
    match task.kind:
        case "checkpoint":
            export_checkpoint(store, task.destination, now=now)
            return RunResult()
        case "compact":
            return _list_open_changes(compact_store(store, now=now))
        case "retain":
            removed = retain_events(store, task.days, task.source, now=now)
            return _list_open_changes(removed)
        case "verify-full":
            return _report_checks(verify_evidence(store, now=now))
        case _:
            return _report_checks(verify_evidence(store, mode="incremental", now=now))


def _list_open_changes(document: Document) -> RunResult:
    """Report the changes that were refused, e.g. by a legal hold."""
    items = cast("Sequence[StoreChangeItem]", document.items)
    problems = [
        f"{each['target']}: "
        + (f"{each['held']:,} events " if each["held"] else "")
        + (each["detail"] or "the store was changed by another process")
        for each in items
        if each["held"] or each["state"] == "open"
    ]
    return RunResult(problems=tuple(problems[:MAX_PROBLEMS]), is_partial=bool(problems))


def _report_checks(document: Document) -> RunResult:
    """Report the first failed check of a verification."""
    for each in cast("Sequence[CheckItem]", document.items):
        if not each["ok"]:
            return RunResult(f"{each['check']}: {each['detail']}")
    return RunResult()
