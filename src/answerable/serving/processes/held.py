"""What the kernel says of a process, read while a pidfd holds it.

A number can be another process's by the time it is looked up. What stands in /proc is
taken only if the process that the pidfd holds still lived after it was read.
"""

import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from answerable.model.errors import AnswerableError

Facts = TypeVar("Facts")


class ProcessGone(AnswerableError):  # noqa: N818 - an outcome
    """The process ended before it could be described."""

    def __init__(self) -> None:
        super().__init__("the process at the other end is gone")
        self.reason = "process-gone"


def held(pidfd: int, pid: int, read: Callable[[Path], Facts]) -> Facts:
    """Read the facts of a process.

    Args:
        pidfd: Holds it; is closed.
        pid: Its number.
        read: Reads its folder of /proc.

    Raises:
        ProcessGone: It ended.
    """
    try:
        facts = read(Path("/proc") / str(pid))
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        if ended.poll(0):
            raise ProcessGone
    except OSError:
        raise ProcessGone from None
    finally:
        os.close(pidfd)
    return facts


def opened(pid: int) -> int:
    """Open a pidfd of whichever process has that number now.

    Raises:
        ProcessGone: None has.
    """
    try:
        return os.pidfd_open(pid)
    except OSError:
        raise ProcessGone from None


def text(file: Path) -> str:
    """Read a file of /proc; names in it may be in no encoding."""
    return file.read_text("utf-8", "replace")


def boot_id() -> str:
    """Name this boot; the number of a process and its start say little without.

    Source: man 5 proc_sys_kernel. Empty where there is no /proc.
    """
    file = Path("/proc/sys/kernel/random/boot_id")
    return text(file).strip() if file.exists() else ""
