"""Run a server process: start, reload at SIGHUP, and shutdown.

It has a state folder of its own, and ships the evidence there to the store.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from answerable.connectors.config.parse.config_faults import ConfigError, format_faults
from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.model.config import Config
from answerable.model.errors import AnswerableError
from answerable.server.background_tasks import BackgroundTasks
from answerable.server.evidence_shipping import ship_in_subprocess
from answerable.server.garbage_collection import freeze_startup_objects
from answerable.server.operator_log import OperatorLog
from answerable.server.reloadable_settings import ReloadableSettings as Lasting
from answerable.server.reloadable_settings import needs_restart
from answerable.server.state_lock import lock_state
from answerable.server.store_access import create_store
from answerable.server.systemd_notify import SystemdNotifier

SHIP_INTERVAL = 30.0  # seconds between two shippings
POLL_INTERVAL = 0.1  # seconds between two checks for open requests

Endpoints = list[tuple[str, str]]

# Signals for a graceful shutdown. The default action of the last two would end the
# process at once (signal(7)).
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)

SIGN_IN_LINK = "sign-in"  # no listener: a sign-in link, which is never logged


class ServerPlan(Lasting, Protocol):
    """Result of one reading of the configuration, with the folders of a process."""

    @property
    def config(self) -> Config:
        """Configuration of the process."""

    @property
    def reading(self) -> ConfigReading:
        """Result of parsing the file, its faults included."""

    @property
    def store(self) -> Path:
        """Folder of the store."""

    @property
    def state(self) -> Path:
        """State folder of the process, with its spool."""

    @property
    def is_whole(self) -> bool:
        """True where the policy or rules of the file are valid."""


PlanT = TypeVar("PlanT", bound=ServerPlan)
AcceptedPlanT = TypeVar("AcceptedPlanT", bound=ServerPlan, contravariant=True)


class ServerApp(Protocol[AcceptedPlanT]):
    """Application of a server process.

    Attributes:
        listening: Endpoints of the server.
        reload_refused: Reason that the last reload failed; empty where it did not.
        ship_refused: Reason that the last shipping failed; empty where it did not.
    """

    listening: Endpoints
    reload_refused: str
    ship_refused: str

    @property
    def is_busy(self) -> bool:
        """True while a request is being answered."""

    async def reload(self, plan: AcceptedPlanT) -> None:
        """Apply another configuration."""

    def drain(self) -> None:
        """Stop accepting; open requests continue."""

    async def close(self) -> None:
        """Cut open connections, and write the remaining records."""


class ServerRuntime(Generic[PlanT]):
    """Runtime of one server process.

    Args:
        name: Name in the log.
        read: Reads the plan, at the start and at each SIGHUP.
        made: Builds the listening application.
        notifier: Reports the state to a service manager.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], PlanT],
        made: Callable[[PlanT, OperatorLog], Awaitable[ServerApp[PlanT]]],
        notifier: SystemdNotifier | None = None,
    ) -> None:
        self._notifier = notifier or SystemdNotifier()
        self._name, self._read, self._made = name, read, made
        self._plan, self._log = read(), OperatorLog(name)
        self._told_to_end = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._tasks = BackgroundTasks()

    async def run(self, ready: Callable[[Endpoints], None], *, alone: bool) -> None:
        """Serve until a signal stops the process.

        Args:
            ready: Called with the endpoints once they are open.
            alone: No parent process holds its input open to stop it.

        Raises:
            EnvironmentFailure: Something cannot be used.
        """
        self._install_signal_handlers()
        if not alone:
            self._tasks.spawn(self._end_with_parent())
        create_store(self._plan.store)
        with lock_state(self._plan.state, self._plan.store):
            async with self._reloading:  # a SIGHUP during the start is handled after it
                self._house = house = await self._made(self._plan, self._log)
            freeze_startup_objects()
            try:
                ready(house.listening)
                self._log_start(house)
                self._notifier.ready(format_status(house.listening))
                self._tasks.spawn(self._notifier.keep_alive())
                self._tasks.spawn(self._ship_periodically())
                await self._told_to_end.wait()
            finally:
                await self._shut_down(house)

    def _install_signal_handlers(self) -> None:
        """Stop at SIGTERM and SIGINT, and reload at SIGHUP."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._log.log_loop_error)
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._told_to_end.set)
        loop.add_signal_handler(
            signal.SIGHUP, lambda: self._tasks.spawn(self._reload())
        )

    def _log_start(self, app: ServerApp[PlanT]) -> None:
        """Log the endpoints, and faults of the policy."""
        self._log.info(f"{self._name}.ready", listening=[at for _, at in app.listening])
        if not self._plan.is_whole:
            place, faults = self._plan.config.place, self._plan.reading.faults
            self._log.error("policy.missing", faults=format_faults(place, faults))

    async def _reload(self) -> None:
        """Apply the file as it is now; an invalid one leaves the last in force."""
        async with self._reloading:
            self._notifier.reloading()
            try:
                plan = await asyncio.to_thread(self._read)
                if not plan.is_whole:
                    raise ConfigError(plan.config.place, plan.reading.faults)
                await self._house.reload(plan)
            except ConfigError as error:
                self._record_refusal(error.message, error.lines)
            except AnswerableError as error:
                self._record_refusal(error.message, [error.message])
            else:
                later = needs_restart(self._plan, plan)
                if later:
                    self._log.warning("config.needs-restart", keys=later)
                self._house.reload_refused = ""
                self._log.info("config.taken", digest=plan.config.digest)
            finally:
                refused = self._house.reload_refused
                self._notifier.ready(format_status(self._house.listening, refused))

    def _record_refusal(self, reason: str, faults: list[str]) -> None:
        """Keep and log the reason of a refused reload."""
        self._house.reload_refused = reason
        self._log.error("config.refused", faults=faults)

    async def _end_with_parent(self) -> None:
        """Stop when the parent process closes our input."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while await reader.read(1024):
            pass
        self._told_to_end.set()

    async def _ship_periodically(self) -> None:
        """Ship the spool to the store at intervals, until cancelled."""
        while True:
            await asyncio.sleep(SHIP_INTERVAL)
            await self._ship_spool(is_periodic=True)

    async def _ship_spool(self, *, is_periodic: bool = False) -> None:
        """Ship the spool to the store, and log problems."""
        plan, house = self._plan, self._house
        most = plan.config.limits.spool if is_periodic else 0
        told = await ship_in_subprocess(
            plan.store, plan.state / "spool", max_spool_bytes=most
        )
        if told.refused and house.ship_refused != told.refused:
            self._log.error("evidence.not-shipped", why=told.refused)
        house.ship_refused = told.refused
        for place, what in told.problems:
            self._log.error("evidence.problem", place=place, what=what)

    async def _shut_down(self, app: ServerApp[PlanT]) -> None:
        """Stop accepting, wait for open requests, close, and ship the spool."""
        self._log.info(f"{self._name}.ending")
        self._notifier.stopping()
        app.drain()
        until = time.monotonic() + self._plan.config.limits.drain
        # No event signals the last answer.
        while app.is_busy and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(POLL_INTERVAL)
        await self._tasks.cancel()
        await app.close()
        await self._ship_spool()
        self._log.info(f"{self._name}.ended")


def format_status(listening: Endpoints, refusal: str = "") -> str:
    """Format the endpoints and the reason of a refused reload in one line."""
    places = ", ".join(at for what, at in listening if what != SIGN_IN_LINK)
    last = f"the configuration is refused ({refusal}), the last good one is in force; "
    return f"{last if refusal else ''}serving at {places}"


def run_server(
    name: str,
    load_plan: Callable[[], PlanT],
    open_app: Callable[[PlanT, OperatorLog], Awaitable[ServerApp[PlanT]]],
    ready: Callable[[Endpoints], None],
    *,
    alone: bool = True,
) -> None:
    """Run a server until a signal stops it.

    Args:
        name: Name of the process in the log.
        load_plan: Reads the plan.
        open_app: Builds the listening application.
        ready: Called with the endpoints once they are open.
        alone: No parent process holds its input open to stop it.

    Raises:
        AnswerableError: The configuration cannot be read, or cannot be served.
    """
    import uvloop

    notifier = SystemdNotifier.from_environment(os.environ)
    process = ServerRuntime(name, load_plan, open_app, notifier)
    uvloop.run(process.run(ready, alone=alone))
