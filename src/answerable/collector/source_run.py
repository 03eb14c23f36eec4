"""Scan or ingest one source, or run one task of the store, as a process of its own.

    python -P -m answerable.collector.source_run STORE SOURCE PARENT

writes one `RunResult` as JSON. A parser that exhausts the memory or hangs ends with this
process. The process ends with the collector: a run is never left over.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
from msgspec.structs import replace

from answerable.collector.deployed_watch import compare_deployed_permissions
from answerable.collector.maintenance import run_maintenance
from answerable.collector.run_result import RunResult
from answerable.connectors import registry
from answerable.model.collection import WATCH_DEPLOYED, parse_maintenance_task
from answerable.model.connector import EventBatch
from answerable.model.documents.shared_shapes import Document, IngestItem
from answerable.model.errors import AnswerableError
from answerable.model.log_position import FilePosition, LogCursor
from answerable.services.inventory.scan_sources import find_source_capability
from answerable.services.lineage.question_files import write_question_files
from answerable.store.collection_state import read_log_cursor, write_log_cursor
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.inventory.scan import scan_sources

MAX_PROBLEMS = 20  # lines that are kept of one run
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def run_source(store_root: Path, source: str) -> RunResult:
    """Scan or ingest a source with an absolute location, and store the result.

    Args:
        store_root: Folder of the store.
        source: `NAME:LOCATION`, or a maintenance task.
    """
    task = parse_maintenance_task(source)
    now = time.time_ns()
    root = Path("/")
    try:
        if task is not None and task.kind == WATCH_DEPLOYED:
            return compare_deployed_permissions(store_root, task.config)
        with EvidenceStore.open(store_root, now=now) as store:
            if task is not None:
                result = run_maintenance(store, task, now)
            elif find_source_capability(source) == registry.EVENTS:
                result = _ingest_log_files(store, source, now)
            else:
                result = _scan_result(
                    scan_sources(store, [source], now=now, home=root, cwd=root)
                )
            if not result.stored:  # an ingest has done so
                write_question_files(store, 0, now=time.time_ns())
            return result
    except AnswerableError as error:
        return RunResult(error.message)
    except Exception as error:  # noqa: BLE001 - its text may contain input
        return RunResult(f"internal error: {type(error).__name__}")


def _ingest_log_files(store: EvidenceStore, source: str, now: int) -> RunResult:
    """Ingest the parts of a log that are new since the positions of earlier runs."""
    cursor = read_log_cursor(store.layout, source)
    positions: dict[str, FilePosition] = {}
    newest = 0

    def find_newest(batch: EventBatch) -> None:
        nonlocal newest
        times = [each.event_time for each in batch.events]
        times += batch.encoded.event_times
        newest = max(newest, *times, 0)

    def keep_positions(stored: LogCursor) -> None:
        positions.update(stored)
        write_log_cursor(store.layout, source, cursor | positions)

    result = _ingest_result(
        ingest_logs(
            store,
            [source],
            now=now,
            cursor=cursor,
            keep_positions=keep_positions,
            observe=find_newest,
        )
    )
    if cursor.keys() - positions.keys():  # files that are gone
        write_log_cursor(store.layout, source, positions)
    return replace(result, newest=newest)


def _ingest_result(document: Document) -> RunResult:
    """Convert an ingest's output document to the result of a run."""
    (item,) = cast("Sequence[IngestItem]", document.items)
    lines = [line for each in document.coverage["sources"] for line in each["problems"]]
    return RunResult(
        problems=tuple(lines[:MAX_PROBLEMS]),
        is_partial=document.is_partial,
        stored=item["stored"],
    )


def _scan_result(document: Document) -> RunResult:
    """Build the result of a scan from its document; problems are in the snapshot."""
    return RunResult(
        names=tuple(str(item["source"]) for item in document.items),
        is_partial=document.is_partial,
    )


def _die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends (PR_SET_PDEATHSIG(2const))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def main(store_root: str, source: str, parent: str) -> None:
    """Run one source, and write the result to standard output."""
    _die_with_parent(int(parent))
    sys.stdout.buffer.write(msgspec.json.encode(run_source(Path(store_root), source)))


if __name__ == "__main__":
    main(*sys.argv[1:])
