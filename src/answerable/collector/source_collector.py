"""Run one source on its schedule: one run at a time, with deadline and back-off."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec.structs import replace

from answerable.collector import run_timing
from answerable.collector.log_listing import digest_log_listing
from answerable.collector.run_process import run_in_process
from answerable.collector.run_result import RunResult
from answerable.model.collection import CollectionSchedule, SourceState
from answerable.model.time_units import SECOND_NS
from answerable.server.operator_log import OperatorLog

MAX_SLEEP = 30.0  # seconds; a clock that was set is noticed after that


class SourceCollector:
    """Collector of one source.

    Args:
        store: Folder of the store.
        source: `NAME:LOCATION`, with an absolute path.
        schedule: Its schedule.
        state: Its state of an earlier process; None for none.
        slots: Limits the concurrent runs of all sources.
        log: Log of the process.
        save: Called after each run to save the states of all sources.

    Attributes:
        state: Its present state.
        running_since: Start of the run in progress, seconds since the epoch; 0 for none.
        last_seconds: Duration of the last run.
        runs: Number of runs by outcome: `success`, `partial`, `failure`.
        stored: Number of new events.
    """

    def __init__(
        self,
        store: Path,
        source: str,
        schedule: CollectionSchedule,
        *,
        state: SourceState | None,
        slots: asyncio.Semaphore,
        log: OperatorLog,
        save: Callable[[], Awaitable[None]],
    ) -> None:
        self._store, self._source, self._slots = store, source, slots
        self._log, self._save = log, save
        self._changed = asyncio.Event()
        self._draining = False
        self._failed_end = 0.0
        self._listing = b""
        self.running_since = self.last_seconds = 0.0
        self.runs: Counter[str] = Counter()
        self.stored = 0
        now = time.time_ns()
        self.state = state or SourceState(source, since=now, late_after=now)
        self.reschedule(schedule)

    @property
    def next_at(self) -> float:
        """Next start without its jitter, seconds since the epoch."""
        state = self.state
        last = max(state.succeeded_at, state.failed_at) / SECOND_NS
        if not last:
            return state.since / SECOND_NS
        failed_end = max(self._failed_end, state.failed_at / SECOND_NS)
        if state.failures:
            return run_timing.next_retry_start(
                self.schedule, last, state.failures, failed_end
            )
        return run_timing.next_regular_start(self.schedule, last, time.time())

    def is_late(self, now: float) -> bool:
        """Return whether the data of the source is late."""
        return now * SECOND_NS > self.state.late_after

    def is_silent(self, now: float) -> bool:
        """Return whether a log had no new event for too long."""
        return 0 < self.state.silent_at < now * SECOND_NS

    def reschedule(self, schedule: CollectionSchedule) -> None:
        """Use another schedule from now on."""
        self.schedule = schedule
        self.state = self._with_late_time(self.state)
        self._changed.set()

    def drain(self) -> None:
        """Start no more runs; the one in progress goes on."""
        self._draining = True
        self._changed.set()

    async def run_forever(self) -> None:
        """Run the source whenever it is due, until drained or cancelled."""
        while await self._wait_until_due():
            async with self._slots:
                if self._draining:
                    return
                await self._run_once()

    async def _wait_until_due(self) -> bool:
        """Wait for the next start and its jitter; return False when drained."""
        last = max(self.state.succeeded_at, self.state.failed_at)
        share = secrets.randbelow(1000) / 1000 if last else 0.0
        while not self._draining:
            delay = self.next_at + share * self.schedule.jitter - time.time()
            if delay <= 0:
                return True
            self._changed.clear()
            try:
                async with asyncio.timeout(min(delay, MAX_SLEEP)):
                    await self._changed.wait()
            except TimeoutError:
                continue
        return False

    async def _run_once(self) -> None:
        """Run the source, record the result, and save the states.

        It counts as running until its result is in the log: a drain waits for that.
        """
        started = time.time_ns()
        self.running_since = started / SECOND_NS
        try:
            await self._run_and_record(started)
        finally:
            self.running_since = 0.0

    async def _run_and_record(self, started: int) -> None:
        """Run the source unless its log is unchanged; record and log the result."""
        listing = await asyncio.to_thread(digest_log_listing, self._source, started)
        if listing and listing == self._listing:  # the last run read all there is
            self.last_seconds = 0.0
            self._record_success(started, RunResult())
            await self._save()
            if not self.schedule.follow:  # whose scans are many
                self._log_run(RunResult())
            return
        result = await run_in_process(self._store, self._source, self.schedule.deadline)
        is_complete = not result.failure and not result.is_partial
        self._listing = listing if is_complete else b""
        self.last_seconds = (time.time_ns() - started) / SECOND_NS
        if result.failure:
            self._record_failure(started, result.failure)
        else:
            self._record_success(started, result)
        await self._save()  # before the log: answers then show what it says
        self._log_run(result)

    def _record_success(self, started: int, result: RunResult) -> None:
        """Record a run that stored data."""
        outcome = "partial" if result.is_partial else "success"
        self.runs[outcome] += 1
        self.stored += result.stored
        silent_at = self.state.silent_at
        if self.schedule.silent_after and (result.stored or not silent_at):
            silent_at = started + self.schedule.silent_after * SECOND_NS
        self.state = self._with_late_time(
            SourceState(
                self._source,
                since=started,
                late_after=0,
                succeeded_at=started,
                problems=result.problems,
                names=result.names,
                newest=max(self.state.newest, result.newest),
                silent_at=silent_at if self.schedule.silent_after else 0,
            )
        )

    def _record_failure(self, started: int, reason: str) -> None:
        """Record a run that stored nothing; its retry backs off."""
        self.runs["failure"] += 1
        self._failed_end = time.time()
        failures = self.state.failures + 1
        self.state = replace(
            self.state, failed_at=started, failures=failures, reason=reason
        )

    def _log_run(self, result: RunResult) -> None:
        """Log how the last collection run of the source ended."""
        if result.failure:
            self._log.error(
                "source.failed",
                source=self._source,
                why=result.failure,
                failures=self.state.failures,
                retry_in=round(max(0.0, self.next_at - self._failed_end)),
            )
            return
        write = self._log.warning if result.is_partial else self._log.info
        write(
            "source.collected",
            source=self._source,
            outcome="partial" if result.is_partial else "success",
            stored=result.stored,
            seconds=round(self.last_seconds, 3),
        )

    def _with_late_time(self, state: SourceState) -> SourceState:
        """Compute the time after which the data of a state is late."""
        at = run_timing.compute_late_time(
            self.schedule, state.since / SECOND_NS, is_read=bool(state.succeeded_at)
        )
        return replace(state, late_after=round(at * SECOND_NS))
