"""Run the demo in a child process, and end every process that it started.

The demo runs in a forked child. The guard waits for the child, a signal or a closed
stdout. Then it asks the child to end, and after a grace period kills the child and all
of its descendants. On Linux the guard is their subreaper, so an orphaned daemon is a
descendant, too; elsewhere the demo starts no daemons.
"""

import contextlib
import ctypes
import os
import select
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType

INTERRUPTED = 130
GRACE = 1.2  # seconds for an orderly end
# Seconds until killed processes are gone. A busy machine takes long to end them, and one
# that is left writes into the folder while it is removed.
_KILL_TIMEOUT = 60.0
_POLL_INTERVAL = 0.02  # seconds
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# <linux/prctl.h>
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def run_guarded(
    demo: Callable[[], int], folder_context: AbstractContextManager[None]
) -> int:
    """Run the demo in a child process and leave none of its processes behind.

    Both processes return from here: the child with its own exit code, so that an error
    is reported as any other, and the guard with the final exit code.

    Args:
        demo: The demo; returns an exit code.
        folder_context: Context of its folder; the guard leaves it last.

    Returns:
        The demo's exit code, 0 if the reader closed stdout, and 130 after a signal.
    """
    _call_prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # Killed processes leave temporary files, which are removed with the folder.
    temporary = tempfile.TemporaryDirectory(prefix="d-")
    with _collect_signals() as (heard, wakeup), folder_context, temporary as folder:
        _flush_streams()
        guard = os.getpid()
        child = os.fork()
        if not child:
            os.environ["TMPDIR"] = tempfile.tempdir = folder
            return _run_child(demo, guard)
        try:
            return _wait_for_child_or_signal(child, heard, wakeup)
        finally:
            _kill_descendants(child)


def _wait_for_child_or_signal(child: int, signals: list[int], wakeup: int) -> int:
    """Wait for the child, a signal or a closed stdout, and return the exit code."""
    poll = select.poll()
    poll.register(wakeup, select.POLLIN)
    if _is_pipe(1):
        poll.register(1, 0)  # POLLERR is always reported
    while True:
        events = dict(poll.poll(1000))
        if wakeup in events:
            os.read(wakeup, 4096)
        code = _reap_children(child)
        if code is not None:
            return INTERRUPTED if _has_end_signal(signals) else code
        if _has_end_signal(signals) or 1 in events:
            _terminate_descendants(child)
            return INTERRUPTED if _has_end_signal(signals) else 0


def _terminate_descendants(child: int) -> None:
    """Ask the child and its descendants to end, and wait through the grace period."""
    for pid in {child, *_list_descendants()}:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(_POLL_INTERVAL)
        except ChildProcessError:
            return


def _reap_children(child: int) -> int | None:
    """Collect ended processes; return the child's exit code if it is one of them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 1 if code is None else code
        if pid == 0:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            code = code if code >= 0 else 128 - code


def _kill_descendants(child: int) -> None:
    """Send SIGKILL to the demo's processes until none is left."""
    deadline = time.monotonic() + _KILL_TIMEOUT
    while time.monotonic() < deadline:
        for pid in {child, *_list_descendants()}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_POLL_INTERVAL)


def _list_descendants() -> list[int]:
    """List the processes below this one, from `/proc`; none where there is no `/proc`."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            # proc(5): pid (comm) state ppid; comm may hold any character.
            parent = int(place.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(place.parent.name))
    found: list[int] = []
    rest = [os.getpid()]
    while rest:
        below = children.get(rest.pop(), [])
        found += below
        rest += below
    return found


def _run_child(demo: Callable[[], int], guard: int) -> int:
    """Run the demo in the forked child; SIGTERM reaches it when the guard dies."""
    signal.set_wakeup_fd(-1)
    # Ctrl-C and a hang-up reach the whole foreground group; the guard decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, lambda number, frame: None)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _exit_at_once)
    die_with_parent(guard)
    return demo()


def die_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM when the parent process dies (Linux).

    Source: man 2 PR_SET_PDEATHSIG.
    """
    _call_prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # the parent died before
        os._exit(INTERRUPTED)


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM: exit at once, as an exception could be caught or lost."""
    os._exit(INTERRUPTED)


@contextlib.contextmanager
def _collect_signals() -> Iterator[tuple[list[int], int]]:
    """Collect signals instead of acting on them; yields the list and a wake-up pipe."""
    heard: list[int] = []
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    handled = (*_SIGNALS, signal.SIGCHLD)
    before = {each: signal.getsignal(each) for each in handled}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for each in handled:
        if before[each] is not signal.SIG_IGN:
            signal.signal(each, lambda number, frame: heard.append(number))
    try:
        yield heard, reader
    finally:
        # After an interrupt the process ends: another one may not interrupt its exit.
        if _has_end_signal(heard):
            before |= dict.fromkeys(_SIGNALS, signal.SIG_IGN)
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(reader)
        os.close(writer)


def _has_end_signal(signals: list[int]) -> bool:
    """Return whether a received signal ends the demo."""
    return any(number in _SIGNALS for number in signals)


def _is_pipe(number: int) -> bool:
    """Return whether a file descriptor is a pipe or a socket."""
    mode = os.fstat(number).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _call_prctl(option: int, value: int) -> None:
    """Set a process attribute with `prctl`; nothing outside Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _flush_streams() -> None:
    """Flush standard output and standard error."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError):
            stream.flush()
