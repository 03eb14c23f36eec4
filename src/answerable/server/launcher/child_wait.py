"""Wait for a child process, and forward signals to it.

The child stays in our process group, so that the kernel delivers the terminal's own
signals to it: those are not forwarded. Signals sent to us alone are. Where the child
stops we stop, and the shell sees a stopped job. In a session of its own the child leads
a group, and a relay forwards the signals of the starter's terminal.
"""

import os
import signal

_KERNEL = 0x80  # SI_KERNEL, <asm-generic/siginfo.h>
_FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
    signal.SIGTSTP,
    signal.SIGCONT,
)
# Signals that a terminal sends to a whole job.
_JOB_SIGNALS = frozenset(
    {
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGWINCH,
        signal.SIGTSTP,
        signal.SIGCONT,
    }
)
_WAITED_FOR = (signal.SIGCHLD, *_FORWARDED)


def block_signals() -> set[signal.Signals]:
    """Block the handled signals; return the previous mask."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    return {each for each in before if isinstance(each, signal.Signals)}


def restore_signals(mask: set[signal.Signals]) -> None:
    """Restore the mask that `block_signals` returned."""
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def wait_for_child(child_pid: int) -> int:
    """Wait for a child with signals blocked; return its exit code.

    Adopted orphans are reaped, too.

    Args:
        child_pid: Its pid; its process group's, too, where it leads one.

    Returns:
        Its exit code, 128 + n where signal n ended it.
    """
    while True:
        # It may have ended before anything was blocked.
        code = _reap_children(child_pid)
        if code is not None:
            return code
        told = signal.sigwaitinfo(_WAITED_FOR)
        if told.si_signo != signal.SIGCHLD:
            _forward_signal(child_pid, told)


def _reap_children(child_pid: int) -> int | None:
    """Reap children; return the exit code of the child once it has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid != child_pid:
            continue
        if os.WIFSTOPPED(status):
            os.kill(os.getpid(), signal.SIGSTOP)
            continue
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


def _forward_signal(child_pid: int, signal_info: signal.struct_siginfo) -> None:
    """Forward a signal to the child, unless it has it already or sent it itself."""
    if os.getpgid(child_pid) == child_pid and signal_info.si_signo in _JOB_SIGNALS:
        os.killpg(child_pid, signal_info.si_signo)
        return
    from_terminal = (
        signal_info.si_code == _KERNEL and os.getpgid(child_pid) == os.getpgrp()
    )
    if not from_terminal and signal_info.si_pid != child_pid:
        os.kill(child_pid, signal_info.si_signo)
