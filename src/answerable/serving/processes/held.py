"""What the kernel says of a process, read while a pidfd holds it.

A number can be another process's by the time it is looked up. What stands in /proc is
taken only if the process that the pidfd holds still lived after it was read.
"""

import os
import select
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from answerable.model.errors import AnswerableError
from answerable.serving.processes.credentials import Credentials, told_by
from answerable.serving.processes.units import credentials_in

Facts = TypeVar("Facts")


class NotAttested(AnswerableError):  # noqa: N818 - an outcome
    """Nothing is said of a process.

    Args:
        reason: A word for the evidence.
        message: What is the matter.
        hint: What to do, may be empty.
    """

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


class ProcessGone(NotAttested):
    """The process ended before it could be described."""

    def __init__(self) -> None:
        super().__init__("process-gone", "the process at the other end is gone")


class Hold:
    """A process that a pidfd holds; while it lives, its number is its own.

    Args:
        pidfd: Holds it; closed with this.
        pid: Its number, in our own namespace.
    """

    def __init__(self, pidfd: int, pid: int) -> None:
        self.pidfd, self.pid = pidfd, pid

    def __enter__(self) -> "Hold":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        pidfd, self.pidfd = self.pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)

    def has_ended(self) -> bool:
        """Say whether it ended; one that was not waited for yet has."""
        ended = select.poll()
        ended.register(self.pidfd, select.POLLIN)
        return bool(ended.poll(0))

    def check(self) -> None:
        """See that it lives: whatever was read of its number until now was its own.

        Raises:
            ProcessGone: It ended.
        """
        if self.has_ended():
            raise ProcessGone

    def facts(self, read: Callable[[Path], Facts]) -> Facts:
        """Read its folder of /proc.

        Raises:
            ProcessGone: It ended, or may not be looked at.
        """
        try:
            facts = read(Path("/proc") / str(self.pid))
        except OSError:
            raise ProcessGone from None
        self.check()
        return facts

    def credentials(self) -> Credentials:
        """Ask who it is and who its parent is, of the pidfd itself where that can tell.

        Raises:
            ProcessGone: It ended.
        """
        told = told_by(self.pidfd)
        if told is None:
            return self.facts(_credentials)
        self.check()
        return told


def held(pidfd: int, pid: int, read: Callable[[Path], Facts]) -> Facts:
    """Read the facts of a process.

    Args:
        pidfd: Holds it; is closed.
        pid: Its number.
        read: Reads its folder of /proc.

    Raises:
        ProcessGone: It ended.
    """
    with Hold(pidfd, pid) as process:
        return process.facts(read)


def opened(pid: int) -> int:
    """Open a pidfd of whichever process has that number now.

    Raises:
        ProcessGone: None has.
    """
    try:
        return os.pidfd_open(pid)
    except (OSError, OverflowError):
        raise ProcessGone from None


def parent_of(child: Hold) -> Hold | None:
    """Hold the parent of a process; None where it has none that we can see.

    The number of a parent stays taken until the parent was waited for. A child that is
    orphaned goes to an ancestor, which is older. So a child that names the same number
    before and after it was opened has had one parent, and that one is held.

    Raises:
        ProcessGone: The child ended, or was orphaned meanwhile.
    """
    pid = child.credentials().ppid
    if pid <= 0:
        return None
    parent = Hold(opened(pid), pid)
    try:
        if child.credentials().ppid != pid:
            raise ProcessGone
    except BaseException:
        parent.close()
        raise
    return parent


def text(file: Path) -> str:
    """Read a file of /proc; names in it may be in no encoding."""
    return file.read_text("utf-8", "replace")


def boot_id() -> str:
    """Name this boot; the number of a process and its start say little without.

    Source: man 5 proc_sys_kernel. Empty where there is no /proc.
    """
    file = Path("/proc/sys/kernel/random/boot_id")
    return text(file).strip() if file.exists() else ""


def _credentials(folder: Path) -> Credentials:
    return credentials_in(text(folder / "stat"), text(folder / "status"))
