"""Read a gateway's spool in bounded batches, and remove stored records."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

from answerable.connectors.gateway.recorder_folder import (
    RecorderFolder,
    list_record_files,
    open_folder,
    try_lock,
)
from answerable.connectors.user_path import expand_user_path
from answerable.model.connector import EventBatch, EventContext, EventLimits
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.model.sighting import ReadProblem, ReadProblemKind

_LOCK_TIMEOUT = 60.0  # seconds that reading a spool waits until what it has was shipped
_LOCK_POLL_SECONDS = 0.05  # seconds between two looks


def read(location: str, context: EventContext) -> Iterator[EventBatch]:
    """Yield the events of a spool or of one recorder's folder, without changes.

    A call of a running recorder is read after its end.

    Raises:
        UsageError: The location is not a folder, or contains no gateway records.
        EnvironmentFailure: It is not readable.
    """
    path = expand_user_path(location)
    if not path.is_dir():
        raise UsageError(
            f"not a folder (got {location!r})",
            "name the spool of a gateway: STATE/spool, where STATE is `state` of "
            "its configuration",
        )
    if not _list_recorder_folders(path):
        raise UsageError(
            f"no gateway records in the folder (got {location!r})",
            "name the spool of a gateway that has decided calls: STATE/spool",
        )
    return _read_spool(path, context)


def _read_spool(path: Path, context: EventContext) -> Iterator[EventBatch]:
    """Yield the batches of a spool while it is locked for reading."""
    with lock_spool(path, fcntl.LOCK_SH, timeout_seconds=_LOCK_TIMEOUT):
        yield from SpoolReader(path).read_batches(context.limits)


@contextmanager
def lock_spool(
    path: Path, lock_mode: int, *, timeout_seconds: float = 0.0
) -> Iterator[None]:
    """Hold a lock on a spool, shared for reading or exclusive for shipping.

    Args:
        path: The spool.
        lock_mode: `fcntl.LOCK_SH` to read, `fcntl.LOCK_EX` to ship.
        timeout_seconds: Seconds to wait for the current holder, which may be suspended.

    Raises:
        EnvironmentFailure: It is not readable, or another process holds the lock.
    """
    until = time.monotonic() + timeout_seconds
    with open_folder(path) as handle:
        while not try_lock(handle, lock_mode):
            if time.monotonic() >= until:
                raise EnvironmentFailure(
                    f"the spool is being shipped or read: {path}",
                    "run the command again when that is complete; if it never "
                    "completes, look for evidence.not-shipped in the log of "
                    "`serve`",
                )
            time.sleep(_LOCK_POLL_SECONDS)
        yield


class SpoolReader:
    """Reader of all recorder folders of a spool.

    Args:
        path: The spool, or the folder of one recorder.

    Raises:
        EnvironmentFailure: It is not readable.
    """

    def __init__(self, path: Path) -> None:
        self._folders = [RecorderFolder(each) for each in _list_recorder_folders(path)]

    def read_batches(self, limits: EventLimits) -> Iterator[EventBatch]:
        """Yield new records, recorder by recorder."""
        sizes = [folder.size for folder in self._folders]
        total, done = sum(sizes), 0
        for folder, upto in zip(self._folders, accumulate(sizes), strict=True):
            events: list[AuditEvent] = []
            aside: list[QuarantinedRecord] = []
            for piece in folder.read_lines():
                done += piece.size
                events += [piece.event] if piece.event is not None else []
                aside += [piece.quarantined] if piece.quarantined is not None else []
                if len(events) + len(aside) >= limits.batch:
                    yield _build_event_batch(folder, events, aside, done, total)
                    events, aside = [], []
            done = upto
            yield EventBatch(
                place=str(folder.path),
                events=tuple(events),
                quarantined=tuple(aside),
                done_bytes=done,
                total_bytes=total,
                problems=folder.problems,
                skipped=("the start or end of a recorder",) * folder.lifecycle_count,
            )
        if lost := self._find_lost_records():
            yield EventBatch("", (), (), done, total, lost)

    def remove_shipped(self) -> None:
        """Remove records that were read, after they are durable in the store."""
        for folder in self._folders:
            folder.remove_shipped()

    def _find_lost_records(self) -> tuple[ReadProblem, ...]:
        """Find lost audit records by comparing each process's end with the next."""
        read = {folder.path.name: folder for folder in self._folders}
        problems = []
        for folder in self._folders:
            name, recorded = folder.progress.previous, folder.progress.recorded
            if name in read and (first := read[name].progress.next) <= recorded:
                what = f"gateway {name}: records {first}-{recorded} missing at its end"
                place = str(read[name].path)
                problems.append(ReadProblem(ReadProblemKind.INVALID, place, what))
        return tuple(problems)


def _build_event_batch(
    folder: RecorderFolder,
    events: list[AuditEvent],
    quarantined: list[QuarantinedRecord],
    done_bytes: int,
    total_bytes: int,
) -> EventBatch:
    """Build a batch of events and quarantined records."""
    return EventBatch(
        str(folder.path), tuple(events), tuple(quarantined), done_bytes, total_bytes
    )


def _list_recorder_folders(path: Path) -> list[Path]:
    """List the recorder folders: the given one, or those inside."""
    if list_record_files(path):
        return [path]
    return sorted(
        each
        for each in path.iterdir()
        if each.is_dir() and not each.name.startswith(".")
    )
