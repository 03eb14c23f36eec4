"""Connections, read by uvicorn: who is at the other end, and when one is late."""

import asyncio
import logging
from functools import partial
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from answerable.serving.admission import AdmissionControl, Slot, address_of
from answerable.serving.links import link_of
from answerable.serving.listeners import Listeners
from answerable.serving.processes.held import ProcessGone
from answerable.serving.sockets import Bound
from answerable.serving.ticker import NEVER, Ticker
from answerable.serving.wire.place import Served

MAX_HEAD = 64 * 1024  # bytes of a request's head that are waited for


class Connection(HttpToolsProtocol):
    """Reads requests, and hands each on with what the transport knows.

    `scope["state"]` has `link` and `served`, and nothing of the request's own. The
    application may put `caller` there: who was identified.

    Args:
        config: Of uvicorn.
        state: Of all connections.
        admission: Decides which connections stay open.
        ticker: Tells when it is late.
        served: Names that its listener is called by.
        url: The listener's.

    Attributes:
        deadline: When it is late.
    """

    def __init__(
        self,
        config: Config,
        state: ServerState,
        *,
        admission: AdmissionControl,
        ticker: Ticker,
        served: Served,
        url: str,
    ) -> None:
        super().__init__(config, state, {})
        self.deadline = NEVER
        self._admission, self._ticker = admission, ticker
        self._slot: Slot | None = None
        self._served, self._url = served, url
        self._head_is_here, self._came = True, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find out who is at the other end."""
        stream = cast(asyncio.Transport, transport)
        super().connection_made(stream)
        try:
            link = link_of(stream, self._url)
        except ProcessGone:
            stream.abort()
            return
        if link.peer is None:
            self._slot = self._admission.admit(self, address_of(stream))
        else:
            self._slot = self._admission.admit_local(self, link.peer.uid)
        if self._slot is None:
            stream.abort()
            return
        self.app_state = {"link": link, "served": self._served}
        self._wait(self._admission.limits.first_request)
        self._ticker.add(self)

    @property
    def is_busy(self) -> bool:
        """True while a request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever asked is gone."""
        self._ticker.discard(self)
        if self._slot is not None:
            self._slot.release()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; whoever sends a head without end is cut off."""
        self._came += len(data)
        super().data_received(data)
        if not self._head_is_here and self._came > MAX_HEAD:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """A request begins: its head has to be here in time."""
        self._head_is_here, self._came = False, 0
        self._wait(self._admission.limits.head)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is here."""
        self._head_is_here = True
        self._wait(self._admission.limits.body)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Its body is here: from now on it is we who take time."""
        self.deadline = NEVER
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It was answered: the next one may take as long as it is idle."""
        self._count_for_caller()
        super().on_response_complete()
        self._wait(self._admission.limits.idle)

    def _count_for_caller(self) -> None:
        """Count the connection as its caller's; close it where that has too many."""
        caller = self.scope["state"].get("caller", "")
        if not caller or self._slot is None or self.transport.is_closing():
            return
        if not self._admission.identify(self._slot, caller):
            self.transport.close()

    def late(self) -> None:
        """It took too long."""
        self.abort()

    def _wait(self, seconds: int) -> None:
        self.deadline = self.loop.time() + seconds


class Connections:
    """All connections of one app.

    Args:
        app: Answers requests.
        admission: Decides which connections stay open.
        listeners: Of the process.
        loop: Its event loop.
    """

    def __init__(
        self,
        app: Any,
        admission: AdmissionControl,
        listeners: Listeners,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._admission, self._listeners = admission, listeners
        idle = admission.limits.idle
        self._config, self._state = uvicorn_config(app, idle), ServerState()
        self._ticker = Ticker(loop)

    def __len__(self) -> int:
        """How many are open."""
        return len(self._state.connections)

    @property
    def is_busy(self) -> bool:
        """Whether anything is being answered."""
        return bool(self._state.tasks)

    async def listen(self, what: str, bound: Bound) -> None:
        """Take connections at one more place.

        Args:
            what: What is there, as whoever starts us is told.
            bound: The place.
        """
        given = bound.of_worker(0)
        served = Served(frozenset(given.hosts), frozenset(given.listener.origins))
        connection = partial(
            Connection,
            *(self._config, self._state),
            admission=self._admission,
            ticker=self._ticker,
            served=served,
            url=given.url,
        )
        await self._listeners.open(what, bound, connection, "http/1.1")

    def drain(self) -> None:
        """End each as soon as what it asked is answered."""
        for each in list(self._state.connections):
            each.shutdown()

    def cancel(self) -> None:
        """Answer nothing more."""
        for task in self._state.tasks:
            task.cancel()


def uvicorn_config(app: Any, idle: int) -> Config:
    """Make what uvicorn asks for: it reads and writes, and does nothing else for us."""
    config = Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=idle,
    )
    config.load()
    # What it would print is of whoever sent it, and in a form of its own.
    logging.getLogger("uvicorn.error").disabled = True
    return config
