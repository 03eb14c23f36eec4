"""Run another server (such as the token service) as a child process; restart it.

It is a command of ours that prints a line `WHAT WHERE` for each of its listeners once
they are open, closes its output, and ends when its input does. The supervisor passes on
a reload and the stop.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from answerable.model.errors import EnvironmentFailure
from answerable.server.operator_log import OperatorLog

START_TIMEOUT = 30.0  # seconds until it listens
MIN_RESTART_DELAY, MAX_RESTART_DELAY = (
    0.1,
    10.0,
)  # seconds between an end and the next start
STABLE_AFTER = 60.0  # seconds after which an end counts as the first
STOP_GRACE = 5.0  # seconds beyond those of the drain


class CompanionProcess:
    """One companion process.

    Args:
        name: Name in the log.
        argv: Words of its command.
        log: Log of the supervisor.
        again: Called with its endpoints after each restart.

    Attributes:
        name: Name in the log.
        listening: Its endpoints: pairs (what, where).
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: OperatorLog,
        again: Callable[[list[tuple[str, str]]], None] = lambda _: None,
    ) -> None:
        self.listening: list[tuple[str, str]] = []
        self.restarts = 0
        self.name, self._argv, self._log, self._again = name, argv, log, again
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._ready = False
        self._stale = False  # a reload was requested while it started
        self._ending = False

    @property
    def is_ready(self) -> bool:
        """Return True while it listens."""
        return self._ready

    async def open(self) -> None:
        """Start the process, and restart it whenever it ends.

        Raises:
            EnvironmentFailure: It does not start; its own output says why.
        """
        if not await self._spawn_process():
            raise EnvironmentFailure(
                f"the process {self.name} did not start",
                "see its output above for the reason",
            )
        self._keeping = asyncio.create_task(self._restart_loop())

    def reload(self) -> None:
        """Reload its configuration; while it starts, once it listens.

        Before that it may have read the previous file, and a signal would end it.
        """
        self._stale = not self._ready
        if self._process is not None and self._ready:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGHUP)

    async def stop(self, seconds: float) -> None:
        """Stop it with SIGTERM after it has drained; kill it after a grace period."""
        self._ending = True
        if self._keeping is not None:
            self._keeping.cancel()
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds + STOP_GRACE):
                await process.wait()
        except TimeoutError:
            self._log.error("companion.killed", name=self.name)
            process.kill()
            await process.wait()

    async def _spawn_process(self) -> bool:
        """Start the process; return whether it listens within 30 seconds."""
        self._process = process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            process_group=0,
        )
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        said = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT):
                said = await process.stdout.read()
        lines = [line.partition(" ") for line in said.decode("utf-8").splitlines()]
        self.listening = [(what, where) for what, _, where in lines]
        self._ready = bool(lines)
        if self._ready and self._stale:
            self.reload()
        if not lines:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return self._ready

    async def _restart_loop(self) -> None:
        """Restart the process whenever it has ended."""
        pause, began = MIN_RESTART_DELAY, time.monotonic()
        while True:
            if self._process is not None:
                code = await self._process.wait()
                self._ready = False
                self._log.error("companion.lost", name=self.name, code=code)
            pause = (
                MIN_RESTART_DELAY if time.monotonic() - began > STABLE_AFTER else pause
            )
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_RESTART_DELAY)
            self.restarts += 1
            began = time.monotonic()
            with suppress(OSError):
                if await self._spawn_process():
                    self._again(self.listening)
