"""Relay between the terminal of the person who starts an agent and its session.

It copies bytes between the terminal and a pseudo-terminal, forwards window sizes and
signals, stops when the launcher does, and ends with its exit code. The terminal is in
raw mode meanwhile: the keys for interrupt and stop take effect on the pseudo-terminal.
Without a terminal it only forwards signals.
"""

import fcntl
import os
import select
import signal
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

_FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTSTP,
)
# SIGCONT is handled separately: the launcher is continued where it stopped.
_HANDLED = (*_FORWARDED, signal.SIGCONT, signal.SIGWINCH, signal.SIGCHLD)
_CHUNK_SIZE = 65_536  # bytes that are read at once
_MAX_BUFFERED = 262_144  # bytes that wait in one direction
_FOREGROUND_INTERVAL = (
    0.25  # seconds: a shell sends no signal to a running job that it foregrounds
)
_DRAIN = 1.0  # seconds for output that is there when the launcher ends
_WINDOW_SIZE = 8  # bytes of struct winsize
_IFLAG, _OFLAG, _CFLAG, _LFLAG, _CC = 0, 1, 2, 3, 6  # of tcgetattr

# As `termios.tcgetattr` gives them: numbers, and the list of keys.
_Modes = list[Any]
_Handler = Callable[[int, FrameType | None], object] | int | None


class TerminalRelay:
    """Relay of one session; it handles signals from its creation.

    Args:
        terminal: Descriptor of the terminal, -1 without one.
        outer: Descriptor of the pseudo-terminal's master, -1 without one.
    """

    def __init__(self, terminal: int, outer: int) -> None:
        self._terminal, self._outer = terminal, outer
        self._saved: _Modes | None = None  # modes to restore
        self._typed, self._said = bytearray(), bytearray()
        self._reads = {terminal, outer} - {-1}
        self._woken, self._wake = os.pipe()
        for each in {self._woken, self._wake, outer} - {-1}:
            os.set_blocking(each, False)
        self._launcher = 0  # process id, while it runs
        self._handlers: dict[signal.Signals, _Handler] = {}
        for number in _HANDLED:
            # Ignored signals stay ignored, as under nohup(1).
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, _ignore_signal)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def restore_process(self) -> None:
        """Undo the changes to this process, where it does not relay."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for each in {self._woken, self._wake, self._terminal, self._outer} - {-1}:
            os.close(each)

    def run(self, launcher_pid: int) -> int:
        """Relay until the launcher ends; return its exit code, 128 + n for signal n."""
        self._launcher = launcher_pid
        self._attach_terminal()
        while (code := self._reap_launcher()) is None:
            is_in_background = self._saved is None and self._terminal in self._reads
            self._poll_once(_FOREGROUND_INTERVAL if is_in_background else None)
            if is_in_background:
                self._attach_terminal()
        self._launcher = 0
        until = time.monotonic() + _DRAIN
        while self._has_output() and (left := until - time.monotonic()) > 0:
            self._poll_once(left)
        self._restore_terminal()
        self.restore_process()
        return code

    def _reap_launcher(self) -> int | None:
        """Return the exit code of an ended launcher; stop with a stopped one."""
        while True:
            pid, status = os.waitpid(self._launcher, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return None
            if not os.WIFSTOPPED(status):
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            self._suspend_with_agent()
            os.kill(self._launcher, signal.SIGCONT)

    def _suspend_with_agent(self) -> None:
        """Stop our whole job like the agent; return when it is continued.

        Where no shell waits for the job the kernel ignores SIGTSTP, and it continues.
        """
        self._restore_terminal()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(0, signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self._attach_terminal()

    def _poll_once(self, seconds: float | None) -> None:
        """Wait for input, output or a signal once, and handle it."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        for here, to_read, to_write in (
            (self._terminal, self._typed, self._said),
            (self._outer, self._said, self._typed),
        ):
            is_read = here in self._reads and len(to_read) < _MAX_BUFFERED
            if here == self._terminal and self._saved is None:
                is_read = False
            wanted = is_read * select.POLLIN | bool(to_write) * select.POLLOUT
            if here >= 0 and wanted:
                poll.register(here, wanted)
        ready = dict(poll.poll(None if seconds is None else seconds * 1000))
        if self._woken in ready:
            self._handle_signals()
        self._copy_bytes(ready, self._terminal, self._typed, self._said)
        self._copy_bytes(ready, self._outer, self._said, self._typed)

    def _handle_signals(self) -> None:
        """Handle the signals that arrived: resize, or forward to the launcher."""
        for number in os.read(self._woken, _CHUNK_SIZE):
            if number in (signal.SIGCONT, signal.SIGWINCH):
                self._attach_terminal()
            if number in _FORWARDED and self._launcher:
                os.kill(self._launcher, number)

    def _copy_bytes(
        self,
        ready: dict[int, int],
        descriptor: int,
        read_buffer: bytearray,
        write_buffer: bytearray,
    ) -> None:
        """Read from and write to one end of the relay, if it is ready."""
        events = ready.get(descriptor, 0)
        if not events:
            return
        try:
            if events & select.POLLOUT:
                del write_buffer[: os.write(descriptor, write_buffer[:_CHUNK_SIZE])]
            if events & ~select.POLLOUT and descriptor in self._reads:
                piece = os.read(descriptor, _CHUNK_SIZE)
                read_buffer += piece
                if not piece:
                    self._close_relay_end(descriptor, write_buffer)
        except BlockingIOError:
            pass
        except OSError:
            # Its other end is closed: the terminal, or the pseudo-terminal's slave.
            self._close_relay_end(descriptor, write_buffer)

    def _close_relay_end(self, descriptor: int, write_buffer: bytearray) -> None:
        """Stop reading from a closed end; hang up the agent if it was ours."""
        self._reads.discard(descriptor)
        write_buffer.clear()
        if descriptor == self._terminal and self._outer >= 0:
            # Hang up the agent's terminal like ours.
            os.close(self._outer)
            self._reads.discard(self._outer)
            self._outer = -1
            self._typed.clear()

    def _has_output(self) -> bool:
        """Return whether output of the agent is left to copy."""
        if self._outer < 0 or self._terminal not in self._reads:
            return False
        if self._said:
            return True
        poll = select.poll()
        poll.register(self._outer, select.POLLIN)
        return self._outer in self._reads and bool(poll.poll(0))

    def _attach_terminal(self) -> None:
        """Switch the terminal to raw mode if we are in front, and forward its size."""
        if self._terminal < 0:
            return
        with suppress(OSError, termios.error):
            size = fcntl.ioctl(self._terminal, termios.TIOCGWINSZ, bytes(_WINDOW_SIZE))
            fcntl.ioctl(self._outer, termios.TIOCSWINSZ, size)
            if os.tcgetpgrp(self._terminal) != os.getpgrp():
                return
            modes = termios.tcgetattr(self._terminal)
            if self._saved is None:
                self._saved = modes
            raw = _raw_terminal_modes(modes, is_output_ours=os.isatty(1))
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, raw)

    def _restore_terminal(self) -> None:
        """Restore the terminal modes from before the run.

        Unread input is dropped: answers of the terminal to the agent must not reach the
        next reader.
        """
        saved, self._saved = self._saved, None
        if saved is not None:
            with suppress(OSError, termios.error):
                termios.tcsetattr(self._terminal, termios.TCSAFLUSH, saved)


def _ignore_signal(number: int, frame: FrameType | None) -> None:
    """Signal handler without effect: the number is in the wakeup pipe."""


def _raw_terminal_modes(modes: _Modes, *, is_output_ours: bool) -> _Modes:
    """Return termios modes that pass input through unchanged (no echo, signals).

    Where standard output goes elsewhere, the next program of a pipeline writes to the
    terminal, and is interrupted from it: then line ends and signal keys stay.
    """
    raw = [*modes]
    raw[_IFLAG] &= ~(
        termios.BRKINT
        | termios.ICRNL
        | termios.IGNBRK
        | termios.IGNCR
        | termios.INLCR
        | termios.ISTRIP
        | termios.IXON
        | termios.PARMRK
    )
    dropped = termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN
    if is_output_ours:
        raw[_OFLAG] &= ~termios.OPOST
        dropped |= termios.ISIG
    raw[_LFLAG] &= ~dropped
    keys = list(modes[_CC])
    keys[termios.VMIN], keys[termios.VTIME] = 1, 0
    raw[_CC] = keys
    return raw
