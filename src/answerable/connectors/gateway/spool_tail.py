"""Follow a spool: yield each decision once, as soon as it is complete.

Nothing is locked or written, so shipping never waits. Decisions that are shipped and
removed between two reads are in the store and not returned here.
"""

from collections.abc import Iterator
from pathlib import Path

from answerable.connectors.gateway.parse.recorder_lines import (
    ReadProgress,
    RecorderLines,
)
from answerable.connectors.gateway.recorder_folder import (
    RESERVED_BYTES,
    list_record_files,
)
from answerable.model.errors import ParseError
from answerable.model.event import AuditEvent

MAX_BYTES_PER_READ = (
    16 << 20
)  # bytes that one look reads of one recorder: more than its longest line


class SpoolTail:
    """Follower of all recorders of a spool.

    Args:
        spool: Its folder, which may not exist yet.
    """

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._following: dict[str, _RecorderTail] = {}

    def read_new_decisions(self) -> list[AuditEvent]:
        """Return decisions that the gateway has spooled since the last read."""
        try:
            names = [each.name for each in self._spool.iterdir() if each.is_dir()]
        except OSError:  # none yet, or not for us
            names = []
        for gone in self._following.keys() - set(names):
            del self._following[gone]
        found = []
        for name in sorted(names):
            if name.startswith("."):
                continue
            known = self._following.get(name)
            if known is None:
                known = self._following[name] = _RecorderTail(self._spool / name)
            found += known.read()
        return found


class _RecorderTail:
    """Files and read position of one recorder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._progress = ReadProgress()
        self._lines = RecorderLines(path.name, self._progress)

    def read(self) -> list[AuditEvent]:
        """Return the decisions of the new lines."""
        found = []
        for line in self._read_new_lines():
            try:
                event = self._lines.parse_line_to_event(line)
            except ParseError:
                continue  # told when it is shipped
            if event is not None and event.decision_id:
                found.append(event)
        self._lines.problems.clear()
        return found

    def _read_new_lines(self) -> Iterator[bytes]:
        """Yield new complete lines, at most `MAX_BYTES_PER_READ`."""
        left, progress = MAX_BYTES_PER_READ, self._progress
        try:
            paths = list_record_files(self._path)
        except OSError:  # shipped meanwhile, or it is looked at again soon
            return
        for path in paths:
            if int(path.stem) < progress.file:
                continue
            if int(path.stem) > progress.file:
                progress.file, progress.offset = int(path.stem), 0
            try:
                with path.open("rb") as file:
                    file.seek(progress.offset)
                    data = file.read(left)
            except OSError:  # shipped meanwhile
                continue
            # The last may be written to while it is read: see `folder`.
            there = data.partition(RESERVED_BYTES)[0] if path == paths[-1] else data
            whole = there[: there.rfind(b"\n") + 1]
            progress.offset += len(whole)
            yield from whole.splitlines(keepends=True)
            if len(data) == left:  # there is more of it
                return
            left -= len(whole)
