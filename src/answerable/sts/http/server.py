"""Serve HTTP in one process: routing, limits, deadlines, shutdown."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from answerable.model.config import TlsTerminator
from answerable.model.token_request import OAuthError
from answerable.model.worker_limits import WorkerLimits
from answerable.server.admission import AdmissionControl
from answerable.server.client_certificates import drop_invalid_certificate
from answerable.server.deadline_timer import DeadlineTimer, HasDeadline
from answerable.server.recording.record_ticket import NotRecorded
from answerable.server.wire.refusals import RequestRefused
from answerable.server.wire.request_head import HttpRequestHead
from answerable.store.token_state.interface import TokenStateUnavailable
from answerable.sts.http.path_aliases import resolve_path_alias
from answerable.sts.http.request import StsRequest
from answerable.sts.http.responses import StsResponse, empty_response, error_response

EndpointHandler = Callable[[StsRequest], Awaitable[StsResponse]]


class StsClientConnection(HasDeadline, Protocol):
    """A client's connection."""

    @property
    def is_busy(self) -> bool:
        """Return whether a request is being answered."""

    def send_answer(self, answer: StsResponse) -> None:
        """Send the response to the current request of the token service."""

    def drain(self) -> None:
        """Finish the current request, then close."""

    def abort(self) -> None:
        """Close at once."""


class RouteTable:
    """Endpoints by method and path.

    Args:
        base: Path of the service's URL, without a trailing slash.
        handlers: By method and path below the base; a path that ends with a slash
            matches every longer path.
    """

    def __init__(
        self, base: str, handlers: dict[tuple[str, str], EndpointHandler]
    ) -> None:
        self._base = base
        self._handlers = handlers
        self._paths = {path for _, path in handlers}

    def find_handler(self, head: HttpRequestHead) -> EndpointHandler | int:
        """Return the handler for a method and path, or the error status."""
        path = head.target
        if path not in self._paths and self._base:
            path = path.removeprefix(self._base)
        if path not in self._paths:
            path = resolve_path_alias(path)
        if path not in self._paths:
            path = path[: path.rfind("/") + 1]
        found = self._handlers.get((head.method, path))
        if found is not None:
            return found
        return 405 if path in self._paths else 404


@dataclass(slots=True)
class StsHttpServer:
    """HTTP server of one process.

    Attributes:
        terminator: TLS terminator, None without one.
        count_refused: Called with the reason of a request refused before any endpoint.
        failed: Called with unexpected errors of endpoints.
        clock: Returns UTC seconds.
        draining: Whether new requests are refused.
    """

    routes: RouteTable
    limits: WorkerLimits
    terminator: TlsTerminator | None
    loop: asyncio.AbstractEventLoop
    count_refused: Callable[[str], None]
    failed: Callable[[BaseException], None]
    admission: AdmissionControl
    ticker: DeadlineTimer = field(init=False)
    clock: Callable[[], float] = time.time
    draining: bool = False
    connections: set[StsClientConnection] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ticker = DeadlineTimer(self.loop)

    @property
    def is_busy(self) -> bool:
        """Return whether a request is being answered."""
        return bool(self._tasks)

    def dispatch(self, request: StsRequest, connection: StsClientConnection) -> None:
        """Run the handler of a request; it finishes even if the client is gone."""
        found = self.routes.find_handler(request.head)
        if isinstance(found, int):
            self.count_refused("unknown-path")
            connection.send_answer(empty_response(found))
            return
        link = drop_invalid_certificate(request.link, self.clock())
        request = msgspec.structs.replace(request, link=link)
        task = self.loop.create_task(self._run_handler(found, request, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_handler(
        self,
        handler: EndpointHandler,
        request: StsRequest,
        connection: StsClientConnection,
    ) -> None:
        """Run a handler; turn a refusal or an exception into an error response.

        If the record or the state of the service is unavailable, nothing was issued,
        and the client may retry.
        """
        try:
            answer = await handler(request)
        except RequestRefused as refused:
            self.count_refused(refused.why.value)
            answer = error_response(OAuthError.INVALID_REQUEST)
        except (NotRecorded, TokenStateUnavailable):
            answer = error_response(OAuthError.TEMPORARILY_UNAVAILABLE)
        except Exception as error:  # noqa: BLE001 - any failure is a refusal
            self.failed(error)
            answer = error_response(OAuthError.SERVER_ERROR)
        connection.send_answer(answer)

    def drain(self) -> None:
        """Refuse new requests and finish current ones."""
        self.draining = True
        for front in list(self.connections):
            front.drain()

    def abort(self) -> None:
        """Close all connections at once."""
        for front in list(self.connections):
            front.abort()
