"""Verify the whole evidence log in a subprocess, one run at a time.

It reads all evidence. Pages show the last result with its time and log size.
"""

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from answerable.model.documents.evidence import CheckItem
from answerable.web.command_process import run_command_as_json

_TIMEOUT = 6 * 3600  # seconds


class _VerificationDocument(msgspec.Struct):
    items: list[CheckItem]


@dataclass(frozen=True, slots=True)
class LogVerification:
    """One verification.

    Attributes:
        started: UTC nanoseconds.
        size: Size of the log at the start.
        ended: UTC nanoseconds, 0 while it runs.
        failed: Why it gave no result, empty otherwise.
    """

    started: int
    size: int
    ended: int = 0
    checks: Sequence[CheckItem] = ()
    failed: str = ""

    @property
    def holds(self) -> bool:
        """Return whether every check of the evidence log passed."""
        return bool(self.checks) and all(check["ok"] for check in self.checks)


class LogVerifier:
    """Verifications of one store.

    Args:
        root: Folder of the store.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.running: LogVerification | None = None
        self.last: LogVerification | None = None

    def start(self, size: int) -> bool:
        """Start verifying the evidence log; False if that is running already.

        Args:
            size: Current size of the log.
        """
        with self._lock:
            if self.running is not None:
                return False
            self.running = LogVerification(time.time_ns(), size)
            self._thread = threading.Thread(target=self._run_verification, daemon=True)
            self._thread.start()
        return True

    def wait(self) -> None:
        """Wait until the running log verification ends."""
        if self._thread is not None:
            self._thread.join()

    def _run_verification(self) -> None:
        """Run the verification and keep its result or failure."""
        running = self.running or LogVerification(time.time_ns(), 0)
        try:
            checks = self._run_command()
        except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
            done = replace(running, failed=type(error).__name__)
        else:
            done = replace(running, checks=checks)
        with self._lock:
            self.last = replace(done, ended=time.time_ns())
            self.running = None

    def _run_command(self) -> list[CheckItem]:
        """Run `answerable evidence verify` at low priority and return its checks."""
        answer = run_command_as_json(self._root, "evidence", "verify", timeout=_TIMEOUT)
        return msgspec.json.decode(answer, type=_VerificationDocument).items
