"""Start, query and restart one worker process, for the supervisor."""

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from answerable.gateway.serve.control_channel import (
    ApprovalWanted,
    CollectMetrics,
    ControlChannel,
    DrainWorker,
    OrderRefused,
    PolicyApplied,
    PolicyTrialResult,
    StartWorker,
    StatementsChanged,
    TryPolicy,
    WorkerMetrics,
    WorkerPolicy,
    WorkerReady,
    WorkerReport,
)
from answerable.gateway.serve.metrics import drop_gauges, sum_series
from answerable.model.approval_request import BlockedCall
from answerable.model.errors import EnvironmentFailure
from answerable.server.operator_log import OperatorLog

ANSWER_TIMEOUT = 10.0  # seconds for a worker to answer
MIN_RESTART_DELAY, MAX_RESTART_DELAY = (
    0.1,
    10.0,
)  # seconds between an end and the next start
STABLE_AFTER = 60.0  # seconds after which an end counts as the first
STOP_GRACE = 5.0  # seconds beyond those of the drain

_NO_METRICS = WorkerMetrics((), "")


class WorkerProcess:
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
        start: Callable[[int], StartWorker],
        log: OperatorLog,
        wants: Callable[[BlockedCall], None],
    ) -> None:
        self.restarts = 0
        self._number, self._start, self._log = number, start, log
        self._wants = wants
        self._channel: ControlChannel | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._asked: asyncio.Future[WorkerReport | None] | None = None
        self._expected: tuple[type[WorkerReport], ...] = ()
        self._turns = asyncio.Lock()  # one question at a time
        self._measured = _NO_METRICS
        self._before = _NO_METRICS.series  # counted by those that ended
        self._refused: OrderRefused | None = None
        self._ending = False
        self._keeping: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Return True while it serves."""
        return self._ready.is_set()

    async def open(self) -> None:
        """Start the process, and restart it whenever it ends.

        Raises:
            EnvironmentFailure: It does not start.
        """
        self._keeping = asyncio.create_task(self._restart_loop())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._keeping}, return_when=asyncio.FIRST_COMPLETED)
        if not self.is_ready:
            ready.cancel()
            refused = self._refused or OrderRefused(
                "a worker ended before it was ready"
            )
            raise EnvironmentFailure(refused.why, refused.hint)

    async def collect_metrics(self) -> WorkerMetrics:
        """Collect its metrics; return the last known ones where it does not answer."""
        report = await self._send_and_wait(CollectMetrics(), WorkerMetrics)
        if isinstance(report, WorkerMetrics):
            self._measured = report
        series = sum_series((self._before, self._measured.series))
        return WorkerMetrics(series, self._measured.alarm)

    async def apply_policy(
        self, policy: WorkerPolicy
    ) -> OrderRefused | PolicyApplied | None:
        """Apply another policy; return the refusal where the worker cannot.

        A worker without a process starts with the current policy: None.
        """
        if self._channel is None:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await self._ready.wait()
        report = await self._send_and_wait(policy, PolicyApplied, OrderRefused)
        if isinstance(report, OrderRefused | PolicyApplied):
            return report
        return self._build_no_answer_refusal()

    async def try_policy(
        self, policy: WorkerPolicy
    ) -> OrderRefused | PolicyTrialResult | None:
        """Evaluate another policy on recent calls; None without a process."""
        report = await self._send_and_wait(
            TryPolicy(policy), PolicyTrialResult, OrderRefused
        )
        if isinstance(report, OrderRefused | PolicyTrialResult):
            return report
        return self._build_no_answer_refusal()

    def _build_no_answer_refusal(self) -> OrderRefused | None:
        """Return a refusal for a worker that runs but does not answer."""
        if not self.is_ready:
            return None
        return OrderRefused(f"worker {self._number} does not respond")

    def send(self, order: StatementsChanged) -> None:
        """Send an order that needs no answer."""
        if self._channel is not None:
            self._channel.send(order)

    async def stop(self, seconds: float) -> None:
        """Drain and stop the worker; kill it after a grace period."""
        self._ending = True
        if self._channel is not None:
            self._channel.send(DrainWorker())
        try:
            async with asyncio.timeout(seconds + STOP_GRACE):
                if self._keeping is not None:
                    await self._keeping
        except TimeoutError:
            self._log.error("worker.killed", worker=self._number)
            if self._process is not None:
                self._process.kill()
                await self._process.wait()

    async def _restart_loop(self) -> None:
        """Restart the process whenever it has ended, until the supervisor stops it."""
        pause = MIN_RESTART_DELAY
        while True:
            began = time.monotonic()
            try:
                code = await self._run_process()
            except OSError as error:  # no process, no descriptor: try again later
                code = -1
                self._log.error("worker.not-started", why=error.strerror or "")
            was_ready = self.is_ready
            self._ready.clear()
            self._before = drop_gauges(
                sum_series((self._before, self._measured.series))
            )
            self._measured = _NO_METRICS
            if self._ending or (not was_ready and not self.restarts):
                return
            self._log.error("worker.lost", worker=self._number, code=code)
            pause = (
                MIN_RESTART_DELAY if time.monotonic() - began > STABLE_AFTER else pause
            )
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_RESTART_DELAY)
            self.restarts += 1

    async def _run_process(self) -> int:
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
        self._channel = channel = await ControlChannel.connect(ours)
        channel.send(self._start(self._number))  # with what is in force by now
        async for report in channel.receive_reports():
            self._handle_report(report)
        channel.close()
        self._channel = None
        if self._asked is not None:
            self._asked.set_result(None)
            self._asked = None
        return await process.wait()

    def _handle_report(self, report: WorkerReport) -> None:
        """Handle a message from the worker."""
        if isinstance(report, WorkerReady):
            self._ready.set()
        elif isinstance(report, ApprovalWanted):
            self._wants(report.asked)
        elif not self.is_ready and isinstance(report, OrderRefused):
            self._refused = report
        elif isinstance(report, self._expected) and self._asked is not None:
            # A late answer to an older order is of another type, or equivalent.
            self._asked.set_result(report)
            self._asked = None
        elif isinstance(report, OrderRefused):
            self._log.error("worker.refused", worker=self._number, why=report.why)

    async def _send_and_wait(
        self,
        order: CollectMetrics | WorkerPolicy | TryPolicy,
        *expected: type[WorkerReport],
    ) -> WorkerReport | None:
        """Send an order and wait for its answer; None where none comes."""
        async with self._turns:
            if self._channel is None or not self.is_ready:
                return None
            asked: asyncio.Future[WorkerReport | None]
            asked = asyncio.get_running_loop().create_future()
            self._asked = asked
            self._expected = expected
            self._channel.send(order)
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT):
                    return await asked
            except TimeoutError:
                return None
            finally:
                self._asked = None
