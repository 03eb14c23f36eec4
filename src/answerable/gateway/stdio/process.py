"""The process of a server: its pipes, its group, and how it ends.

It leads a process group of its own, so that what it starts ends with it. It ends in the
order of MCP (2025-11-25 basic/lifecycle "Shutdown"): its input is closed, then it is
asked, then it is killed. Where we are killed ourselves, the closed input is all it sees.
"""

import asyncio
import atexit
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from answerable.gateway.identity import command_identity
from answerable.gateway.shown.credential import Credential
from answerable.gateway.stdio.pipes import ReadPipe, WritePipe

GRACE = 1.2  # seconds from each step to the next; clients wait 2 s for all of them
LEFTOVERS = 0.5  # seconds that output may take to arrive after the end


@dataclass(frozen=True, slots=True)
class Program:
    """What to run.

    Attributes:
        argv: Words of the command.
        environment: Of the process, whole.
        shows_errors: Its standard error goes to ours; else nowhere.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    shows_errors: bool

    def shown(self, credential: Credential | None) -> "Program":
        """Say how it is run with a credential in its environment, if there is one.

        What it writes to standard error nobody reads through, so that goes nowhere.
        """
        if credential is None or not credential.environment:
            return self
        environment = {**self.environment, **credential.environment}
        return Program(self.argv, environment, shows_errors=False)


class Process:
    """A program that runs.

    Args:
        loop: The event loop.
        program: What to run.
        heard: Is given its output, in slices.
        ended: Is told its exit code once, after all output; 128 and the number of the
            signal that ended it.

    Raises:
        OSError: It cannot be run.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        program: Program,
        heard: Callable[[bytes], None],
        ended: Callable[[int], None],
    ) -> None:
        self._loop, self._ended = loop, ended
        self._running = subprocess.Popen(  # noqa: S603 - the operator's own words
            program.argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if program.shows_errors else subprocess.DEVNULL,
            env=program.environment,
            process_group=0,
        )
        self._code: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._asked = 0.0  # when it was asked to end, monotonic seconds
        atexit.register(self._left)
        self._pidfd = os.pidfd_open(self._running.pid)
        loop.add_reader(self._pidfd, self._exited)
        stdin, stdout = self._handles()
        self.input = WritePipe(loop, stdin)
        self._output: ReadPipe | None = ReadPipe(loop, stdout, heard, self._silent)

    def pause(self) -> None:
        """Take no more output for now."""
        if self._output is not None:
            self._output.pause()

    def resume(self) -> None:
        """Take output again."""
        if self._output is not None:
            self._output.resume()

    def send_signal(self, number: int) -> None:
        """Send a signal to its whole group."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, number)

    def end(self, grace: float = GRACE) -> None:
        """End it, in order.

        Args:
            grace: Seconds that it has to end by itself once its input is closed.
        """
        if self._code is None and self._timer is None:
            self.input.close()
            self._timer = self._loop.call_later(grace, self.stop)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ask it to end by a signal, and kill it where it does not."""
        if self._code is None:
            self._asked = time.monotonic()
            self.send_signal(number)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(GRACE, self.send_signal, signal.SIGKILL)

    def _handles(self) -> tuple[int, int]:
        """Take the two pipes over from the object that would close them."""
        handles = []
        for file in (self._running.stdin, self._running.stdout):
            assert file is not None  # noqa: S101 - both were asked for
            handles.append(os.dup(file.fileno()))
            file.close()
            os.set_blocking(handles[-1], False)
        return handles[0], handles[1]

    def _exited(self) -> None:
        """It ended; what it left behind in its group ends, too."""
        atexit.unregister(self._left)
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Until it is waited for, its number is nobody else's.
        self.send_signal(signal.SIGKILL)
        code = self._running.wait()
        self._code = code if code >= 0 else 128 - code
        self.input.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._output is None:
            self._ended(self._code)
        else:
            # Somebody that left the group may hold the pipe open for good.
            self._timer = self._loop.call_later(LEFTOVERS, self._silent)

    def _left(self) -> None:
        """We end, and there is no event loop any more that would wait for it."""
        if not self._asked:
            self._asked = time.monotonic()
            self.send_signal(signal.SIGTERM)
        until = self._asked + GRACE
        ended = select.poll()
        ended.register(self._pidfd, select.POLLIN)
        ended.poll(max(until - time.monotonic(), 0) * 1000)
        self.send_signal(signal.SIGKILL)

    def _silent(self) -> None:
        """Nothing more comes."""
        if self._output is not None:
            self._output.close()
            self._output = None
        if self._code is None:
            # Who closes its output serves nobody any more.
            self.end()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._ended(self._code)


def program_identity(program: Program) -> str:
    """Name a server by what is run for it."""
    return command_identity(program.argv, program.environment.get("PATH", os.defpath))
