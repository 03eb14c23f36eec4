"""What `serve` tells its operator: one JSON object a line, on standard error.

An event is a word of ours, and a field holds what is configured, counted or named by
the kernel, or by an issuer that was pinned. What a caller sent is not among them.
"""

import asyncio
import os
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

STDERR = 2

Field = str | int | float | bool | None | list[str]


class Log:
    """Writes lines.

    Args:
        process: What this process is: `supervisor` or `worker-0`.
        handle: File descriptor to write to.
    """

    def __init__(self, process: str, handle: int = STDERR) -> None:
        self._process, self._handle = process, handle

    def info(self, event: str, **fields: Field) -> None:
        """Tell what happened as it should."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Field) -> None:
        """Tell what an operator should look at."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Field) -> None:
        """Tell what does not work."""
        self._write("error", event, fields)

    def of_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell what went wrong where no call could hear it; an exception handler.

        Of an exception its kind and place are told: its text may hold what was read.
        """
        error = context.get("exception")
        frames = traceback.extract_tb(error.__traceback__) if error else []
        places = [f"{Path(each.filename).name}:{each.lineno}" for each in frames]
        self.error("loop.failed", kind=type(error).__name__, places=places[-3:])

    def _write(self, level: str, event: str, fields: dict[str, Field]) -> None:
        line: dict[str, Field] = {
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            "process": self._process,
        }
        try:
            # One write a line: the lines of several processes do not mix.
            os.write(self._handle, msgspec.json.encode(line | fields) + b"\n")
        except OSError:
            return  # nobody reads it any more, which stops no call
