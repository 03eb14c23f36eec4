"""Run a server as a child process: pipes, process group, and shutdown.

It leads a process group, so that its children end with it. Shutdown follows MCP
(2025-11-25 basic/lifecycle "Shutdown"): close its input, then SIGTERM, then SIGKILL.
Where we are killed ourselves, the closed input is all it sees.
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
from dataclasses import dataclass, field, replace

from answerable.gateway.server_identity import command_identity
from answerable.gateway.stdio.pipes import ReadPipe, WritePipe
from answerable.gateway.stdio.stderr_relay import StderrRelay
from answerable.gateway.upstream_credentials.credential import PresentedCredential

STOP_GRACE = 1.2  # seconds from each step to the next; clients wait 2 s for all of them
SECRET_REFERENCE = "{answerable:"  # noqa: S105 - followed by a name
OUTPUT_GRACE = 0.5  # seconds that output may take to arrive after the end


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """Command line and environment of a server.

    Attributes:
        argv: Words of the command.
        environment: Complete environment of the process.
        shows_errors: Its standard error goes to ours; otherwise it is discarded.
        secrets: Values of `{answerable:NAME}` in both, by name.
        redacted: Secrets that are redacted in its standard error.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    shows_errors: bool
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    redacted: tuple[str, ...] = field(default=(), repr=False)

    def with_credential(
        self, credential: PresentedCredential | None
    ) -> "ServerProgram":
        """Return the program with a credential in its environment, if there is one."""
        if credential is None or not credential.environment:
            return self
        return replace(
            self,
            environment={**self.environment, **credential.environment},
            redacted=(*self.redacted, *credential.environment.values()),
        )

    def resolve_secrets(self) -> "ServerProgram":
        """Return the program to start, with secrets in place of their references."""
        if not self.secrets:
            return self

        def resolve(text: str) -> str:
            if SECRET_REFERENCE in text:
                for name, secret in self.secrets.items():
                    text = text.replace(f"{SECRET_REFERENCE}{name}}}", secret)
            return text

        return ServerProgram(
            tuple(map(resolve, self.argv)),
            {name: resolve(text) for name, text in self.environment.items()},
            self.shows_errors,
            redacted=(*self.redacted, *self.secrets.values()),
        )


class ServerProcess:
    """Running server program.

    Args:
        heard: Called with slices of its output.
        ended: Called once with its exit code, after all output; 128 + n for signal n.

    Raises:
        OSError: It cannot be run.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        program: ServerProgram,
        heard: Callable[[bytes], None],
        ended: Callable[[int], None],
    ) -> None:
        self._loop, self._ended = loop, ended
        program = program.resolve_secrets()
        is_relayed = program.shows_errors and bool(program.redacted)
        errors = None if program.shows_errors else subprocess.DEVNULL
        self._running = subprocess.Popen(  # noqa: S603 - the operator's own words
            program.argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if is_relayed else errors,
            env=program.environment,
            process_group=0,
        )
        self._errors = (
            StderrRelay(self._running.stderr, program.redacted)
            if self._running.stderr is not None
            else None
        )
        self._code: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._asked = 0.0  # when it was asked to end, monotonic seconds
        atexit.register(self._kill_at_exit)
        self._pidfd = os.pidfd_open(self._running.pid)
        loop.add_reader(self._pidfd, self._on_exit)
        stdin, stdout = self._take_pipes()
        self.input = WritePipe(loop, stdin)
        self._output: ReadPipe | None = ReadPipe(
            loop, stdout, heard, self._on_output_end
        )

    def pause(self) -> None:
        """Stop reading its output."""
        if self._output is not None:
            self._output.pause()

    def resume(self) -> None:
        """Continue reading its output."""
        if self._output is not None:
            self._output.resume()

    def send_signal(self, signal_number: int) -> None:
        """Send a signal to the process group of the MCP server."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, signal_number)

    def shut_down(self, grace: float = STOP_GRACE) -> None:
        """End the MCP server: close its input, then SIGTERM, then SIGKILL.

        Args:
            grace: Seconds that it has to exit once its input is closed.
        """
        if self._code is None and self._timer is None:
            self.input.close()
            self._timer = self._loop.call_later(grace, self.terminate)

    def terminate(self, signal_number: int = signal.SIGTERM) -> None:
        """Send a signal, and kill the process group after a grace period."""
        if self._code is None:
            self._asked = time.monotonic()
            self.send_signal(signal_number)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(
                STOP_GRACE, self.send_signal, signal.SIGKILL
            )

    def _take_pipes(self) -> tuple[int, int]:
        """Take the two pipes over from the `Popen` object that would close them."""
        handles = []
        for file in (self._running.stdin, self._running.stdout):
            assert file is not None  # noqa: S101 - both were asked for
            handles.append(os.dup(file.fileno()))
            file.close()
            os.set_blocking(handles[-1], False)
        return handles[0], handles[1]

    def _on_exit(self) -> None:
        """Reap the process, and kill the rest of its group."""
        atexit.unregister(self._kill_at_exit)
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Until it is reaped, its pid is not reused.
        self.send_signal(signal.SIGKILL)
        code = self._running.wait()
        self._code = code if code >= 0 else 128 - code
        self.input.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._output is None:
            self._report_end(self._code)
        else:
            # A process that left the group may hold the pipe open.
            self._timer = self._loop.call_later(OUTPUT_GRACE, self._on_output_end)

    def _kill_at_exit(self) -> None:
        """Terminate it at exit, where no event loop runs any more."""
        if not self._asked:
            self._asked = time.monotonic()
            self.send_signal(signal.SIGTERM)
        until = self._asked + STOP_GRACE
        ended = select.poll()
        ended.register(self._pidfd, select.POLLIN)
        ended.poll(max(until - time.monotonic(), 0) * 1000)
        self.send_signal(signal.SIGKILL)

    def _on_output_end(self) -> None:
        """Shut down a server that closes its output; report its exit code."""
        if self._output is not None:
            self._output.close()
            self._output = None
        if self._code is None:
            # A server that closes its output has stopped serving.
            self.shut_down()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._report_end(self._code)

    def _report_end(self, code: int) -> None:
        """Report the exit code, after all output."""
        if self._errors is not None:
            self._errors.wait(OUTPUT_GRACE)
        self._ended(code)


def program_identity(program: ServerProgram) -> str:
    """Return the identity of a server by its command and program file."""
    return command_identity(program.argv, program.environment.get("PATH", os.defpath))
