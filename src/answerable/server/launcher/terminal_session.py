"""Run another user's agent in a session with a pseudo-terminal, as sudo does.

Two processes are between the starter's terminal and the agent:

    terminal <-> relay <-> pseudo-terminal <-> launcher, leader of the session -> agent

The relay is the process that was started, the launcher its child, and the agent's
parent. The agent's controlling terminal is the pseudo-terminal: `/dev/tty` leads there,
and the agent can inject input into that one alone (TIOCSTI). Where its starter has no
terminal at any standard stream the agent has none either.

Source: sudoers(5), `use_pty`.
"""

import ctypes
import fcntl
import grp
import os
import signal
import termios
from collections.abc import Callable
from contextlib import suppress

from answerable.model.errors import EnvironmentFailure
from answerable.server.launcher.terminal_relay import TerminalRelay
from answerable.server.launcher.waiting_child import UserAccount

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_STANDARD = (0, 1, 2)
_MODE = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK
_WITHOUT = -1  # in place of a descriptor


def run_in_session(account: UserAccount, launch: Callable[[], int]) -> int:
    """Run the launcher in a session of its own, and relay to it until it ends.

    This returns in two processes: in the relay with the exit code of the launcher, and
    in the launcher as `launch` does, or raises.

    Args:
        account: User of the agent, who becomes owner of the pseudo-terminal.
        launch: Function of the launcher.

    Raises:
        EnvironmentFailure: There is no pseudo-terminal or process left.
    """
    outer = inner = _WITHOUT
    terminal = _open_terminal()
    try:
        if terminal != _WITHOUT:
            outer, inner = map(_move_above_standard, os.openpty())
            _prepare_terminal(terminal, inner, account)
        relay, starter = TerminalRelay(terminal, outer), os.getpid()
        launcher = os.fork()
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot create a terminal for the agent ({error.strerror})",
            "use --no-pty to share your terminal with the agent",
        ) from None
    if launcher == 0:
        relay.restore_process()
        _become_session_leader(starter, inner)
        return launch()
    if inner != _WITHOUT:
        os.close(inner)
    return relay.run(launcher)


def set_foreground_group(process_group: int) -> None:
    """Set the foreground process group of the session's terminal, if any."""
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            os.tcsetpgrp(terminal, process_group)
        finally:
            os.close(terminal)


def _open_terminal() -> int:
    """Open the terminal of a standard stream; return -1 if none is one.

    It is opened again: settings of this descriptor do not affect the shell's.
    """
    at = [each for each in _STANDARD if os.isatty(each)]
    if not at:
        return _WITHOUT
    for place in ("/dev/tty", *map(_tty_name, at)):
        with suppress(OSError):
            return _move_above_standard(os.open(place, _MODE))
    return _move_above_standard(os.dup(at[0]))


def _tty_name(descriptor: int) -> str:
    """Return the path of a terminal, empty if it is none."""
    try:
        return os.ttyname(descriptor)
    except OSError:
        return ""


def _move_above_standard(descriptor: int) -> int:
    """Move a descriptor above the standard ones, where one of these was closed."""
    if descriptor > max(_STANDARD):
        return descriptor
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, max(_STANDARD) + 1)
    os.close(descriptor)
    return moved


def _prepare_terminal(
    terminal: int, pseudo_terminal: int, account: UserAccount
) -> None:
    """Copy the terminal's modes to the pseudo-terminal; make the agent its owner."""
    modes = termios.tcgetattr(terminal)
    if not os.isatty(1):
        modes[1] &= ~termios.OPOST  # the terminal itself ends lines then, see `relay`
    termios.tcsetattr(pseudo_terminal, termios.TCSANOW, modes)
    with suppress(OSError, KeyError):
        os.fchown(pseudo_terminal, account.uid, grp.getgrnam("tty").gr_gid)
        os.fchmod(pseudo_terminal, 0o620)


def _become_session_leader(starter_pid: int, pseudo_terminal: int) -> None:
    """Lead a session, at the pseudo-terminal if there is one; end with the relay."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGHUP, 0, 0, 0)
    if os.getppid() != starter_pid:
        os.kill(os.getpid(), signal.SIGHUP)
    os.setsid()
    if pseudo_terminal == _WITHOUT:
        return
    fcntl.ioctl(pseudo_terminal, termios.TIOCSCTTY, 0)
    for each in _STANDARD:
        if os.isatty(each):
            os.dup2(pseudo_terminal, each)
    os.close(pseudo_terminal)
