"""The process of a door: starts, serves until told to end, and reads the file again.

It has a folder of its own, and writes to the store the evidence that waits there.
"""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from answerable.connectors.config.parse.document import Reading
from answerable.connectors.config.parse.faults import ConfigError, fault_lines
from answerable.model.config import Config
from answerable.model.errors import AnswerableError
from answerable.serving.claim import claim
from answerable.serving.log import Log
from answerable.serving.plan import Plan as Lasting
from answerable.serving.plan import needs_restart
from answerable.serving.shipping import ship_apart
from answerable.serving.stored import make_store
from answerable.serving.systemd_notify import Notifier
from answerable.serving.tasks import Tasks

SHIP = 30.0  # seconds between two shippings
LOOK = 0.1  # seconds between two looks at what is still under way

Listening = list[tuple[str, str]]

# Signals that have a server finish what is under way, and end. The last two would
# otherwise end it at once, whoever sends them by mistake (signal(7)).
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)

LINK = "sign-in"  # no listener: a link that lets somebody in, and stands in no log


class Plan(Lasting, Protocol):
    """What one reading of the file asks for, and where a process keeps its own."""

    @property
    def config(self) -> Config:
        """The configuration."""

    @property
    def reading(self) -> Reading:
        """What was made of the file, its faults included."""

    @property
    def store(self) -> Path:
        """Folder of the store."""

    @property
    def state(self) -> Path:
        """The process's own folder; its spool is in there."""

    @property
    def is_whole(self) -> bool:
        """Whether what it decides by is right."""


OfPlan = TypeVar("OfPlan", bound=Plan)
Taken = TypeVar("Taken", bound=Plan, contravariant=True)


class House(Protocol[Taken]):
    """What the process is made of.

    Attributes:
        listening: Where it can be reached.
        reload_refused: Why the last reload was refused, empty where it was not.
        ship_refused: Why the last shipping was refused, likewise.
    """

    listening: Listening
    reload_refused: str
    ship_refused: str

    @property
    def is_busy(self) -> bool:
        """Whether anything is being answered."""

    async def swap(self, plan: Taken) -> None:
        """Decide by another configuration from now on."""

    def drain(self) -> None:
        """Take no more connections; what is under way goes on."""

    async def close(self) -> None:
        """Cut what is still open, and write what is left to record."""


class Process(Generic[OfPlan]):
    """One process.

    Args:
        name: What the log calls it.
        read: Reads what to serve, and does so again at a SIGHUP.
        made: Puts together what it is made of, listening.
        notifier: Tells a service manager how it does.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], OfPlan],
        made: Callable[[OfPlan, Log], Awaitable[House[OfPlan]]],
        notifier: Notifier | None = None,
    ) -> None:
        self._notifier = notifier or Notifier()
        self._name, self._read, self._made = name, read, made
        self._plan, self._log = read(), Log(name)
        self._told_to_end = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._tasks = Tasks()

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
            self._tasks.spawn(self._end_with_parent())
        make_store(self._plan.store)
        with claim(self._plan.state, self._plan.store):
            async with self._reloading:  # a SIGHUP during the start is heard after it
                self._house = house = await self._made(self._plan, self._log)
            _settle()
            try:
                ready(house.listening)
                self._tell_start(house)
                self._notifier.ready(serving_at(house.listening))
                self._tasks.spawn(self._notifier.keep_alive())
                self._tasks.spawn(self._ship_now_and_then())
                await self._told_to_end.wait()
            finally:
                await self._end(house)

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._log.of_loop)
        for number in ENDING:
            loop.add_signal_handler(number, self._told_to_end.set)
        loop.add_signal_handler(
            signal.SIGHUP, lambda: self._tasks.spawn(self._reload())
        )

    def _tell_start(self, house: House[OfPlan]) -> None:
        self._log.info(
            f"{self._name}.ready", listening=[at for _, at in house.listening]
        )
        if not self._plan.is_whole:
            place, faults = self._plan.config.place, self._plan.reading.faults
            self._log.error("policy.missing", faults=fault_lines(place, faults))

    async def _reload(self) -> None:
        """Put the file in force as it is now; where it is wrong, the last one stays."""
        async with self._reloading:
            self._notifier.reloading()
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
                later = needs_restart(self._plan, plan)
                if later:
                    self._log.warning("config.needs-restart", keys=later)
                self._house.reload_refused = ""
                self._log.info("config.taken", digest=plan.config.digest)
            finally:
                refused = self._house.reload_refused
                self._notifier.ready(serving_at(self._house.listening, refused))

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
            await self._ship(behind=True)

    async def _ship(self, *, behind: bool = False) -> None:
        plan, house = self._plan, self._house
        most = plan.config.limits.spool if behind else 0
        told = await ship_apart(plan.store, plan.state / "spool", most=most)
        if told.refused and house.ship_refused != told.refused:
            self._log.error("evidence.not-shipped", why=told.refused)
        house.ship_refused = told.refused
        for place, what in told.problems:
            self._log.error("evidence.problem", place=place, what=what)

    async def _end(self, house: House[OfPlan]) -> None:
        self._log.info(f"{self._name}.ending")
        self._notifier.stopping()
        house.drain()
        until = time.monotonic() + self._plan.config.limits.drain
        # Nobody tells when the last answer is given.
        while house.is_busy and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(LOOK)
        await self._tasks.cancel()
        await house.close()
        await self._ship()
        self._log.info(f"{self._name}.ended")


def serving_at(listening: Listening, refused: str = "") -> str:
    """Say in one line where it serves, and why the last reload was refused."""
    places = ", ".join(at for what, at in listening if what != LINK)
    last = f"the configuration is refused ({refused}), the last good one is in force; "
    return f"{last if refused else ''}serving at {places}"


def _settle() -> None:
    """Have the collector look at requests alone, and seldom.

    What is made at the start lives as long as the process, and a request leaves no
    cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def serve(
    name: str,
    read: Callable[[], OfPlan],
    made: Callable[[OfPlan, Log], Awaitable[House[OfPlan]]],
    ready: Callable[[Listening], None],
    *,
    alone: bool = True,
) -> None:
    """Serve what a configuration asks for, until told to end.

    Args:
        name: What the log calls the process.
        read: Reads it.
        made: Puts together what the process is made of, listening.
        ready: Told where it can be reached, once it can.
        alone: Nobody started it beside themselves, to end with them.

    Raises:
        AnswerableError: It cannot be read, or cannot be served.
    """
    import uvloop

    notifier = Notifier.of_environment(os.environ)
    process = Process(name, read, made, notifier)
    uvloop.run(process.run(ready, alone=alone))
