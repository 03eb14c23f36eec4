"""Assemble the collector from its settings; reload and drain it."""

import asyncio
import time
from collections.abc import Mapping

from answerable.collector.log_publisher import LogPublisher
from answerable.collector.receivers.http_server import RecordReceiver
from answerable.collector.receivers.record_writer import RecordWriter
from answerable.collector.settings import CollectorSettings
from answerable.collector.source_collector import SourceCollector
from answerable.collector.status import (
    StatusMetrics,
    build_source_health,
    list_late_reasons,
    list_late_senders,
)
from answerable.model.collection import CollectionSchedule, SourceState
from answerable.model.errors import EnvironmentFailure
from answerable.server.admission import AdmissionControl
from answerable.server.asgi import AsgiServer
from answerable.server.listening_sockets import bind_listener
from answerable.server.operator_log import OperatorLog
from answerable.server.resident_memory import resident_bytes
from answerable.server.server_process import App
from answerable.store.collection_state import (
    read_source_states,
    read_task_states,
    write_source_states,
)
from answerable.store.store_layout import StoreLayout

SERVER_NAME = "collector"
RECEIVER_NAME = "receiver"
TILES_NAME = "tiles"
SAVE_INTERVAL = 10.0  # seconds between two saves of the states of senders


class CollectorApp(App[CollectorSettings]):
    """The application of one process."""

    def __init__(self, settings: CollectorSettings, log: OperatorLog) -> None:
        super().__init__(settings, log)
        self._layout = StoreLayout(settings.store)
        self._slots = asyncio.Semaphore(settings.config.collector.parallel)
        self._saving = asyncio.Lock()
        self._unsaved = ""  # reason that the states could not be saved
        self._collectors: dict[str, SourceCollector] = {}
        self._writer = RecordWriter(settings.store, log)
        self._receiver = RecordReceiver(
            settings.config.collector.senders, self._writer, self._log_failure
        )
        self._deliveries = AsgiServer(
            self._receiver.build_app(), self._admission, self._listeners, self._loop
        )
        publisher = LogPublisher(self._layout, self._log_failure)
        self._tiles = AsgiServer(
            publisher.build_app(),
            AdmissionControl(settings.config.limits, log=log),
            self._listeners,
            self._loop,
        )
        self._runs: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Open the listeners, and start the collection of every scheduled source.

        Raises:
            AnswerableError: An address or the store cannot be used.
        """
        for listener in self.plan.config.collector.listen:
            bound = bind_listener(listener, 1)
            quotas = self._build_status_page_quotas()
            await self._open_status_listener(SERVER_NAME, bound, quotas)
        await self._open_receivers()
        for listener in self.plan.config.collector.tiles:
            await self._tiles.listen(TILES_NAME, bind_listener(listener, 1))
        states = read_source_states(self._layout) + read_task_states(self._layout)
        known = {each.source: each for each in states}
        self._start_new_sources(self.plan.runs, known)
        self._write_states()

    async def _open_receivers(self) -> None:
        """Open the listeners of the receivers, and start the writer."""
        for listener in self.plan.config.collector.receive:
            bound = bind_listener(listener, 1)
            await self._deliveries.listen(RECEIVER_NAME, bound)
        if self.plan.config.collector.receive:
            self._tasks.spawn(self._writer.run_forever())
            self._tasks.spawn(self._save_sender_states_forever())

    @property
    def is_busy(self) -> bool:
        """Return whether a run or a delivery is in progress."""
        runs = any(each.running_since for each in self._collectors.values())
        return runs or self._deliveries.is_busy

    async def reload(self, settings: CollectorSettings) -> None:
        """Apply another configuration; a run of a source that remains goes on.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        section = settings.config.collector
        listeners = (*section.listen, *section.receive, *section.tiles)
        self._listeners.prepare_certificates(listeners)()
        self._receiver.configure(section.senders)
        for source in self._collectors.keys() - settings.runs.keys():
            del self._collectors[source]
            await _cancel_tasks(self._runs.pop(source))
        for source, collector in self._collectors.items():
            collector.reschedule(settings.runs[source])
        self._start_new_sources(settings.runs, {})
        self.plan = settings
        await self._save_source_states()

    def drain(self) -> None:
        """Start no more runs and accept no more connections; runs in progress go on."""
        super().drain()
        self._receiver.is_draining = True
        self._deliveries.drain()
        self._tiles.drain()
        for collector in self._collectors.values():
            collector.drain()

    async def close(self) -> None:
        """End the runs in progress."""
        await _cancel_tasks(*self._runs.values())
        self._deliveries.cancel()
        self._tiles.cancel()
        await super().close()
        await self._writer.close()
        await self._save_source_states()

    def not_ready_reasons(self) -> list[str]:
        """List the late sources, and the reason that the states cannot be saved."""
        return [
            *list_late_reasons(self._collectors, time.time()),
            *list_late_senders(self._receiver.statuses, time.time_ns()),
            *([self._unsaved] if self._unsaved else []),
        ]

    def readiness_details(self) -> Mapping[str, object]:
        """Return the state of each source, and of the last reload."""
        now = time.time()
        sources = [build_source_health(c, now) for c in self._collectors.values()]
        senders = [
            each.build_health(time.time_ns())
            for each in self._receiver.statuses.values()
        ]
        return {
            "reload_refused": self.reload_refused,
            "sources": sources,
            "senders": senders,
        }

    def render_metrics(self) -> bytes:
        """Render the metrics of all sources and of the process."""
        gauges = {
            "memory_bytes": ("Resident memory.", float(resident_bytes())),
            "config_last_reload_successful": (
                "Whether the configuration in force is the one on disk.",
                float(not self.reload_refused),
            ),
        }
        gauges |= {
            "receiver_queued": ("Deliveries that wait.", float(len(self._writer))),
            "receiver_body_bytes": (
                "Bytes of request bodies in progress.",
                float(self._receiver.budget.total),
            ),
            "receiver_stored_events": (
                "New events from senders.",
                float(self._writer.stored),
            ),
            "receiver_unauthenticated_requests": (
                "Requests without a known sender.",
                float(self._receiver.refused),
            ),
        }
        return StatusMetrics(
            self._collectors, self._receiver.statuses, gauges, time.time()
        ).render()

    def _start_new_sources(
        self,
        schedules: Mapping[str, CollectionSchedule],
        states: Mapping[str, SourceState],
    ) -> None:
        """Start the collection of newly configured sources."""
        for source in [each for each in schedules if each not in self._collectors]:
            collector = self._collectors[source] = SourceCollector(
                self._layout.root,
                source,
                schedules[source],
                state=states.get(source),
                slots=self._slots,
                log=self._log,
                save=self._save_source_states,
            )
            task = asyncio.create_task(collector.run_forever())
            task.add_done_callback(self._log_broken_task)
            self._runs[source] = task

    def _log_broken_task(self, task: asyncio.Task[None]) -> None:
        """Log an unexpected exception that ended a collection; its source becomes late."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._log_failure(error)

    def _list_source_states(self) -> list[SourceState]:
        """List the state of each source."""
        senders = [each.build_state() for each in self._receiver.statuses.values()]
        sources = self._collectors.keys() - self.plan.tasks.keys()
        states = [e.state for name, e in self._collectors.items() if name in sources]
        return states + senders

    def _write_states(self) -> None:
        """Write the states of all sources and tasks."""
        names = self._collectors.keys() & self.plan.tasks.keys()
        tasks = [e.state for name, e in self._collectors.items() if name in names]
        write_source_states(self._layout, self._list_source_states(), tasks)

    async def _save_sender_states_forever(self) -> None:
        """Save the states while deliveries arrive."""
        saved: list[SourceState] = []
        while True:
            await asyncio.sleep(SAVE_INTERVAL)
            states = self._list_source_states()
            if states != saved:
                saved = states
                await self._save_source_states()

    async def _save_source_states(self) -> None:
        """Save the states for the coverage of answers, and for the next start."""
        async with self._saving:
            try:
                await asyncio.to_thread(self._write_states)
                self._unsaved = ""
            except EnvironmentFailure as error:
                if error.message != self._unsaved:
                    self._log.error("source.state-not-saved", why=error.message)
                self._unsaved = error.message


async def _cancel_tasks(*tasks: asyncio.Task[None]) -> None:
    """Cancel asyncio tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
