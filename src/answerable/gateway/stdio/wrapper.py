"""Run `gateway stdio`: enforce decisions between one client and one server.

The client is the process that started the wrapper. Each line passes unchanged, or not
at all.
"""

import asyncio
import gc
import os
import secrets
import signal
import stat
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from answerable.gateway.enforcement import GatewayCore
from answerable.gateway.http.upstream_endpoint import parse_endpoint
from answerable.gateway.http.upstream_pool import UpstreamPool
from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.gateway.stdio.child_process import (
    STOP_GRACE,
    ServerProgram,
    program_identity,
)
from answerable.gateway.stdio.client import StdioClient
from answerable.gateway.stdio.command_upstream import build_server_program
from answerable.gateway.stdio.pipes import ReadPipe, WritePipe
from answerable.gateway.stdio.server_credential import (
    build_credential_provider,
    build_own_command_environment,
    fetch_process_credential,
)
from answerable.gateway.stdio.stderr_notices import StderrNotices
from answerable.gateway.stdio.upstream_process import StdioServer
from answerable.gateway.stdio.wrapped_server_settings import WrappedServer
from answerable.gateway.upstream import Upstream
from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.gateway.upstream_credentials.provider import CredentialProvider
from answerable.model.approval_request import BlockedCall
from answerable.model.errors import EnvironmentFailure
from answerable.server.deadline_timer import DeadlineTimer
from answerable.server.enforcement.settings import EnforcementSettings
from answerable.server.processes.parent_process import read_parent
from answerable.server.wire.refusals import RefusalReason
from answerable.services.protection.server_starts import (
    record_start,
    recording_failed_start,
)
from answerable.services.statements.statements_in_force import ENFORCED_KINDS
from answerable.usecases.authorization.compile_policy import compile_decision_table

WORKER = 1_000_000  # worker number in the spool, above every worker of `serve`
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
DRAIN_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
_REQUESTED_ENDS = {128 + each for each in (*SIGNALS, signal.SIGKILL)}
STDIN, STDOUT = 0, 1
NOTIFY_TIMEOUT = 2.0  # seconds for the last notifications of owners


def wrap_server(
    wrapped_server: WrappedServer, print_line: Callable[[str], None]
) -> int:
    """Run the wrapper until the server or its client ends.

    Args:
        wrapped_server: The wrapped server.
        print_line: Writes a line to standard error.

    Returns:
        The exit code of the server, or 0 where it has none.

    Raises:
        EnvironmentFailure: Something that it needs cannot be used.
        ProcessGone: The process that started us has ended.
    """
    import uvloop

    async def run() -> int:
        with recording_failed_start(wrapped_server.state, wrapped_server.server.name):
            credentials = build_credential_provider(wrapped_server, print_line)
            given = await fetch_process_credential(wrapped_server, credentials)
            wrapper = StdioWrapper(wrapped_server, print_line, credentials, given)
        return await wrapper.run()

    return uvloop.run(run())


class StdioWrapper:
    """Wrapper of one client and one server.

    Args:
        tell: Writes a line to standard error.
        credentials: Credentials for the server.
        given: Credential in the environment of its process; None for none.

    Raises:
        EnvironmentFailure: Something that it needs cannot be used.
        ProcessGone: The process that started us has ended.
    """

    def __init__(
        self,
        wrapped: WrappedServer,
        tell: Callable[[str], None],
        credentials: CredentialProvider,
        given: PresentedCredential | None,
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._tell, self._limits = tell, wrapped.config.limits
        self._over: asyncio.Future[int] = loop.create_future()
        self._told: set[RefusalReason] = set()
        self._leaving = False  # the session of a server over HTTP ends
        self._record_start = partial(record_start, wrapped.state, wrapped.server.name)
        config, server = wrapped.config, wrapped.server
        parent = read_parent()
        self._recorder = GatewayRecorder(
            wrapped.state / "spool", WORKER, loop, self._limits
        )
        self._core = core = GatewayCore(
            EnforcementSettings(
                compile_decision_table(config, wrapped.policies),
                config,
                wrapped.store,
                wrapped.state,
            ),
            self._recorder,
            StderrNotices(tell),
            self._notify_owner,
        )
        self._statements = core.watch_statements(ENFORCED_KINDS)
        callers = core.build_authenticator(
            replace(config, issuers=()), secrets.token_bytes(32)
        )
        caller = callers.authenticate_parent(server.name, parent)
        self._credentials = credentials
        self._child: StdioServer | None = None
        self._ending: asyncio.TimerHandle | None = None
        upstream = self._build_upstream(wrapped, given)
        servers = {server.name: upstream}
        self._front = StdioClient(
            core.build_pipeline(servers, credentials),
            caller,
            server.name,
            upstream,
            given,
            most=self._limits.calls_per_caller,
            bridged=self._child is None,
            changed=self._end_when_done,
        )
        core.authorizer.add_revocation_listener(
            lambda _: self._front.stop_revoked_requests()
        )
        if given is None:
            self._front.tasks.spawn(credentials.renew_credentials_forever())

    async def run(self) -> int:
        """Relay messages until one side ends; return the exit code."""
        loop, front = self._loop, self._front
        self._record_start()
        for each in SIGNALS:
            loop.add_signal_handler(each, self._on_signal, each)
        restored = [_set_nonblocking(handle) for handle in (STDIN, STDOUT)]
        front.out = WritePipe(
            loop, os.dup(STDOUT), front.on_write_blocked, front.on_write_drained
        )
        reader = ReadPipe(loop, os.dup(STDIN), front.on_input, front.on_input_end)
        for each in DRAIN_SIGNALS:
            loop.add_signal_handler(each, self._drain_open_requests, reader)
        watching = loop.create_task(self._statements.watch.poll_forever())
        # These objects live to the end, and a call leaves no cycles.
        gc.freeze()
        try:
            code = await self._over
            reader.close()
            front.abandon_all()
            front.out.close()
            await asyncio.wait({front.out.closed}, timeout=STOP_GRACE)
        finally:
            gc.unfreeze()
            for restore in restored:
                restore()
            watching.cancel()
            await self._core.close(NOTIFY_TIMEOUT)
            self._credentials.close()
            await asyncio.to_thread(self._recorder.close)
        return code

    def on_idle(self, child: StdioServer) -> None:
        """Do nothing: a client may be silent for any time."""

    def on_exit(self, child: StdioServer, code: int) -> None:
        """End the wrapper with the exit code of its MCP server."""
        if code and not child.served and code not in _REQUESTED_ENDS:
            self._record_start(f"it ended with exit code {code} before a response")
        self._set_exit_code(code)

    def on_stray_line(self, reason: RefusalReason) -> None:
        """Report a line without a receiver, once for each reason."""
        if reason not in self._told:
            self._told.add(reason)
            self._tell(
                f"a line of the server has no recipient ({reason}) and was dropped"
            )

    def _set_exit_code(self, code: int) -> None:
        """Set the exit code that `run` returns, once."""
        if not self._over.done():
            self._over.set_result(code)

    def _end_when_done(self) -> None:
        """End the server when the client's input has ended and all is sent."""
        front, child = self._front, self._child
        if front.has_unsent_message:
            return
        if child is not None:
            child.process.input.close()
        if not front.has_unanswered_request:
            self._end_server()
        elif self._ending is None:
            self._ending = self._loop.call_later(self._limits.drain, self._end_server)

    def _end_server(self) -> None:
        """End the MCP server process, or only its session."""
        front, child = self._front, self._child
        if child is not None:
            child.process.shut_down()
        elif self._leaving:
            if front.is_idle:
                self._set_exit_code(0)
        else:
            self._leaving = True
            self._loop.call_later(STOP_GRACE, self._set_exit_code, 0)
            front.close()
            self._end_when_done()

    def _on_signal(self, signal_number: int) -> None:
        """Forward a signal to the server; without a process, end."""
        if self._child is None:
            self._set_exit_code(128 + signal_number)
        else:
            self._child.process.terminate(signal_number)

    def _drain_open_requests(self, reader: ReadPipe) -> None:
        """Read no more from the client, answer open requests, and end."""
        reader.close()
        self._front.on_input_end()

    def _notify_owner(self, blocked_call: BlockedCall) -> None:
        """Notify the agent's owner that a call was denied."""
        self._statements.notifier.notify(blocked_call)

    def _build_upstream(
        self, wrapped_server: WrappedServer, credential: PresentedCredential | None
    ) -> Upstream:
        """Start the server, or prepare to connect to it.

        Raises:
            EnvironmentFailure: It cannot be run, or its TLS files cannot be read.
        """
        server = wrapped_server.server
        own = wrapped_server.argv
        try:
            if not own and server.url:
                return UpstreamPool(
                    parse_endpoint(server),
                    self._limits,
                    DeadlineTimer(self._loop),
                    self._loop,
                    partial(self._core.pins.check_identity, server.name),
                )
            what = (
                ServerProgram(
                    own,
                    build_own_command_environment(wrapped_server),
                    shows_errors=True,
                    secrets=wrapped_server.secrets,
                )
                if own
                else build_server_program(server, shows_errors=True)
            )
            # A changed program gets no credential.
            is_same = self._core.pins.check_identity(
                server.name, program_identity(what)
            )
            what = what.with_credential(credential) if is_same else what
            self._child = StdioServer(self._loop, what, self)
        except OSError as error:
            self._core.abort()
            self._recorder.close()
            raise EnvironmentFailure(
                f"cannot start {server.name} ({error.strerror})",
                "check its `command` or `url`, or the command after --",
            ) from None
        return self._child


def _set_nonblocking(descriptor: int) -> Callable[[], None]:
    """Set a shared pipe or socket non-blocking; return the undo function."""
    kind = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)) or not os.get_blocking(
        descriptor
    ):
        return lambda: None
    os.set_blocking(descriptor, False)
    return lambda: os.set_blocking(descriptor, True)
