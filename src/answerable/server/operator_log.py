"""Write the log of `serve` to standard error: one JSON object per line.

An event is a constant of ours, and a field is configured, counted, or named by the
kernel or a pinned issuer. Text of callers is never logged.
"""

import asyncio
import os
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

STDERR = 2

LogField = str | int | float | bool | None | list[str]


class OperatorLog:
    """Writer of log lines.

    Args:
        process: Name of this process: `supervisor` or `worker-0`.
        handle: File descriptor to write to.
    """

    def __init__(self, process: str, handle: int = STDERR) -> None:
        self._process, self._handle = process, handle

    def info(self, event: str, **fields: LogField) -> None:
        """Log an ordinary event."""
        self._write_line("info", event, fields)

    def warning(self, event: str, **fields: LogField) -> None:
        """Log an event that an operator should look at."""
        self._write_line("warning", event, fields)

    def error(self, event: str, **fields: LogField) -> None:
        """Log a failure."""
        self._write_line("error", event, fields)

    def log_loop_error(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        """Log an unhandled exception of the event loop; its exception handler.

        Only type and place of the exception are logged: its text may contain input.
        """
        error = context.get("exception")
        frames = traceback.extract_tb(error.__traceback__) if error else []
        places = [f"{Path(each.filename).name}:{each.lineno}" for each in frames]
        self.error("loop.failed", kind=type(error).__name__, places=places[-3:])

    def _write_line(self, level: str, event: str, fields: dict[str, LogField]) -> None:
        """Write one line; ignore a closed log."""
        line: dict[str, LogField] = {
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            "process": self._process,
        }
        try:
            # One write per line: lines of several processes do not mix.
            os.write(self._handle, msgspec.json.encode(line | fields) + b"\n")
        except OSError:
            return  # a closed log stops no call
