"""Run an upstream server by command: one process per caller or session.

The state of a process (open files, logins) belongs to its caller. So no two callers
share a process, and an older client's session is one process from `initialize` on. A
process keeps the credential of its start. Once there is a newer one, it gets no more
calls; its session has ended, and the client starts another.
"""

import asyncio
import secrets
from collections.abc import Mapping
from functools import partial

from answerable.gateway.server_identity import (
    IdentityCheck,
    ServerIdentityCheck,
    accept_any_identity,
    accept_any_server,
)
from answerable.gateway.stdio.child_process import ServerProgram, program_identity
from answerable.gateway.stdio.pending_message import INITIALIZE, PendingMessage
from answerable.gateway.stdio.upstream_process import IDLE_INTERVAL, StdioServer
from answerable.gateway.upstream import ResponseSink, UpstreamRequest, UpstreamTransfer
from answerable.model.config import UpstreamServer
from answerable.model.worker_limits import WorkerLimits
from answerable.server.child_environment import build_clean_environment
from answerable.server.deadline_timer import DeadlineTimer
from answerable.server.mcp.messages import MessageKind
from answerable.server.wire.refusals import RefusalReason

MAX_PROCESSES = 64  # processes of one server
FIRST_BACK_OFF, LAST_BACK_OFF = 0.5, 30.0  # seconds
OK, BAD_REQUEST, NOT_FOUND, NO_STREAM = 200, 400, 404, 405

ProcessOwner = tuple[str, str, str]  # principal, session, digest of the credential


def build_server_program(
    server: UpstreamServer, *, shows_errors: bool
) -> ServerProgram:
    """Build the program of a configured command, with its configured environment."""
    environment = build_clean_environment(server.inherit_env) | dict(server.env)
    return ServerProgram(server.command, environment, shows_errors)


class CommandUpstream:
    """Upstream of server processes.

    Args:
        ticker: Timer for idle processes.
        met: Called with the program's identity; tells whether it is unchanged.
    """

    def __init__(
        self,
        program: ServerProgram,
        limits: WorkerLimits,
        ticker: DeadlineTimer,
        loop: asyncio.AbstractEventLoop,
        met: IdentityCheck = accept_any_identity,
    ) -> None:
        self.limits = limits
        self._program = program
        self._ticker = ticker
        self._loop = loop
        self._met = met
        self._children: dict[ProcessOwner, StdioServer] = {}
        self._owners: dict[StdioServer, ProcessOwner] = {}
        self._back_off = 0.0  # seconds, 0 while none has failed
        self._not_before = 0.0

    def send(self, request: UpstreamRequest, sink: ResponseSink) -> UpstreamTransfer:
        """Send one message to the process of its caller."""
        call = request.call
        if call.era.is_modern:
            return self._send_to_process(
                self._get_process(request, "", sink), request, sink
            )
        if request.session:
            return self._send_in_session(request, sink)
        if call.method == INITIALIZE:
            session = secrets.token_hex(16)
            return self._send_to_process(
                self._get_process(request, session, sink), request, sink
            )
        status = NO_STREAM if call.kind is MessageKind.OPEN else BAD_REQUEST
        return self._reply_with_status(status, request, sink)

    def close(self) -> None:
        """End every server process that was started."""
        for child in list(self._owners):
            self._forget_process(child)
            child.process.terminate()

    def on_idle(self, child: StdioServer) -> None:
        """End a process that is no longer used."""
        self._forget_process(child)
        child.process.shut_down()

    def on_exit(self, child: StdioServer, code: int) -> None:
        """Forget a process that has ended."""
        was_wanted = self._forget_process(child)
        if child.served:
            self._back_off = 0.0
        elif was_wanted:
            self._delay_next_start()

    def on_stray_line(self, reason: RefusalReason) -> None:
        """Ignore a line without a receiver; its text may not be shown."""

    def _send_in_session(
        self, request: UpstreamRequest, sink: ResponseSink
    ) -> UpstreamTransfer:
        """Send to the process of the session; 404 if it has ended."""
        owner = _process_owner(request, request.session)
        child = self._children.get(owner)
        if child is None:
            self._end_outdated(owner)
            # An older client then starts a new session (2025-11-25 basic/transports).
            return self._reply_with_status(NOT_FOUND, request, sink)
        if request.call.kind is MessageKind.CLOSE:
            self.on_idle(child)
            return self._reply_with_status(OK, request, sink)
        return child.send(request, sink)

    def _send_to_process(
        self, child: StdioServer | None, request: UpstreamRequest, sink: ResponseSink
    ) -> UpstreamTransfer:
        """Send to a process; fail as unreachable without one."""
        if child is not None:
            return child.send(request, sink)
        under_way = PendingMessage(_NoCarrier(), request, sink)
        self._loop.call_soon(
            lambda: under_way.report_failure(RefusalReason.UNREACHABLE, forwarded=False)
        )
        return under_way

    def _reply_with_status(
        self, status: int, request: UpstreamRequest, sink: ResponseSink
    ) -> UpstreamTransfer:
        """Answer a message with an HTTP status alone."""
        under_way = PendingMessage(_NoCarrier(), request, sink)
        self._loop.call_soon(under_way.reply_with_status, status)
        return under_way

    def _get_process(
        self, request: UpstreamRequest, session: str, sink: ResponseSink
    ) -> StdioServer | None:
        """Return the process of an owner, started if necessary."""
        owner = _process_owner(request, session)
        child = self._children.get(owner)
        if child is not None:
            return child
        now = self._loop.time()
        if len(self._children) >= MAX_PROCESSES or now < self._not_before:
            return None
        if not self._met(program_identity(self._program)) and not sink.may_send_again():
            return None
        try:
            program = self._program.with_credential(request.shown)
            child = StdioServer(self._loop, program, self, session)
        except OSError:
            self._delay_next_start()
            return None
        child.deadline = now + IDLE_INTERVAL
        self._children[owner], self._owners[child] = child, owner
        self._ticker.add(child)
        self._end_outdated(owner)
        return child

    def _end_outdated(self, owner: ProcessOwner) -> None:
        """End processes with an older credential; a busy one once it is idle."""
        for child, other in list(self._owners.items()):
            if other[:2] == owner[:2] and other != owner and child.is_idle:
                self.on_idle(child)

    def _forget_process(self, child: StdioServer) -> bool:
        """Forget a process; return False if it was forgotten before."""
        owner = self._owners.pop(child, None)
        self._ticker.discard(child)
        if owner is not None:
            del self._children[owner]
        return owner is not None

    def _delay_next_start(self) -> None:
        """Delay the next start of a failing server, longer each time."""
        longer = max(FIRST_BACK_OFF, self._back_off * 2)
        self._back_off = min(longer, LAST_BACK_OFF)
        self._not_before = self._loop.time() + self._back_off


def _process_owner(request: UpstreamRequest, session: str) -> ProcessOwner:
    """Return the key of a process: principal, session and credential."""
    return request.principal, session, request.shown.digest if request.shown else ""


class _NoCarrier:
    """Carrier of messages that have no process."""

    session = ""

    def cancel(self, message: PendingMessage) -> None:
        """Do nothing: there is no process."""

    def pause_for(self, message: PendingMessage) -> None:
        """Do nothing: there is no process."""

    def resume_for(self, message: PendingMessage) -> None:
        """Do nothing: there is no process."""


def build_command_upstreams(
    servers: tuple[UpstreamServer, ...],
    limits: WorkerLimits,
    ticker: DeadlineTimer,
    check_identity: ServerIdentityCheck = accept_any_server,
) -> Mapping[str, CommandUpstream]:
    """Build the upstreams of all servers by command; no process is started yet.

    Args:
        servers: Servers.
        limits: Limits.
        ticker: Timer for idle processes.
        check_identity: Called with server and identity; tells whether it is unchanged.
    """
    loop = asyncio.get_running_loop()
    return {
        server.name: CommandUpstream(
            build_server_program(server, shows_errors=False),
            limits,
            ticker,
            loop,
            partial(check_identity, server.name),
        )
        for server in servers
        if server.command
    }
