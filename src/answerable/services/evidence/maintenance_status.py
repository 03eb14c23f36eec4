"""Checks of the last checkpoint export and of the scheduled maintenance tasks."""

from collections.abc import Iterator

from answerable.model.documents.evidence import CheckItem
from answerable.model.time_units import DAY_NS, SECOND_NS
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.relative_time import format_ago, format_span
from answerable.store.checkpoint_exports import load_checkpoint_exports
from answerable.store.collection_state import read_task_states
from answerable.store.store import EvidenceStore
from answerable.store.store_keys import parse_own_checkpoint

MAX_EXPORT_AGE = 30 * DAY_NS


def check_checkpoint_exports(store: EvidenceStore, now: int) -> Iterator[CheckItem]:
    """Check that a checkpoint was exported in the last 30 days, once there are events."""
    note = store.log.checkpoint()
    if not note:
        return
    size = parse_own_checkpoint(note, None).size
    exports = load_checkpoint_exports(store.layout)
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
        "hint": ""
        if ok
        else "export it to another machine: answerable evidence checkpoint --export FILE",
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
