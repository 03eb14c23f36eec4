"""The process: starts, serves until it is told to end, and reads the file again.

It runs under its own user, with its own folder. Of the store it reads who has an
attested owner, and writes there the evidence that waits in its spool.
"""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Callable, Coroutine

from answerable.connectors.config.parse.faults import ConfigError, fault_lines
from answerable.model.errors import AnswerableError
from answerable.serving.claim import claim
from answerable.serving.kills import KillFile
from answerable.serving.log import Log
from answerable.serving.shipping import ship_apart
from answerable.serving.stored import make_store
from answerable.sts.serve.house import House
from answerable.sts.serve.plan import Plan

SHIP = 30.0  # seconds between two shippings
LOOK = 0.1  # seconds between two looks at what is still under way

Listening = list[tuple[str, str]]


class Process:
    """One token service.

    Args:
        plan: What to serve.
        read: Reads the configuration again.
        log: Its own.
    """

    def __init__(self, plan: Plan, read: Callable[[], Plan], log: Log) -> None:
        self._plan, self._read, self._log = plan, read, log
        self._told_to_end = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, ready: Callable[[Listening], None], *, alone: bool) -> None:
        """Serve until told to end.

        Args:
            ready: Told where it can be reached, once it can.
            alone: Nobody started it beside themselves, to end with them.

        Raises:
            EnvironmentRefused: Something cannot be used.
        """
        self._hear_signals()
        if not alone:
            self._spawn(self._end_with_parent())
        make_store(self._plan.store)
        with claim(self._plan.state):
            KillFile(self._plan.state).read()  # a kill that cannot be read is no start
            house = await House.open(self._plan, self._log)
            _settle()
            self._house = house
            try:
                ready(house.listening)
                self._tell_start(house)
                self._spawn(self._ship_now_and_then())
                await self._told_to_end.wait()
            finally:
                await self._end(house)

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._log.of_loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_end.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reload()))

    def _tell_start(self, house: House) -> None:
        self._log.info("sts.ready", listening=[at for _, at in house.listening])
        if not self._plan.is_whole:
            place, faults = self._plan.config.place, self._plan.reading.faults
            self._log.error("policy.missing", faults=fault_lines(place, faults))

    async def _reload(self) -> None:
        """Put the file in force as it is now; where it is wrong, the last one stays."""
        async with self._reloading:
            try:
                plan = await asyncio.to_thread(self._read)
                if not plan.is_whole:
                    raise ConfigError(plan.config.place, plan.reading.faults)
                await self._house.swap(plan)
            except ConfigError as error:
                self._refuse(error.message, error.lines)
            except AnswerableError as error:
                self._refuse(error.message, [error.message])
            else:
                later = self._plan.needs_restart(plan)
                if later:
                    self._log.warning("config.needs-restart", keys=later)
                self._house.reload_refused = ""
                self._log.info("config.taken", digest=plan.config.digest)

    def _refuse(self, why: str, lines: list[str]) -> None:
        self._house.reload_refused = why
        self._log.error("config.refused", faults=lines)

    async def _end_with_parent(self) -> None:
        """Whoever started us holds our input open, and is gone when that ends."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while await reader.read(1024):
            pass
        self._told_to_end.set()

    async def _ship_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SHIP)
            await self._ship()

    async def _ship(self) -> None:
        plan, house = self._plan, self._house
        told = await ship_apart(plan.store, plan.state / "spool")
        if told.refused and house.ship_refused != told.refused:
            self._log.error("evidence.not-shipped", why=told.refused)
        house.ship_refused = told.refused
        for place, what in told.problems:
            self._log.error("evidence.problem", place=place, what=what)

    async def _end(self, house: House) -> None:
        self._log.info("sts.ending")
        house.drain()
        until = time.monotonic() + self._plan.config.limits.drain
        # Nobody tells when the last answer is given.
        while house.is_busy and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(LOOK)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await house.close()
        await self._ship()
        self._log.info("sts.ended")

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _settle() -> None:
    """Have the collector look at requests alone, and seldom.

    What is made at the start lives as long as the process, and a request leaves no
    cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def serve(
    read: Callable[[], Plan], ready: Callable[[Listening], None], *, alone: bool = True
) -> None:
    """Serve what a configuration asks for, until told to end.

    Args:
        read: Reads it.
        ready: Told where the token service can be reached, once it can.
        alone: Nobody started it beside themselves, to end with them.

    Raises:
        AnswerableError: It cannot be read, or cannot be served.
    """
    import uvloop

    plan = read()
    uvloop.run(Process(plan, read, Log("sts")).run(ready, alone=alone))
