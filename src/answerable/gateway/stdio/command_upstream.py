"""Server by command, behind the gateway: one process per caller or session.

The state of a process (open files, logins) belongs to its caller. So no two callers
share a process, and an older client's session is one process from `initialize` on. A
process keeps the credential of its start. Once there is a newer one, it gets no more
calls; its session has ended, and the client starts another.
"""

import asyncio
import secrets
from collections.abc import Mapping
from functools import partial

from answerable.gateway.server_identity import Met, MetAt, anybody, nowhere
from answerable.gateway.stdio.pending_message import INITIALIZE, UnderWay
from answerable.gateway.stdio.process import Program, program_identity
from answerable.gateway.stdio.server import IDLE, Child
from answerable.gateway.upstream import Sending, Sent, Sink
from answerable.model.config import Server
from answerable.model.worker_limits import Limits
from answerable.server.clean_environment import clean_environment
from answerable.server.deadline_timer import Ticker
from answerable.server.mcp.messages import Kind
from answerable.server.wire.refusals import Why

MOST = 64  # processes of one server
FIRST_BACK_OFF, LAST_BACK_OFF = 0.5, 30.0  # seconds
OK, BAD_REQUEST, NOT_FOUND, NO_STREAM = 200, 400, 404, 405

Owner = tuple[str, str, str]  # principal, session, digest of the credential


def program(server: Server, *, shows_errors: bool) -> Program:
    """Build the program of a configured command, with its configured environment."""
    environment = clean_environment(server.inherit_env) | dict(server.env)
    return Program(server.command, environment, shows_errors)


class Command:
    """Upstream of server processes.

    Args:
        ticker: Timer for idle processes.
        met: Called with the program's identity; tells whether it is unchanged.
    """

    def __init__(
        self,
        program: Program,
        limits: Limits,
        ticker: Ticker,
        loop: asyncio.AbstractEventLoop,
        met: Met = anybody,
    ) -> None:
        self.limits = limits
        self._program = program
        self._ticker = ticker
        self._loop = loop
        self._met = met
        self._children: dict[Owner, Child] = {}
        self._owners: dict[Child, Owner] = {}
        self._back_off = 0.0  # seconds, 0 while none has failed
        self._not_before = 0.0

    def send(self, sent: Sent, sink: Sink) -> Sending:
        """Send one message to the process of its caller."""
        call = sent.call
        if call.era.is_modern:
            return self._to(self._child(sent, "", sink), sent, sink)
        if sent.session:
            return self._in_session(sent, sink)
        if call.method == INITIALIZE:
            session = secrets.token_hex(16)
            return self._to(self._child(sent, session, sink), sent, sink)
        status = NO_STREAM if call.kind is Kind.OPEN else BAD_REQUEST
        return self._reply(status, sent, sink)

    def close(self) -> None:
        """End all processes."""
        for child in list(self._owners):
            self._remove(child)
            child.process.stop()

    def idle(self, child: Child) -> None:
        """End a process that is no longer used."""
        self._remove(child)
        child.process.end()

    def ended(self, child: Child, code: int) -> None:
        """Forget a process that has ended."""
        was_wanted = self._remove(child)
        if child.served:
            self._back_off = 0.0
        elif was_wanted:
            self._failed()

    def stray(self, why: Why) -> None:
        """Ignore a line without a receiver; its text may not be shown."""

    def _in_session(self, sent: Sent, sink: Sink) -> Sending:
        owner = _owner(sent, sent.session)
        child = self._children.get(owner)
        if child is None:
            self._retire(owner)
            # An older client then starts a new session (2025-11-25 basic/transports).
            return self._reply(NOT_FOUND, sent, sink)
        if sent.call.kind is Kind.CLOSE:
            self.idle(child)
            return self._reply(OK, sent, sink)
        return child.send(sent, sink)

    def _to(self, child: Child | None, sent: Sent, sink: Sink) -> Sending:
        if child is not None:
            return child.send(sent, sink)
        under_way = UnderWay(_Nobody(), sent, sink)
        self._loop.call_soon(lambda: under_way.lose(Why.UNREACHABLE, forwarded=False))
        return under_way

    def _reply(self, status: int, sent: Sent, sink: Sink) -> Sending:
        under_way = UnderWay(_Nobody(), sent, sink)
        self._loop.call_soon(under_way.reply, status)
        return under_way

    def _child(self, sent: Sent, session: str, sink: Sink) -> Child | None:
        """Return the process of an owner, started if necessary."""
        owner = _owner(sent, session)
        child = self._children.get(owner)
        if child is not None:
            return child
        now = self._loop.time()
        if len(self._children) >= MOST or now < self._not_before:
            return None
        if not self._met(program_identity(self._program)) and not sink.may_go_on():
            return None
        try:
            program = self._program.shown(sent.shown)
            child = Child(self._loop, program, self, session)
        except OSError:
            self._failed()
            return None
        child.deadline = now + IDLE
        self._children[owner], self._owners[child] = child, owner
        self._ticker.add(child)
        self._retire(owner)
        return child

    def _retire(self, owner: Owner) -> None:
        """End processes with an older credential; a busy one once it is idle."""
        for child, other in list(self._owners.items()):
            if other[:2] == owner[:2] and other != owner and child.is_quiet:
                self.idle(child)

    def _remove(self, child: Child) -> bool:
        owner = self._owners.pop(child, None)
        self._ticker.discard(child)
        if owner is not None:
            del self._children[owner]
        return owner is not None

    def _failed(self) -> None:
        """Delay the next start, longer each time."""
        longer = max(FIRST_BACK_OFF, self._back_off * 2)
        self._back_off = min(longer, LAST_BACK_OFF)
        self._not_before = self._loop.time() + self._back_off


def _owner(sent: Sent, session: str) -> Owner:
    return sent.principal, session, sent.shown.digest if sent.shown else ""


class _Nobody:
    """Carrier of messages that have no process."""

    session = ""

    def forget(self, under_way: UnderWay) -> None:
        pass

    def hold(self, under_way: UnderWay) -> None:
        pass

    def release(self, under_way: UnderWay) -> None:
        pass


def commands(
    servers: tuple[Server, ...], limits: Limits, ticker: Ticker, met: MetAt = nowhere
) -> Mapping[str, Command]:
    """Build the upstreams of all servers by command; no process is started yet.

    Args:
        servers: Servers.
        limits: Limits.
        ticker: Timer for idle processes.
        met: Called with server and identity; tells whether it is unchanged.
    """
    loop = asyncio.get_running_loop()
    return {
        server.name: Command(
            program(server, shows_errors=False),
            *(limits, ticker, loop),
            partial(met, server.name),
        )
        for server in servers
        if server.command
    }
