"""State of scheduled sources and tasks, written by the collector.

`STORE/collector/sources.json` is no evidence: it says when each source was read last, and why
the last run failed. An answer whose source failed or is late then says so. `tasks.json` has
the same for maintenance tasks; `doctor` prints it, and no answer depends on it.

`unread-*.json` has counts of what was not read of a location. The next `ingest` of that
location replaces it, and a complete one removes it. A run of the collector reads the new
parts alone: it adds the records that it quarantines. A receiver adds those of a sender,
which no run reads again.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from answerable.model.collection import SourceState, UnreadLog
from answerable.store.durable_files import (
    make_store_folder,
    read_regular_file,
    translate_os_errors,
    write_file,
)
from answerable.store.store_layout import StoreLayout

if TYPE_CHECKING:
    from answerable.model.log_position import FilePosition, LogCursor

_UNREADABLE = SourceState(
    "collector:",
    since=0,
    late_after=0,
    failed_at=1,
    failures=1,
    reason="its state in the store cannot be read",
)
_ERASED_LOCATION = "(location erased by policy)"


def read_source_states(layout: StoreLayout) -> tuple[SourceState, ...]:
    """Read the state of each scheduled source; empty if no collector ever ran.

    A file that cannot be read gives one failed source: unknown is no success.
    """
    return _read_states(layout.collection)


def read_task_states(layout: StoreLayout) -> tuple[SourceState, ...]:
    """Read the state of each maintenance task; a damaged file gives one failed task."""
    return _read_states(layout.maintenance)


def _read_states(path: Path) -> tuple[SourceState, ...]:
    """Read the states in a file of the collector."""
    try:
        data = read_regular_file(path)
        return msgspec.json.decode(data, type=tuple[SourceState, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return (_UNREADABLE,)


def read_log_cursor(layout: StoreLayout, source: str) -> "dict[str, FilePosition]":
    """Read the cursor of a log: the position in each file; empty if unknown."""
    from answerable.model.log_position import FilePosition

    try:
        data = read_regular_file(layout.cursor_file(source))
        return msgspec.json.decode(data, type=dict[str, FilePosition])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def write_log_cursor(layout: StoreLayout, source: str, files: "LogCursor") -> None:
    """Store durably how far each file of a collected log has been read.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    make_store_folder(layout.collection.parent)
    write_file(layout.cursor_file(source), msgspec.json.encode(files) + b"\n")


def write_source_states(
    layout: StoreLayout,
    states: Sequence[SourceState],
    tasks: Sequence[SourceState] = (),
) -> None:
    """Store durably when each source and task last ran, and how that ended.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    make_store_folder(layout.collection.parent)
    write_file(layout.collection, msgspec.json.encode(states) + b"\n")
    if tasks or layout.maintenance.exists():
        write_file(layout.maintenance, msgspec.json.encode(tasks) + b"\n")


def read_unread_logs(layout: StoreLayout) -> tuple[UnreadLog, ...]:
    """Read which logs were not read completely; empty if each was.

    A file that cannot be read gives one such log: unknown is not complete.
    """
    folder = layout.collection.parent
    return tuple(
        _read_unread_log(path) for path in sorted(folder.glob("unread-*.json"))
    )


def find_unread_file(layout: StoreLayout, log: UnreadLog) -> Path:
    """Find the file with these counts.

    After an erasure its name is random; a damaged one names no location.
    """
    files = sorted(layout.collection.parent.glob("unread-*.json"))
    found = (path for path in files if _read_unread_log(path) == log)
    return next(found, get_unread_file(layout, log))


def forget_unread_locations(
    layout: StoreLayout, mentions: Callable[[str], bool]
) -> None:
    """Replace the locations that mention a person; the counts stay.

    The name of such a file is a hash of its location, so it is replaced, too. The
    location is not known any more, so no later run removes the new file.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    for path in sorted(layout.collection.parent.glob("unread-*.json")):
        log = _read_unread_log(path)
        if mentions(log.source):
            name = f"unread-{os.urandom(16).hex()}.json"
            source = f"{log.source.partition(':')[0]}:{_ERASED_LOCATION}"
            kept = replace(log, source=source)
            write_file(path.with_name(name), msgspec.json.encode(kept) + b"\n")
            with translate_os_errors("remove", path):
                path.unlink(missing_ok=True)


def _read_unread_log(path: Path) -> UnreadLog:
    """Read the counts of one location."""
    try:
        return msgspec.json.decode(read_regular_file(path), type=UnreadLog)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return UnreadLog(path.name, 0, problems={"unreadable": 1})


def record_unread_log(layout: StoreLayout, log: UnreadLog) -> None:
    """Replace what is recorded of a location; a complete run leaves nothing.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    path = get_unread_file(layout, log)
    if log.is_complete:
        with translate_os_errors("remove", path):
            path.unlink(missing_ok=True)
        return
    make_store_folder(path.parent)
    write_file(path, msgspec.json.encode(log) + b"\n")


def add_quarantined_records(
    layout: StoreLayout, source: str, at: int, count: int, new: int
) -> None:
    """Add the quarantined records of a run that read only the new parts of a location.

    Args:
        layout: Folder of the store.
        source: `NAME:LOCATION`, with an absolute path.
        at: UTC nanoseconds.
        count: Number of records.
        new: Number of those that are not in quarantine yet. The others were counted
            before, unless a complete run has removed what was recorded since.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    log = UnreadLog(source, at, count)
    path = get_unread_file(layout, log)
    if path.exists():
        earlier = _read_unread_log(path)
        log = replace(earlier, at=at, quarantined=earlier.quarantined + new)
    record_unread_log(layout, log)


def get_unread_file(layout: StoreLayout, log: UnreadLog) -> Path:
    """Return the file of a location.

    The connector is no part of its name: a log that was read with a wrong connector is
    complete as soon as another one reads it.
    """
    location = log.source.partition(":")[2]
    name = hashlib.sha256(location.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return layout.collection.parent / f"unread-{name}.json"
