"""Run a server process: start, reload at SIGHUP, and shutdown.

It has a state folder of its own, and ships the evidence there to the store.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Generic

from answerable.connectors.config.parse.config_faults import ConfigError, format_faults
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarPolicySet
from answerable.model.errors import AnswerableError
from answerable.server.background_tasks import BackgroundTasks, wait_or_cancel
from answerable.server.evidence_shipping import ship_in_subprocess
from answerable.server.garbage_collection import freeze_startup_objects
from answerable.server.operator_log import OperatorLog
from answerable.server.resident_memory import give_large_blocks_own_mappings
from answerable.server.restart_only_settings import list_restart_only_changes
from answerable.server.server_process import App, Endpoints, PlanT
from answerable.server.state_lock import lock_state_folder
from answerable.server.store_access import create_store
from answerable.server.systemd_notify import SystemdNotifier

SHIP_INTERVAL = 30.0  # seconds between two shippings

# Signals for a graceful shutdown. The default action of the last two would end the
# process at once (signal(7)).
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)

SIGN_IN_LINK = "sign-in"  # no listener: a sign-in link, which is never logged
SIGN_IN_LINK_FILE = "sign-in-link"  # no listener: the file that contains the link


class ServerRuntime(Generic[PlanT]):
    """Runtime of one server process.

    Args:
        name: Name of the server in events of the log.
        load_plan: Reads the plan, at the start and at each SIGHUP.
        open_app: Builds the listening application.
        notifier: Reports the state to a service manager.
        process: Name of the process in the log; empty for that of the server.

    Attributes:
        app: The application, once it is open.
    """

    def __init__(
        self,
        name: str,
        load_plan: Callable[[], PlanT],
        open_app: Callable[[PlanT, OperatorLog], Awaitable[App[PlanT]]],
        notifier: SystemdNotifier | None = None,
        process: str = "",
    ) -> None:
        self._notifier = notifier or SystemdNotifier()
        self._name, self._load, self._open = name, load_plan, open_app
        self._plan, self._log = load_plan(), OperatorLog(process or name)
        self._told_to_end = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._tasks = BackgroundTasks()
        self._shipping: asyncio.Task[None] | None = None

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
            self._tasks.spawn(self._stop_with_parent())
        create_store(self._plan.store)
        server = "gateway" if self._name == "serve" else self._name
        with lock_state_folder(self._plan.state, self._plan.store, server):
            async with self._reloading:  # a SIGHUP during the start is handled after it
                self.app = app = await self._open(self._plan, self._log)
            freeze_startup_objects()
            give_large_blocks_own_mappings()
            try:
                ready(app.listening)
                # A sign-in link is shown once, and neither logged nor kept.
                names = (SIGN_IN_LINK, SIGN_IN_LINK_FILE)
                app.listening = [e for e in app.listening if e[0] not in names]
                self._log_start()
                self._notifier.ready(format_status_line(app.listening))
                self._tasks.spawn(self._notifier.keep_alive())
                self._tasks.spawn(self._ship_periodically())
                await self._told_to_end.wait()
            finally:
                await self._shut_down()

    def _install_signal_handlers(self) -> None:
        """Stop at SIGTERM and SIGINT, and reload at SIGHUP."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._log.log_loop_error)
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._told_to_end.set)
        loop.add_signal_handler(
            signal.SIGHUP, lambda: self._tasks.spawn(self._reload_config())
        )

    def _log_start(self) -> None:
        """Log the endpoints, and faults of the policy."""
        listening = [at for _, at in self.app.listening]
        self._log.info(f"{self._name}.ready", listening=listening)
        if not self._plan.has_valid_policy:
            place, faults = self._plan.config.place, self._plan.reading.faults
            self._log.error("policy.missing", faults=format_faults(place, faults))

    async def _reload_config(self) -> None:
        """Apply the file as it is now; an invalid one leaves the last in force."""
        async with self._reloading:
            app = self.app
            app.forward_reload()
            self._notifier.reloading()
            try:
                plan = await asyncio.to_thread(self._load)
                if not plan.has_valid_policy:
                    raise ConfigError(plan.config.place, plan.reading.faults)
                fields = await app.reload(plan)
            except ConfigError as error:
                self._record_reload_refusal(error.message, error.lines)
            except AnswerableError as error:
                self._record_reload_refusal(error.message, [error.message])
            else:
                later = list_restart_only_changes(self._plan, plan)
                if later:
                    self._log.warning("config.needs-restart", keys=later)
                app.reload_refused = ""
                taken = {"digest": plan.config.digest, **(fields or {})}
                self._log.info("config.taken", **taken)
            finally:
                self._notifier.ready(
                    format_status_line(app.listening, app.reload_refused)
                )

    def _record_reload_refusal(self, reason: str, faults: list[str]) -> None:
        """Keep and log the reason of a refused reload."""
        self.app.reload_refused = reason
        self._log.error("config.refused", faults=faults)

    async def _stop_with_parent(self) -> None:
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
        """Ship the spool to the store at intervals, until the server ends.

        The end would wait for a shipping of low priority; the last one has a normal one.
        """
        while True:
            await asyncio.sleep(SHIP_INTERVAL)
            if self._told_to_end.is_set():
                return
            # A shipping that has begun continues when this task is cancelled.
            self._shipping = asyncio.create_task(self._ship_spool(is_periodic=True))
            await asyncio.shield(self._shipping)

    async def _ship_spool(self, *, is_periodic: bool = False) -> None:
        """Ship the spool to the store, and log problems."""
        plan, app = self._plan, self.app
        if not (plan.state / "spool").is_dir():  # this server keeps no records
            app.shipped_at = time.monotonic()
            return
        most = app.plan.config.limits.spool if is_periodic else 0
        told = await ship_in_subprocess(
            plan.store, plan.state / "spool", max_spool_bytes=most
        )
        if told.refused:
            if app.ship_refused != told.refused:
                self._log.error("evidence.not-shipped", why=told.refused)
            app.ship_refused = told.refused
            return
        app.ship_refused, app.shipped_at = "", time.monotonic()
        app.shipped += told.stored
        for place, what in told.problems:
            self._log.error("evidence.problem", place=place, what=what)

    async def _shut_down(self) -> None:
        """Stop accepting, wait for open requests, close, and ship the spool."""
        app, drain = self.app, self.app.plan.config.limits.drain
        self._log.info(f"{self._name}.ending")
        self._notifier.stopping()
        app.drain()
        await app.wait_for_open_requests(drain)
        await self._tasks.cancel()
        await app.close()
        if self._shipping is not None:  # two at once would refuse the last one
            await wait_or_cancel(self._shipping, drain)
        await self._ship_spool()
        app.close_listeners()
        self._log.info(f"{self._name}.ended")


def format_status_line(listening: Endpoints, refusal: str = "") -> str:
    """Format the endpoints and the reason of a refused reload in one line."""
    places = ", ".join(at for _, at in listening)
    last = (
        f"the configuration was rejected ({refusal}), the last valid one is in force; "
    )
    return f"{last if refusal else ''}serving at {places}"


def reuse_valid_policies(
    load_plan: Callable[[CedarPolicySet], PlanT],
) -> Callable[[], PlanT]:
    """Build a loader that gets the last valid policies, and checks only changed ones.

    Args:
        load_plan: Reads a plan, given the policies of an earlier one.
    """
    last = NO_CEDAR_POLICIES

    def load_next_plan() -> PlanT:
        nonlocal last
        plan = load_plan(last)
        last = plan.reading.policies if plan.has_valid_policy else last
        return plan

    return load_next_plan


def run_server(
    name: str,
    load_plan: Callable[[], PlanT],
    open_app: Callable[[PlanT, OperatorLog], Awaitable[App[PlanT]]],
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
    if process.app.has_stuck_thread:
        # All data is on disk; a normal exit would wait for the thread.
        sys.stdout.flush()
        os._exit(0)
