"""Wrapper of `gateway stdio`: enforces decisions between one client and one server.

The client is the process that started the wrapper. Each line passes unchanged, or not
at all.
"""

import asyncio
import gc
import os
import secrets
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from answerable.authorization.revocations import Kills
from answerable.gateway.approval_requests import HeldBack
from answerable.gateway.baseline_enforcement import Behaviour, standards
from answerable.gateway.call_pipeline import Exchange
from answerable.gateway.definition_watcher import Definitions
from answerable.gateway.http.upstream_endpoint import endpoint
from answerable.gateway.http.upstream_pool import Pool
from answerable.gateway.person_requests import Requests
from answerable.gateway.stdio.client import Front
from answerable.gateway.stdio.command_upstream import program
from answerable.gateway.stdio.notifying_recorder import Telling, teller_of
from answerable.gateway.stdio.pin_notices import PinSays
from answerable.gateway.stdio.pipes import ReadPipe, WritePipe
from answerable.gateway.stdio.process import GRACE, Program, program_identity
from answerable.gateway.stdio.server import Child
from answerable.gateway.stdio.server_credential import (
    credentials_of,
    environment_of,
    given_to,
)
from answerable.gateway.stdio.wrapped_server import Wrapped
from answerable.gateway.upstream import Upstream
from answerable.gateway.upstream_credentials.credential import Credential
from answerable.gateway.upstream_credentials.provider import Credentials
from answerable.model.errors import EnvironmentRefused
from answerable.server.active_policy_exceptions import InForce
from answerable.server.authentication.authenticator import Callers
from answerable.server.baseline_watch import BaselineWatch
from answerable.server.deadline_timer import Ticker
from answerable.server.issuers.key_cache import IssuerKeys
from answerable.server.person_request_watch import RequestWatch
from answerable.server.pins.pin_enforcer import PinKeeper
from answerable.server.pins.pin_files import PinFiles
from answerable.server.policy_exception_watch import AmendmentWatch
from answerable.server.processes.parent_process import read_parent
from answerable.server.revocation_list import KillList, KillWatch
from answerable.server.wire.refusals import Why
from answerable.usecases.authorization.authorize import Authority
from answerable.usecases.authorization.compile_policy import table_of

WORKER = 1_000_000  # worker number in the spool, above every worker of `serve`
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
DRAIN_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
STDIN, STDOUT = 0, 1
TELLING = 2.0  # seconds for the last notifications of owners


def wrap(wrapped: Wrapped, tell: Callable[[str], None]) -> int:
    """Wrap a server until it or its client ends.

    Args:
        wrapped: The wrapped server.
        tell: Writes a line to standard error.

    Returns:
        The exit code of the server, or 0 where it has none.

    Raises:
        EnvironmentRefused: Something that it needs cannot be used.
        ProcessGone: The process that started us has ended.
    """
    import uvloop

    async def run() -> int:
        credentials = credentials_of(wrapped, tell)
        given = await given_to(wrapped, credentials)
        return await Wrapper(wrapped, tell, credentials, given).run()

    return uvloop.run(run())


class Wrapper:
    """Wrapper of one client and one server.

    Args:
        tell: Writes a line to standard error.
        credentials: Credentials for the server.
        given: Credential in the environment of its process; None for none.

    Raises:
        EnvironmentRefused: Something that it needs cannot be used.
        ProcessGone: The process that started us has ended.
    """

    def __init__(
        self,
        wrapped: Wrapped,
        tell: Callable[[str], None],
        credentials: Credentials,
        given: Credential | None,
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._tell, self._limits = tell, wrapped.config.limits
        self._over: asyncio.Future[int] = loop.create_future()
        self._told: set[Why] = set()
        self._leaving = False  # the session of a server over HTTP ends
        config, server = wrapped.config, wrapped.server
        callers = Callers(
            replace(config, issuers=()),
            IssuerKeys(()),
            time.time,
            secret=secrets.token_bytes(32),
        )
        caller = callers.parent(server.name, read_parent())
        authority = Authority(table_of(config, wrapped.policies))
        self._kills = KillWatch(
            KillList(wrapped.store, wrapped.state),
            authority,
            loop,
            self._killed,
            tell,
        )
        self._pins = PinKeeper(
            *(PinFiles(wrapped.state), config.servers, authority, loop),
            PinSays(tell),
        )
        self._in_force = InForce(authority, loop)
        self._amendments = AmendmentWatch(
            wrapped.store, self._in_force.take, self._unheld, tell
        )
        requests = Requests(self._unheld_request)
        behaviour = Behaviour(config, self._pins.definition, requests)
        self._baselines = BaselineWatch(
            wrapped.store,
            lambda standing: behaviour.hold_to(standards(standing)),
            self._unheld_baseline,
            tell,
        )
        self._requests = RequestWatch(
            wrapped.store, requests.take, self._unheld_request, tell
        )
        self._teller = teller_of(config.asks, self._amendments, tell)
        self._recorder = Telling(
            wrapped.state / "spool",
            WORKER,
            loop,
            self._limits,
        )
        self._recorder.held_back = HeldBack(config.asks, self._teller.heard).tell
        self._credentials = credentials
        self._child: Child | None = None
        self._ending: asyncio.TimerHandle | None = None
        upstream = self._upstream(wrapped, given)
        servers = {server.name: upstream}
        self._front = Front(
            Exchange(
                *(authority, self._recorder, servers, credentials),
                definitions=Definitions(servers, self._pins),
                behaviour=behaviour,
            ),
            caller,
            server.name,
            upstream,
            given,
            most=self._limits.calls_per_caller,
            bridged=self._child is None,
            changed=self._less,
        )
        authority.on_kill(lambda _: self._front.recheck())
        if given is None:
            self._front.spawn(credentials.keep_fresh())

    async def run(self) -> int:
        """Relay messages until one side ends; return the exit code."""
        loop, front = self._loop, self._front
        for each in SIGNALS:
            loop.add_signal_handler(each, self._signalled, each)
        restored = [_unblocked(handle) for handle in (STDIN, STDOUT)]
        front.out = WritePipe(loop, os.dup(STDOUT), front.full, front.drained)
        reader = ReadPipe(loop, os.dup(STDIN), front.heard, front.ended)
        for each in DRAIN_SIGNALS:
            loop.add_signal_handler(each, self._drain, reader)
        signed = [
            loop.create_task(watch.keep_fresh())
            for watch in (self._amendments, self._baselines, self._requests)
        ]
        # These objects live to the end, and a call leaves no cycles.
        gc.freeze()
        try:
            code = await self._over
            reader.close()
            front.leave()
            front.out.close()
            await asyncio.wait({front.out.closed}, timeout=GRACE)
        finally:
            gc.unfreeze()
            for restore in restored:
                restore()
            self._kills.close()
            await self._pins.written()
            for watching in signed:
                watching.cancel()
            self._in_force.close()
            await self._teller.close(TELLING)
            await self._amendments.close()
            self._credentials.close()
            await self._baselines.close()
            await self._requests.close()
            await asyncio.to_thread(self._recorder.close)
        return code

    def idle(self, child: Child) -> None:
        """Ignore it: a client may be silent for any time."""

    def ended(self, child: Child, code: int) -> None:
        """End with the server."""
        self._finish(code)

    def stray(self, why: Why) -> None:
        """Report a line without a receiver, once for each reason."""
        if why not in self._told:
            self._told.add(why)
            self._tell(
                f"the server wrote a line without a receiver ({why}); it is dropped"
            )

    def _finish(self, code: int) -> None:
        if not self._over.done():
            self._over.set_result(code)

    def _less(self) -> None:
        """End the server when the client's input has ended and all is sent."""
        front, child = self._front, self._child
        if front.waits:
            return
        if child is not None:
            child.process.input.close()
        if not front.asks:
            self._end()
        elif self._ending is None:
            self._ending = self._loop.call_later(self._limits.drain, self._end)

    def _end(self) -> None:
        """End the server, or its session."""
        front, child = self._front, self._child
        if child is not None:
            child.process.end()
        elif self._leaving:
            if front.is_quiet:
                self._finish(0)
        else:
            self._leaving = True
            self._loop.call_later(GRACE, self._finish, 0)
            front.close()
            self._less()

    def _signalled(self, number: int) -> None:
        if self._child is None:
            self._finish(128 + number)
        else:
            self._child.process.stop(number)

    def _drain(self, reader: ReadPipe) -> None:
        """Read no more from the client, answer what is under way, and end."""
        reader.close()
        self._front.ended()

    def _unheld_baseline(self, digest: str, why: str) -> None:
        self._tell(f"the baseline {digest[:16]} is rejected ({why})")

    def _unheld_request(self, digest: str, why: str) -> None:
        self._tell(f"the request {digest[:16]} is rejected ({why})")

    def _unheld(self, digest: str, why: str) -> None:
        self._tell(f"the amendment {digest[:16]} is rejected ({why})")

    def _killed(self, killed: Kills, revived: Kills) -> None:
        """Record revocations; the client is refused from its next call on."""
        self._recorder.killed(killed, revived)

    def _upstream(self, wrapped: Wrapped, given: Credential | None) -> Upstream:
        """Start the server, or prepare to connect to it.

        Raises:
            EnvironmentRefused: It cannot be run, or its TLS files cannot be read.
        """
        server = wrapped.server
        own = wrapped.argv
        try:
            if not own and server.url:
                return Pool(
                    *(endpoint(server), self._limits, Ticker(self._loop), self._loop),
                    partial(self._pins.met, server.name),
                )
            what = (
                Program(own, environment_of(wrapped), shows_errors=True)
                if own
                else program(server, shows_errors=True)
            )
            # A changed program gets no credential.
            is_same = self._pins.met(server.name, program_identity(what))
            what = what.shown(given) if is_same else what
            self._child = Child(self._loop, what, self)
        except OSError as error:
            self._kills.close()
            self._pins.close()
            self._recorder.close()
            raise EnvironmentRefused(
                f"cannot start {server.name} ({error.strerror})",
                "see its `command` or `url`, or the words after --",
            ) from None
        return self._child


def _unblocked(handle: int) -> Callable[[], None]:
    """Set a shared pipe or socket non-blocking; return the undo function."""
    kind = os.fstat(handle).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)) or not os.get_blocking(handle):
        return lambda: None
    os.set_blocking(handle, False)
    return lambda: os.set_blocking(handle, True)
