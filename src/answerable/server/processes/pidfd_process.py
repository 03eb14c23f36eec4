"""Read facts about a process while a pidfd holds it, so that its pid is not reused.

A pid may belong to another process by the time it is looked up. Facts from /proc count
only if the process that the pidfd holds was alive after they were read.
"""

import os
import select
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from answerable.model.errors import AnswerableError
from answerable.server.processes.pidfd_credentials import (
    ProcessCredentials,
    read_pidfd_credentials,
)
from answerable.server.processes.proc_parsing import parse_credentials

FactsT = TypeVar("FactsT")


class NotAttested(AnswerableError):  # noqa: N818 - an outcome
    """Process that cannot be attested.

    Args:
        reason: A word for the evidence.
        message: Description of the problem.
        hint: Next step, may be empty.
    """

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


class ProcessGone(NotAttested):
    """Process that ended before it could be described."""

    def __init__(self) -> None:
        super().__init__("process-gone", "the peer process has exited")


class PidfdProcess:
    """Process that a pidfd holds; while it lives, its pid is not reused.

    Args:
        pidfd: Pidfd; closed with this object.
        pid: Its number, in our own namespace.
    """

    def __init__(self, pidfd: int, pid: int) -> None:
        self.pidfd, self.pid = pidfd, pid

    def __enter__(self) -> "PidfdProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pidfd."""
        pidfd, self.pidfd = self.pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)

    def has_ended(self) -> bool:
        """Return whether the process has ended; a zombie has."""
        ended = select.poll()
        ended.register(self.pidfd, select.POLLIN)
        return bool(ended.poll(0))

    def check_alive(self) -> None:
        """Check that the process still runs, so that facts read by pid are its own.

        Raises:
            ProcessGone: It ended.
        """
        if self.has_ended():
            raise ProcessGone

    def read_facts(self, read_folder: Callable[[Path], FactsT]) -> FactsT:
        """Read facts from the process's folder in /proc.

        Raises:
            ProcessGone: It ended, or is not readable.
        """
        try:
            facts = read_folder(Path("/proc") / str(self.pid))
        except OSError:
            raise ProcessGone from None
        self.check_alive()
        return facts

    def read_credentials(self) -> ProcessCredentials:
        """Read users, groups and parent of the process, from its pidfd if possible.

        Raises:
            ProcessGone: It ended.
        """
        told = read_pidfd_credentials(self.pidfd)
        if told is None:
            return self.read_facts(_parse_credentials)
        self.check_alive()
        return told


def read_process_facts(
    pidfd: int, pid: int, read_folder: Callable[[Path], FactsT]
) -> FactsT:
    """Read the facts of a process from /proc, and check that it still runs.

    Args:
        pidfd: Pidfd; closed here.
        pid: Process id.
        read_folder: Reads its folder in /proc.

    Raises:
        ProcessGone: It ended.
    """
    with PidfdProcess(pidfd, pid) as process:
        return process.read_facts(read_folder)


def open_pidfd(pid: int) -> int:
    """Open a pidfd of the process with a pid.

    Raises:
        ProcessGone: There is none.
    """
    try:
        return os.pidfd_open(pid)
    except (OSError, OverflowError):
        raise ProcessGone from None


def open_parent_process(child: PidfdProcess) -> PidfdProcess | None:
    """Open a pidfd of a process's parent; None where none is visible.

    The pid of a parent is not reused until the parent was reaped. An orphaned child
    goes to an ancestor, which is older. So a child with the same parent pid before and
    after the pidfd was opened has had one parent, and that one is held.

    Raises:
        ProcessGone: The child ended, or was orphaned meanwhile.
    """
    pid = child.read_credentials().ppid
    if pid <= 0:
        return None
    parent = PidfdProcess(open_pidfd(pid), pid)
    try:
        if child.read_credentials().ppid != pid:
            raise ProcessGone
    except BaseException:
        parent.close()
        raise
    return parent


def read_proc_file(file: Path) -> str:
    """Read a file of /proc; names in it may have any encoding."""
    return file.read_text("utf-8", "replace")


def read_boot_id() -> str:
    """Return the boot id, without which pid and start time are ambiguous.

    Source: man 5 proc_sys_kernel. Empty where there is no /proc.
    """
    file = Path("/proc/sys/kernel/random/boot_id")
    return read_proc_file(file).strip() if file.exists() else ""


def _parse_credentials(folder: Path) -> ProcessCredentials:
    """Parse the users and groups from a process's folder in /proc."""
    return parse_credentials(
        read_proc_file(folder / "stat"), read_proc_file(folder / "status")
    )
