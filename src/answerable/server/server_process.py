"""Application of one server process: listeners, health, readiness, metrics, drain.

Every server is a subclass. It opens its listeners, applies another configuration, and
says why it is not ready; the pages, their state and the order of the end are the same
for all. `server.runtime` runs it as a process, and ships its evidence.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.model.config import Config
from answerable.server.admission import AdmissionControl
from answerable.server.background_tasks import BackgroundTasks
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import BoundListener
from answerable.server.metrics import METRICS_TYPE
from answerable.server.open_file_limit import raise_open_files
from answerable.server.operator_log import LogField, OperatorLog
from answerable.server.restart_only_settings import ReloadableSettings
from answerable.server.status_listener import (
    TEXT_TYPE,
    StatusConnection,
    StatusPage,
    StatusPages,
    json_page,
)

STATUS_CONNECTIONS = 64  # of a listener for health and metrics alone
POLL_INTERVAL = 0.1  # seconds between two checks for open requests

Endpoints = list[tuple[str, str]]


class ServerPlan(ReloadableSettings, Protocol):
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
    def has_valid_policy(self) -> bool:
        """True where the policy or rules of the file are valid."""


PlanT = TypeVar("PlanT", bound=ServerPlan)


class App(ABC, Generic[PlanT]):
    """Application of one server process.

    Attributes:
        plan: Settings in force.
        listening: Endpoints: pairs (what, where).
        is_ending: The drain has begun.
        has_stuck_thread: A thread still runs after the close.
        reload_refused: Reason that the last reload failed; empty where it did not.
        ship_refused: Reason that the last shipping failed; empty where it did not.
        shipped_at: Time of the last complete shipping, monotonic seconds.
        shipped: Number of events stored so far.
    """

    is_ending = has_stuck_thread = False
    reload_refused = ship_refused = ""
    shipped = 0

    def __init__(self, plan: PlanT, log: OperatorLog) -> None:
        self.plan, self._log = plan, log
        self.shipped_at = time.monotonic()
        self._loop = loop = asyncio.get_running_loop()
        self._admission = self._build_connection_quotas()
        self._listeners = Listeners(loop, self._admission)
        self.listening: Endpoints = self._listeners.where
        self._tasks = BackgroundTasks()

    @classmethod
    async def open(cls, plan: PlanT, log: OperatorLog) -> Self:
        """Assemble the application, and open its listeners.

        Raises:
            AnswerableError: A resource is missing or unusable.
        """
        app = cls(plan, log)
        await app.start()
        return app

    @abstractmethod
    async def start(self) -> None:
        """Open the listeners, and start the background tasks.

        Raises:
            AnswerableError: A resource is missing or unusable.
        """

    @abstractmethod
    async def reload(self, plan: PlanT) -> Mapping[str, LogField] | None:
        """Apply another configuration.

        Returns:
            Further fields for the log; None without any.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """

    @abstractmethod
    def not_ready_reasons(self) -> list[str]:
        """List the reasons that the server is not ready; empty where it is."""

    @abstractmethod
    def render_metrics(self) -> bytes:
        """Render the metrics in the text format of Prometheus."""

    @property
    def is_busy(self) -> bool:
        """True while a request is being answered."""
        return False

    def forward_reload(self) -> None:
        """Pass a reload on to child processes."""

    def drain(self) -> None:
        """Accept no more connections; open requests continue."""
        self.is_ending = True
        self._listeners.close()

    async def wait_for_open_requests(self, seconds: float) -> None:
        """Wait for open requests, for some seconds at most."""
        until = time.monotonic() + seconds
        # No event signals the last answer.
        while self.is_busy and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(POLL_INTERVAL)

    async def close(self) -> None:
        """Cut open connections, and write the remaining records."""
        await self._tasks.cancel()

    def close_listeners(self) -> None:
        """Close the listeners that a drain leaves open."""
        self._listeners.close()

    # Health, readiness and metrics.

    async def refresh_health(self) -> None:
        """Collect the state of child processes, before a page shows it."""

    def readiness_details(self) -> Mapping[str, object]:
        """Return further members of the readiness document."""
        return {
            "reload_refused": self.reload_refused,
            "ship_refused": self.ship_refused,
        }

    def health_pages(self) -> StatusPages:
        """Map each path of health, readiness and metrics to its page."""
        return {
            "/healthz": self._build_health,
            "/readyz": self._build_readiness,
            "/metrics": self._build_metrics,
        }

    async def _build_health(self) -> StatusPage:
        """Build `/healthz`: the process is alive."""
        return StatusPage(200, TEXT_TYPE, b"ok\n")

    async def _build_readiness(self) -> StatusPage:
        """Build `/readyz`: 503 with the reasons while the server is not ready."""
        await self.refresh_health()
        reasons = self.not_ready_reasons()
        shown = {"ready": not reasons, "reasons": reasons, **self.readiness_details()}
        return json_page(503 if reasons else 200, shown)

    async def _build_metrics(self) -> StatusPage:
        """Build `/metrics`."""
        await self.refresh_health()
        return StatusPage(200, METRICS_TYPE, self.render_metrics())

    # For subclasses.

    def _build_connection_quotas(self) -> AdmissionControl:
        """Build the quotas of client connections, and raise the open file limit."""
        config = self.plan.config
        raise_open_files(config.limits, self._log)
        return AdmissionControl(config.limits, config.listen.proxies, self._log)

    def _build_status_page_quotas(self) -> AdmissionControl:
        """Build the quotas of a listener for health and metrics alone."""
        limits = replace(
            self.plan.config.limits,
            connections=STATUS_CONNECTIONS,
            connections_per_address=STATUS_CONNECTIONS,
        )
        return AdmissionControl(limits, log=self._log)

    async def _open_status_listener(
        self, name: str, bound: BoundListener, admission: AdmissionControl
    ) -> None:
        """Serve the health pages alone at a bound listener."""
        served = bound.socket_for_worker(0).served_names
        connection = partial(StatusConnection, self.health_pages(), served, admission)
        await self._listeners.open_listener(name, bound, connection)

    def _log_failure(self, error: BaseException) -> None:
        """Log an unexpected exception of a request."""
        self._log.log_loop_error(self._loop, {"exception": error})
