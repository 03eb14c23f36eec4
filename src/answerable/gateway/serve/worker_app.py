"""Assemble one worker from a configuration, and replace its parts at a reload."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path

import msgspec

from answerable.authorization.decision_table import DecisionTable
from answerable.gateway.enforcement import GatewayCore
from answerable.gateway.http.client_connection import ClientConnection
from answerable.gateway.http.peer_workers import (
    PeerWorkers,
    RelayedConnection,
    relay_socket_path,
)
from answerable.gateway.http.server import GatewayHttpServer
from answerable.gateway.replay_buffer import ReplayBuffer
from answerable.gateway.serve.background_replay import replay_policy
from answerable.gateway.serve.call_metrics import CountingRecorder
from answerable.gateway.serve.control_channel import (
    ApprovalWanted,
    MetricSeries,
    StartWorker,
    WorkerPolicy,
)
from answerable.gateway.serve.span_exporter import SpanExporter
from answerable.gateway.serve.worker_config import (
    build_upstreams,
    compile_worker_policy,
    list_agent_ids,
    parse_worker_config,
)
from answerable.gateway.session_ids import SessionIdBinder
from answerable.gateway.upstream_credentials.provider import (
    LEAKED_EVENT,
    CredentialProvider,
)
from answerable.gateway.upstream_credentials.static_credential_cache import TAKEN_EVENT
from answerable.model.config import Config
from answerable.model.errors import EnvironmentFailure
from answerable.model.policy_replay import PolicyReplayResult
from answerable.server.admission import AdmissionControl
from answerable.server.connection_info import ConnectionInfo
from answerable.server.deadline_timer import DeadlineTimer
from answerable.server.enforcement.operator_notices import LogNotices
from answerable.server.enforcement.settings import EnforcementSettings
from answerable.server.large_body_parser import LargeBodyParser
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import InheritedSocket
from answerable.server.open_file_limit import raise_open_files
from answerable.server.operator_log import OperatorLog
from answerable.server.resident_memory import resident_bytes
from answerable.server.secret_fingerprints import build_fingerprinter
from answerable.server.shared_secret import load_shared_secret
from answerable.server.tls import with_current_tls_files
from answerable.server.wire.host_check import ServedNames
from answerable.services.statements.statements_in_force import (
    EncodedStatements,
    StatementsInForce,
)

FLUSH_DELAY = 0.05  # seconds: several rounds of the loop


class WorkerApp:
    """Application of one worker.

    Attributes:
        http_server: HTTP server for calls.
        recorder: Recorder of decisions.
    """

    def __init__(
        self,
        start: StartWorker,
        config: Config,
        log: OperatorLog,
        say: Callable[[ApprovalWanted], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        state = Path(start.state)
        secret = load_shared_secret(state)
        self._config, self._log = config, log
        spans = SpanExporter(config.otlp, log) if config.otlp else None
        self.recorder = CountingRecorder(
            state / "spool", start.worker, loop, config.limits, spans, log
        )
        notices = LogNotices(log)
        self._core = core = GatewayCore(
            EnforcementSettings(
                compile_worker_policy(start.policy, config),
                config,
                Path(start.store),
                state,
            ),
            self.recorder,
            notices,
            lambda asked: say(ApprovalWanted(asked)),
        )
        self._callers = core.build_authenticator(
            config, secret, list_agent_ids(start.policy)
        )
        self._ticker = DeadlineTimer(loop)
        self._servers = build_upstreams(
            config, (), self._ticker, core.pins.check_identity
        )
        self._recent = ReplayBuffer()
        self._credentials = CredentialProvider(
            config,
            time.time,
            self._spawn_task,
            build_fingerprinter(Path(start.store)),
            self._log_credential_event,
        )
        raise_open_files(config.limits, log)
        self.http_server = GatewayHttpServer(
            exchange=core.build_pipeline(
                self._servers, self._credentials, self._recent
            ),
            callers=self._callers,
            sessions=SessionIdBinder(secret),
            limits=config.limits,
            ticker=self._ticker,
            loop=loop,
            admission=AdmissionControl(config.limits, config.listen.proxies, log),
            large_bodies=LargeBodyParser(
                lambda kind: log.warning("body-parser.failed", kind=kind)
            ),
        )
        core.authorizer.add_revocation_listener(
            lambda _: self.http_server.stop_revoked_requests()
        )
        self._fresh = (
            loop.create_task(
                self._callers.renew_keys_forever(notices.on_stale_issuer_keys)
            ),
            loop.create_task(self._credentials.renew_credentials_forever()),
        )
        self._statements = StatementsInForce()
        self.apply_statements(start.statements)
        self._listeners = Listeners(loop, self.http_server.admission)
        self._peers: PeerWorkers | None = None
        self._own = relay_socket_path(state, start.worker)

    @classmethod
    async def open(
        cls,
        start_message: StartWorker,
        log: OperatorLog,
        request_approval: Callable[[ApprovalWanted], None],
    ) -> "WorkerApp":
        """Assemble a worker and start to listen.

        Raises:
            AnswerableError: Something that it needs is missing or invalid.
        """
        config = parse_worker_config(start_message.policy)
        house = cls(start_message, config, log, request_approval)
        for each in start_message.sockets:
            await house._open_listener(each)
        if start_message.workers > 1:
            await house._listen_for_relayed_connections(start_message)
        return house

    @property
    def is_busy(self) -> bool:
        """Return True while a connection is open."""
        relays = self._peers is not None and self._peers.is_busy
        return bool(self.http_server.connections) or relays

    def iterate_metric_series(self) -> Iterator[MetricSeries]:
        """Yield all metrics, of calls and of open connections."""
        yield from self.recorder.iterate_metric_series()
        yield MetricSeries(
            "answerable_connections", (), len(self.http_server.connections)
        )
        refused = self._credentials.failed_count
        yield MetricSeries("answerable_credentials_refused", (), refused)
        calls = sum(self.http_server.in_flight.values())
        yield MetricSeries("answerable_calls_in_flight", (), calls)
        yield MetricSeries("answerable_memory_bytes", (), resident_bytes())
        yield MetricSeries(
            "answerable_calls_deferred", (), self.http_server.queue.deferred
        )
        yield MetricSeries("answerable_calls_waiting", (), len(self.http_server.queue))
        held = sum(self.http_server.held_bytes.values())
        yield MetricSeries("answerable_body_bytes", (), held)
        admission = self.http_server.admission
        yield MetricSeries(
            "answerable_connections_pressed", (), float(admission.was_recently_full)
        )
        for what, quota, count in admission.iterate_refused_and_evicted():
            yield MetricSeries(f"answerable_connections_{what}", (quota,), count)

    async def try_policy(self, policy: WorkerPolicy) -> tuple[str, PolicyReplayResult]:
        """Evaluate another policy on recent calls, without applying it.

        Raises:
            AnswerableError: The policy cannot be used.
        """
        _, table = await self._compile_policy(policy)
        return table.policy, await replay_policy(
            self._core.authorizer, table, self._recent
        )

    async def reload(self, policy: WorkerPolicy) -> tuple[str, PolicyReplayResult]:
        """Use a new configuration for all later calls.

        Returns:
            Its digest, and its replay result on recent calls.

        Raises:
            AnswerableError: It cannot be used; the present one stays in force.
        """
        config, table = await self._compile_policy(policy)
        replayed = await replay_policy(self._core.authorizer, table, self._recent)
        # A command that runs is kept; a URL may have other certificates by now.
        kept = {
            server.name: self._servers[server.name]
            for server in set(self._config.servers) & set(config.servers)
            if server.command
        }
        fresh = build_upstreams(
            config, kept.keys(), self._ticker, self._core.pins.check_identity
        )
        use_certificates = self._listeners.prepare_certificates(config.listen.gateway)
        self._core.pins.reconfigure(config.servers)  # the last that may be refused
        self._callers.reconfigure(config, list_agent_ids(policy))
        use_certificates()
        for name in self._servers.keys() - kept.keys():
            self._servers.pop(name).close()
        self._servers.update(fresh)
        for server in kept.values():
            server.limits = config.limits
        self.http_server.limits = self.http_server.admission.limits = config.limits
        self._config = config
        self._credentials.reconfigure(config)
        self._core.reconfigure(config, table)
        self._log.info("policy.taken", digest=table.policy)
        return table.policy, replayed

    async def _compile_policy(
        self, policy: WorkerPolicy
    ) -> tuple[Config, DecisionTable]:
        """Read and compile in a thread: a large file takes a second."""
        before = self._core.authorizer.decision_table
        # Two policy sets in memory are the peak: slices that the replay does not use
        # are dropped, and compiled again when a call needs them.
        before.slices.retain_slices(self._recent.list_requests())
        config = await asyncio.to_thread(parse_worker_config, policy)
        return config, await asyncio.to_thread(
            compile_worker_policy, policy, config, before
        )

    def apply_statements(self, encoded: EncodedStatements) -> None:
        """Replace the signed statements of the encoded kinds."""
        self._statements = self._statements.apply(encoded)
        self._core.apply_statements(self._statements)

    def drain(self) -> None:
        """Accept no more connections; open calls continue."""
        self._listeners.close()
        self.http_server.drain()

    async def close(self) -> int:
        """Cut open connections, and write the remaining records.

        Returns:
            Number of connections that were cut.
        """
        cut = len(self.http_server.connections)
        self.http_server.abort()
        await self.http_server.large_bodies.close()
        if self._peers is not None:
            self._peers.abort()
        await self._core.close()
        for each in self._fresh:
            each.cancel()
        self._credentials.close()
        for server in self._servers.values():
            server.close()
        # Cut connections report it in the next iteration of the loop.
        await asyncio.sleep(FLUSH_DELAY)
        self.recorder.close()
        return cut

    async def _open_listener(self, inherited: InheritedSocket) -> None:
        """Accept client connections at a socket bound by the supervisor."""
        listener = inherited.listener
        served = inherited.served_names
        front = partial(ClientConnection, self.http_server, served, inherited.url)
        named = with_current_tls_files(listener, self._config.listen.gateway)
        await self._listeners.accept_inherited(
            msgspec.structs.replace(inherited, listener=named), front
        )

    async def _listen_for_relayed_connections(self, start_message: StartWorker) -> None:
        """Listen for connections that other workers relay, and relay to them."""
        folder = self._own.parent
        loop = self.http_server.loop
        self.http_server.peers = self._peers = PeerWorkers(
            start_message.worker, start_message.workers, folder, loop
        )
        self._own.unlink(missing_ok=True)
        try:
            serving = await loop.create_unix_server(
                lambda: RelayedConnection(self._build_relayed_protocol), str(self._own)
            )
        except OSError as error:
            raise EnvironmentFailure(
                f"cannot listen at {self._own} ({error.strerror})",
                "a socket path has at most 107 bytes: use a shorter `state`",
            ) from None
        self._listeners.add_server(serving)

    def _build_relayed_protocol(
        self, link: ConnectionInfo, served_names: ServedNames
    ) -> ClientConnection:
        """Build the protocol of a connection that another worker relays."""
        return ClientConnection(self.http_server, served_names, link.url, link=link)

    def _spawn_task(self, coroutine: Coroutine[None, None, None]) -> None:
        """Start a background task."""
        self.http_server.tasks.spawn(coroutine)

    def _log_credential_event(self, event: str, server: str, reason: str) -> None:
        """Log a credential's failure, renewal or leak."""
        tell = {LEAKED_EVENT: self._log.error, TAKEN_EVENT: self._log.info}.get(
            event, self._log.warning
        )
        tell(event, server=server, what=reason)
