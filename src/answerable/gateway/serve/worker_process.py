"""Worker process as the supervisor sees it: started, queried and restarted."""

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from answerable.gateway.serve.control_channel import (
    Amended,
    Asking,
    Baselined,
    Channel,
    Drain,
    Measure,
    Measured,
    Policy,
    Ready,
    Refused,
    Report,
    Start,
    Taken,
    Tried,
    Try,
    Wants,
)
from answerable.gateway.serve.metrics import lasting, summed_series
from answerable.model.approval_request import Asked
from answerable.model.errors import EnvironmentRefused
from answerable.server.operator_log import Log

ANSWER = 10.0  # seconds for a worker to answer
SHORTEST, LONGEST = 0.1, 10.0  # seconds between an end and the next start
STEADY = 60.0  # seconds after which an end counts as the first
GRACE = 5.0  # seconds beyond those of the drain

_NOTHING = Measured((), "")


class Child:
    """One worker process.

    Args:
        number: Number of the worker, from 0.
        start: Builds its start message.
        log: Log of the supervisor.
        wants: Called with each approval request.
    """

    def __init__(
        self,
        number: int,
        start: Callable[[int], Start],
        log: Log,
        wants: Callable[[Asked], None],
    ) -> None:
        self.restarts = 0
        self._number, self._start, self._log = number, start, log
        self._wants = wants
        self._channel: Channel | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._asked: asyncio.Future[Report | None] | None = None
        self._expected: tuple[type[Report], ...] = ()
        self._turns = asyncio.Lock()  # one question at a time
        self._measured = _NOTHING
        self._before = _NOTHING.series  # counted by those that ended
        self._refused: Refused | None = None
        self._ending = False
        self._keeping: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """True while it serves."""
        return self._ready.is_set()

    async def open(self) -> None:
        """Start the process, and restart it whenever it ends.

        Raises:
            EnvironmentRefused: It does not start.
        """
        self._keeping = asyncio.create_task(self._keep())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._keeping}, return_when=asyncio.FIRST_COMPLETED)
        if not self.is_ready:
            ready.cancel()
            refused = self._refused or Refused("a worker ended before it was ready")
            raise EnvironmentRefused(refused.why, refused.hint)

    async def measure(self) -> Measured:
        """Collect its metrics; return the last known ones where it does not answer."""
        report = await self._ask(Measure(), Measured)
        if isinstance(report, Measured):
            self._measured = report
        series = summed_series((self._before, self._measured.series))
        return Measured(series, self._measured.alarm)

    async def take(self, policy: Policy) -> Refused | Taken | None:
        """Apply another policy; return the refusal where the worker cannot.

        A worker without a process starts with the current policy: None.
        """
        if self._channel is None:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER):
                await self._ready.wait()
        report = await self._ask(policy, Taken, Refused)
        if isinstance(report, Refused | Taken):
            return report
        return self._silent()

    async def attempt(self, policy: Policy) -> Refused | Tried | None:
        """Evaluate another policy on recent calls; None without a process."""
        report = await self._ask(Try(policy), Tried, Refused)
        if isinstance(report, Refused | Tried):
            return report
        return self._silent()

    def _silent(self) -> Refused | None:
        if not self.is_ready:
            return None
        return Refused(f"worker {self._number} does not answer")

    def say(self, order: Amended | Baselined | Asking) -> None:
        """Send an order that needs no answer."""
        if self._channel is not None:
            self._channel.say(order)

    async def end(self, seconds: float) -> None:
        """Drain and stop the worker; kill it after a grace period."""
        self._ending = True
        if self._channel is not None:
            self._channel.say(Drain())
        try:
            async with asyncio.timeout(seconds + GRACE):
                if self._keeping is not None:
                    await self._keeping
        except TimeoutError:
            self._log.error("worker.killed", worker=self._number)
            if self._process is not None:
                self._process.kill()
                await self._process.wait()

    async def _keep(self) -> None:
        """Restart the process whenever it has ended, until the supervisor stops it."""
        pause = SHORTEST
        while True:
            began = time.monotonic()
            try:
                code = await self._run()
            except OSError as error:  # no process, no descriptor: try again later
                code = -1
                self._log.error("worker.not-started", why=error.strerror or "")
            was_ready = self.is_ready
            self._ready.clear()
            self._before = lasting(summed_series((self._before, self._measured.series)))
            self._measured = _NOTHING
            if self._ending or (not was_ready and not self.restarts):
                return
            self._log.error("worker.lost", worker=self._number, code=code)
            pause = SHORTEST if time.monotonic() - began > STEADY else pause
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)
            self.restarts += 1

    async def _run(self) -> int:
        """Run one process from start to end."""
        ours, theirs = socket.socketpair()
        sockets = self._start(self._number).sockets
        handles = (theirs.fileno(), *(each.handle for each in sockets))
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "answerable.gateway.serve.worker",
            str(theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            pass_fds=handles,
            process_group=0,
        )
        theirs.close()
        self._channel = channel = await Channel.over(ours)
        channel.say(self._start(self._number))  # with what is in force by now
        async for report in channel.reports():
            self._hear(report)
        channel.close()
        self._channel = None
        if self._asked is not None:
            self._asked.set_result(None)
            self._asked = None
        return await process.wait()

    def _hear(self, report: Report) -> None:
        if isinstance(report, Ready):
            self._ready.set()
        elif isinstance(report, Wants):
            self._wants(report.asked)
        elif not self.is_ready and isinstance(report, Refused):
            self._refused = report
        elif isinstance(report, self._expected) and self._asked is not None:
            # A late answer to an older order is of another type, or equivalent.
            self._asked.set_result(report)
            self._asked = None
        elif isinstance(report, Refused):
            self._log.error("worker.refused", worker=self._number, why=report.why)

    async def _ask(
        self, order: Measure | Policy | Try, *expected: type[Report]
    ) -> Report | None:
        """Send an order and wait for its answer; None where none comes."""
        async with self._turns:
            if self._channel is None or not self.is_ready:
                return None
            asked: asyncio.Future[Report | None]
            asked = asyncio.get_running_loop().create_future()
            self._asked = asked
            self._expected = expected
            self._channel.say(order)
            try:
                async with asyncio.timeout(ANSWER):
                    return await asked
            except TimeoutError:
                return None
            finally:
                self._asked = None
