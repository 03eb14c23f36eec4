"""Assemble one worker from a configuration, and replace its parts at a reload."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path

from answerable.authorization.decision_table import DecisionTable
from answerable.authorization.revocations import Revocations, revoked_key_ids
from answerable.gateway.approval_requests import ApprovalRequestNotifier
from answerable.gateway.baseline_enforcement import BaselineEnforcer
from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.definition_watcher import DefinitionWatcher
from answerable.gateway.http.client_connection import ClientConnection
from answerable.gateway.http.peer_workers import (
    PeerWorkers,
    RelayedConnection,
    relay_socket_path,
)
from answerable.gateway.http.server import GatewayHttpServer
from answerable.gateway.person_requests import PersonRequestIndex
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
    agent_ids,
    build_upstreams,
    compile_table,
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
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.connection_info import ConnectionInfo
from answerable.server.deadline_timer import DeadlineTimer
from answerable.server.enforced_statements import EnforcedStatements
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.listeners import ListeningServer, start_accepting
from answerable.server.listening_sockets import InheritedSocket
from answerable.server.open_file_limit import raise_open_files
from answerable.server.operator_log import OperatorLog
from answerable.server.pins.pin_enforcer import PinEnforcer
from answerable.server.pins.pin_files import PinFiles
from answerable.server.pins.pin_log import PinLogNotices
from answerable.server.resident_memory import resident_bytes
from answerable.server.revocation_list import RevocationList, RevocationWatch
from answerable.server.revocation_notices import RevocationNotices
from answerable.server.secret_fingerprints import build_fingerprinter
from answerable.server.shared_secret import load_shared_secret
from answerable.server.tls import TlsListeners, with_current_tls_files
from answerable.server.wire.host_check import ServedNames
from answerable.services.statements.statements_in_force import (
    EncodedStatements,
    StatementsInForce,
)
from answerable.usecases.authorization.authorize import Authorizer

FLUSH_DELAY = 0.05  # seconds: several rounds of the loop


class WorkerApp:
    """Application of one worker.

    Attributes:
        door: HTTP server for calls.
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
        self._authority = Authorizer(compile_table(start.policy, config))
        self._callers = CallerAuthenticator(
            config,
            IssuerKeyCache(config.issuers),
            time.time,
            secret=secret,
            inventory=agent_ids(start.policy),
        )
        spans = SpanExporter(config.otlp, log) if config.otlp else None
        self.recorder = CountingRecorder(
            state / "spool", start.worker, loop, config.limits, spans, log
        )
        self._held_back = ApprovalRequestNotifier(
            config.asks, lambda asked: say(ApprovalWanted(asked))
        )
        self.recorder.held_back = self._held_back
        self._ticker = DeadlineTimer(loop)
        self._pins = PinEnforcer(
            PinFiles(state), config.servers, self._authority, loop, PinLogNotices(log)
        )
        self._servers = build_upstreams(
            config, (), self._ticker, self._pins.check_identity
        )
        self._recent = ReplayBuffer()
        self._credentials = CredentialProvider(
            config,
            time.time,
            self._spawn_task,
            build_fingerprinter(Path(start.store)),
            self._log_credential_event,
        )
        self._behaviour = BaselineEnforcer(
            config,
            self._pins.definition,
            PersonRequestIndex(self._log_invalid_person_request),
        )
        self.door = GatewayHttpServer(
            exchange=CallPipeline(
                self._authority,
                self.recorder,
                self._servers,
                self._credentials,
                recent=self._recent,
                definitions=DefinitionWatcher(self._servers, self._pins),
                behaviour=self._behaviour,
            ),
            callers=self._callers,
            sessions=SessionIdBinder(secret),
            limits=config.limits,
            ticker=self._ticker,
            loop=loop,
        )
        raise_open_files(config.limits, log)
        self.door.admission = AdmissionControl(
            config.limits, config.listen.proxies, log
        )
        self._authority.add_revocation_listener(self._terminate_revoked)
        self._kills_told = told = RevocationNotices(self.recorder, log)
        self._kills = RevocationWatch(
            RevocationList(Path(start.store), state),
            self._authority,
            loop,
            self._on_revocations_changed,
            told.report_unreadable,
        )
        self._fresh = (
            loop.create_task(self._callers.renew_keys_forever(self._log_key_failure)),
            loop.create_task(self._credentials.keep_fresh()),
        )
        self._statements = StatementsInForce()
        self._enforced = EnforcedStatements(self._authority, self._behaviour, loop)
        self.apply_statements(start.statements)
        self._servings: list[ListeningServer] = []
        self._tls = TlsListeners()
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
            await house._connect_peers(start_message)
        return house

    @property
    def disk_alarm(self) -> str:
        """Return the current disk error; empty while the disk accepts writes."""
        return self.recorder.alarm

    @property
    def is_busy(self) -> bool:
        """Return True while a connection is open."""
        relays = self._peers is not None and self._peers.is_busy
        return bool(self.door.fronts) or relays

    @property
    def drain_seconds(self) -> int:
        """Return the seconds that open calls have to finish."""
        return self._config.limits.drain

    def series(self) -> Iterator[MetricSeries]:
        """Yield all metrics, of calls and of open connections."""
        yield from self.recorder.series()
        yield MetricSeries("answerable_connections", (), len(self.door.fronts))
        refused = self._credentials.failed_count
        yield MetricSeries("answerable_credentials_refused", (), refused)
        calls = sum(self.door.in_flight.values())
        yield MetricSeries("answerable_calls_in_flight", (), calls)
        yield MetricSeries("answerable_memory_bytes", (), resident_bytes())
        yield MetricSeries("answerable_calls_deferred", (), self.door.queue.deferred)
        yield MetricSeries("answerable_calls_waiting", (), len(self.door.queue))
        held = sum(self.door.held_bytes.values())
        yield MetricSeries("answerable_body_bytes", (), held)
        admission = self.door.admission
        yield MetricSeries(
            "answerable_connections_pressed", (), float(admission.was_recently_full)
        )
        for what, quota, count in admission.iter_counts():
            yield MetricSeries(f"answerable_connections_{what}", (quota,), count)

    async def try_policy(self, policy: WorkerPolicy) -> tuple[str, PolicyReplayResult]:
        """Evaluate another policy on recent calls, without applying it.

        Raises:
            AnswerableError: The policy cannot be used.
        """
        _, table = await self._compile_policy(policy)
        return table.policy, await replay_policy(self._authority, table, self._recent)

    async def reload(self, policy: WorkerPolicy) -> tuple[str, PolicyReplayResult]:
        """Decide by another configuration from the next call on.

        Returns:
            Its digest, and its replay result on recent calls.

        Raises:
            AnswerableError: It cannot be used; the present one stays in force.
        """
        config, table = await self._compile_policy(policy)
        replayed = await replay_policy(self._authority, table, self._recent)
        # A command that runs is kept; a URL may have other certificates by now.
        kept = {
            server.name: self._servers[server.name]
            for server in set(self._config.servers) & set(config.servers)
            if server.command
        }
        fresh = build_upstreams(
            config, kept.keys(), self._ticker, self._pins.check_identity
        )
        use_certificates = self._tls.prepare(config.listen.gateway)
        self._pins.reconfigure(config.servers)  # the last that may be refused
        self._callers.reconfigure(config, agent_ids(policy))
        use_certificates()
        for name in self._servers.keys() - kept.keys():
            self._servers.pop(name).close()
        self._servers.update(fresh)
        for server in kept.values():
            server.limits = config.limits
        self.door.limits = self.door.admission.limits = config.limits
        self._config = config
        self._credentials.reconfigure(config)
        self._behaviour.reconfigure(config)
        self._held_back.reconfigure(config.asks)
        self._authority.replace_policy(table)
        self._log.info("policy.taken", digest=table.policy)
        return table.policy, replayed

    async def _compile_policy(
        self, policy: WorkerPolicy
    ) -> tuple[Config, DecisionTable]:
        """Read and compile in a thread: a large file takes a second."""
        before = self._authority.table
        # Two policy sets in memory are the peak: slices that the replay does not use
        # are dropped, and compiled again when a call needs them.
        before.slices.retain(self._recent.list_requests())
        config = await asyncio.to_thread(parse_worker_config, policy)
        return config, await asyncio.to_thread(compile_table, policy, config, before)

    def apply_statements(self, encoded: EncodedStatements) -> None:
        """Replace the signed statements of the encoded kinds."""
        self._statements = self._statements.apply(encoded)
        self._enforced.apply(self._statements)

    def drain(self) -> None:
        """Accept no more connections; open calls continue."""
        for serving in self._servings:
            serving.close()
        self.door.drain()

    async def close(self) -> int:
        """Cut open connections, and write the remaining records.

        Returns:
            Number of connections that were cut.
        """
        cut = len(self.door.fronts)
        self.door.abort()
        if self._peers is not None:
            self._peers.abort()
        self._kills.close()
        await self._pins.flush()
        for each in self._fresh:
            each.cancel()
        self._enforced.close()
        self._credentials.close()
        for server in self._servers.values():
            server.close()
        # Cut connections report it in the next iteration of the loop.
        await asyncio.sleep(FLUSH_DELAY)
        self.recorder.close()
        return cut

    def _terminate_revoked(self, _: Revocations) -> None:
        """Cut calls that a revocation forbids, before another request is read."""
        self._callers.revoke_keys(revoked_key_ids(self._authority.revocations))
        self.door.recheck()

    def _on_revocations_changed(
        self, revoked: Revocations, restored: Revocations
    ) -> None:
        """Reject tokens of revoked keys, and report the changed revocations."""
        self._callers.revoke_keys(revoked_key_ids(self._authority.revocations))
        self._kills_told.report_changes(revoked, restored)

    async def _open_listener(self, inherited: InheritedSocket) -> None:
        """Accept client connections at a socket bound by the supervisor."""
        listener = inherited.listener
        served = ServedNames(frozenset(inherited.hosts), frozenset(listener.origins))
        front = partial(ClientConnection, self.door, served, inherited.url)
        bound = socket.socket(fileno=os.dup(inherited.handle))
        loop = self.door.loop
        named = with_current_tls_files(listener, self._config.listen.gateway)
        context = self._tls.add(named)
        serving = await start_accepting(
            loop, bound, front, context, self.door.admission
        )
        self._servings.append(serving)

    async def _connect_peers(self, start_message: StartWorker) -> None:
        """Listen for connections that other workers relay, and relay to them."""
        folder = self._own.parent
        loop = self.door.loop
        self.door.peers = self._peers = PeerWorkers(
            start_message.worker, start_message.workers, folder, loop
        )
        self._own.unlink(missing_ok=True)
        try:
            serving = await loop.create_unix_server(
                lambda: RelayedConnection(self._accept_relayed), str(self._own)
            )
        except OSError as error:
            raise EnvironmentFailure(
                f"cannot listen at {self._own} ({error.strerror})",
                "a path of a socket has at most 107 bytes: name a shorter `state`",
            ) from None
        self._servings.append(serving)

    def _accept_relayed(
        self, link: ConnectionInfo, served_names: ServedNames
    ) -> ClientConnection:
        """Build the protocol of a connection that another worker relays."""
        return ClientConnection(self.door, served_names, link.url, link=link)

    def _spawn_task(self, coroutine: Coroutine[None, None, None]) -> None:
        """Start a background task."""
        self.door.spawn(coroutine)

    def _log_invalid_person_request(self, request: str, reason: str) -> None:
        """Log that a person's signed request is invalid."""
        self._log.warning("request.refused", id=request, why=reason)

    def _log_credential_event(self, event: str, server: str, reason: str) -> None:
        """Log a credential's failure, renewal or leak."""
        tell = {LEAKED_EVENT: self._log.error, TAKEN_EVENT: self._log.info}.get(
            event, self._log.warning
        )
        tell(event, server=server, what=reason)

    def _log_key_failure(self, issuer: str, reason: str) -> None:
        """Log that an issuer's keys could not be renewed."""
        self._log.warning("issuer.keys-refused", issuer=issuer, why=reason)
