"""Assemble the token service application from a configuration, and reload it."""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial

from answerable.authorization.revocations import Revocations
from answerable.model.errors import AnswerableError
from answerable.server.dpop_replay_cache import DpopNonces
from answerable.server.enforcement.operator_notices import LogNotices
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.listening_sockets import (
    BoundListener,
    bind_listener,
    bind_status_listener,
)
from answerable.server.metrics import MetricNames, render_metrics
from answerable.server.operator_log import OperatorLog
from answerable.server.processes.run_registration import LaunchRequest, LaunchRevoked
from answerable.server.processes.run_registry import RegisteredRun, RunRegistry
from answerable.server.processes.sender_listener import SenderCheckedListener
from answerable.server.resident_memory import resident_bytes
from answerable.server.revocation_list import (
    RevocationList,
    RevocationNote,
    RevocationWatch,
)
from answerable.server.server_process import App
from answerable.server.shared_secret import load_shared_secret
from answerable.server.sign_in_accounts import SignInAccounts
from answerable.services.federation.issued_token_verification import OwnTokenVerifier
from answerable.store.token_state.restore_detection import advance_generation
from answerable.sts.endpoints.admin import AdminEndpoints
from answerable.sts.endpoints.delegation import DelegateEndpoint
from answerable.sts.endpoints.introspection import IntrospectionEndpoint
from answerable.sts.endpoints.metadata_and_health import PublicEndpoints
from answerable.sts.endpoints.proof_of_possession import ProofVerifier
from answerable.sts.endpoints.run_registration import RunsEndpoint, record_run_end
from answerable.sts.endpoints.token import TokenEndpoint
from answerable.sts.endpoints.token_revocation import RevocationEndpoint
from answerable.sts.http.connection import StsConnection
from answerable.sts.http.server import EndpointHandler, RouteTable, StsHttpServer
from answerable.sts.http.server_metadata import base_path
from answerable.sts.recording.exchange_recorder import ExchangeRecorder
from answerable.sts.runtime.database_executor import DatabaseExecutor
from answerable.sts.runtime.delegation_revoker import DelegationRevoker
from answerable.sts.runtime.group_commit import GroupCommit
from answerable.sts.runtime.maintenance import Maintenance
from answerable.sts.runtime.owner_watch import OwnerWatch
from answerable.sts.runtime.restore_recovery import (
    close_token_database,
    open_token_database,
)
from answerable.sts.runtime.settings import (
    StsSettings,
    build_exchange_rules,
    foreign_issuers,
)
from answerable.sts.runtime.token_reviews import TokenReviews, build_reviewers
from answerable.sts.security_events import EventPusher
from answerable.sts.signing_keys.key_ring import KeyRing
from answerable.sts.signing_keys.key_store import KeyStore
from answerable.sts.token_signing import TokenSigning
from answerable.usecases.federation.token_exchange import TokenExchange

SERVER_NAME = "sts"
# Switch interval of the interpreter; Python's default is five times that.
SWITCH_INTERVAL = 0.001
LOOP_ROUND = 0.05  # seconds: several rounds of the loop
YOUNG_KEY = "verifiers may not have fetched the active signing key yet"
# Without agents and rules, because a workload may read the metrics.
METRIC_NAMES = MetricNames(
    "answerable_sts",
    ("attempts", "Attempts.", ("what", "error")),
    "Requests refused before they were read.",
    "Requests refused because they could not be recorded.",
)


class StsApp(App[StsSettings]):
    """The application of one process."""

    def __init__(self, plan: StsSettings, log: OperatorLog) -> None:
        super().__init__(plan, log)
        # The evidence writer thread waits less.
        sys.setswitchinterval(SWITCH_INTERVAL)
        loop = self._loop
        config, service, state = plan.config, plan.service, plan.state
        self._clock: Callable[[], float] = time.time
        now = self._clock()
        secret = load_shared_secret(state)
        self._control = open_token_database(plan, now, log)
        self._count_up = partial(advance_generation, self._control, state)
        key_store = KeyStore(state, service.passphrase, service.passphrase_env)
        self._key_ring = KeyRing(self._control, key_store, now)
        self._signing = signing = TokenSigning(self._key_ring)
        self._events = EventPusher(service, signing, log, self._clock)
        self._blocking = DatabaseExecutor(beside=bool(service.database))
        self._nonces = DpopNonces(secret, since=self._control.read_complete_since())
        self._list = RevocationList(plan.store, state)
        self._owners = OwnerWatch(plan.store, log)
        self._recorder = ExchangeRecorder(state / "spool", loop, config.limits)
        self._runs = RunRegistry(state, self._on_run_ended)
        self._keys = IssuerKeyCache(foreign_issuers(plan))
        self._reviews = TokenReviews(foreign_issuers(plan), log)
        self._own = OwnTokenVerifier(
            service.url,
            signing.key_set,
            self._control,
            lambda: self._kills.revocations,
        )
        self._exchanges = TokenExchange(
            url=service.url,
            own_tokens=self._own,
            token_state=self._control,
            signer=signing,
            issuers=self._keys.issuers,
            owners=self._owners.current_owners,
            revocations=lambda: self._kills.revocations,
            is_bound=SignInAccounts(state).bind_or_check_account,
        )
        self._exchanges.replace_config(build_exchange_rules(plan))
        self._revoker = DelegationRevoker(
            self._control,
            self._blocking,
            self._events if service.events else None,
            self._tasks,
            self._clock,
            log,
        )
        self._admin = AdminEndpoints(
            service.admins,
            self._list,
            self._apply_revocation_list,
            self._revoker.end_and_list_delegations,
            self._admin_state,
            self._revoker.list_delegations,
        )
        self.http_server = StsHttpServer(
            RouteTable(base_path(service.url), self._build_handlers()),
            config.limits,
            service.terminator,
            loop,
            self._recorder.count_refused_request,
            self._log_failure,
            admission=self._admission,
        )
        self._notices = LogNotices(log)
        self._kills = RevocationWatch(
            self._list,
            None,
            loop,
            self._on_revocations_changed,
            self._notices.on_unreadable_revocations,
        )
        self._upkeep: Maintenance | None = None

    async def start(self) -> None:
        """Open the listeners, and start the background tasks.

        Raises:
            AnswerableError: A resource is missing or unusable.
        """
        await self._owners.refresh()
        service = self.plan.service
        for listener in service.listen:
            await self._accept_connections(bind_listener(listener, 1))
        if service.health is not None:
            bound = bind_status_listener(service.health)
            admission = self._build_status_page_quotas()
            await self._open_status_listener("health", bound, admission)
        self._tasks.spawn(self._owners.poll_forever())
        self._upkeep = upkeep = Maintenance(
            self._keys,
            self._signing,
            self._control,
            self._runs,
            self._clock,
            self._log,
            count_up=self._count_up,
        )
        for work in upkeep.tasks():
            self._tasks.spawn(work)

    @property
    def is_busy(self) -> bool:
        """Return whether a request is being answered."""
        return self.http_server.is_busy

    async def reload(self, settings: StsSettings) -> None:
        """Apply another configuration.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        use_certificates = self._listeners.prepare_certificates(settings.service.listen)
        asked = build_reviewers(foreign_issuers(settings))
        self._keys.reconfigure(foreign_issuers(settings))
        use_certificates()
        self._reviews.reconfigure(asked)
        self._exchanges.replace_config(build_exchange_rules(settings))
        self._admin.reconfigure(settings.service.admins)
        self.http_server.limits = self.http_server.admission.limits = (
            settings.config.limits
        )
        self.plan = settings

    def drain(self) -> None:
        """Accept no more connections; requests in progress finish."""
        super().drain()
        self.http_server.drain()

    async def close(self) -> None:
        """Close connections and flush records."""
        self.http_server.abort()
        self._kills.close()
        await super().close()
        await asyncio.sleep(LOOP_ROUND)
        await self._events.close()
        await self._owners.close()
        self._blocking.close()
        self._runs.close()
        self._recorder.close()
        close_token_database(self._control, self._count_up)

    # The endpoints.

    def _build_handlers(self) -> dict[tuple[str, str], EndpointHandler]:
        """Build the endpoints, and collect their handlers by method and path."""
        own, control, blocking = self._own, self._control, self._blocking
        recorder, clock, url = self._recorder, self._clock, self.plan.service.url
        proving = ProofVerifier(url, self._nonces, control, own)

        def admins() -> tuple[int, ...]:
            return self.plan.service.admins

        return {
            **PublicEndpoints(url, self._signing.jwks, self.health_pages()).handlers(),
            **TokenEndpoint(
                exchanges=self._exchanges,
                proving=proving,
                keys=self._keys,
                review=self._reviews.review,
                runs=self._runs,
                blocking=blocking,
                gathering=GroupCommit(self._exchanges, recorder, self._loop, clock),
                recorder=recorder,
                gateways=lambda: self.plan.service.gateways,
                clock=clock,
            ).handlers(),
            **DelegateEndpoint(
                self._exchanges, control, proving, blocking, recorder, clock
            ).handlers(),
            **IntrospectionEndpoint(own, proving, blocking, admins, clock).handlers(),
            **RevocationEndpoint(
                own=own,
                control=control,
                proving=proving,
                blocking=blocking,
                recorder=recorder,
                admins=admins,
                ended=lambda subject, died: self._revoker.notify(subject, "user", died),
                clock=clock,
            ).handlers(),
            **RunsEndpoint(
                self._runs,
                self._find_launch_rule,
                recorder,
                lambda: self._exchanges.config_in_force.allow_root,
                clock,
            ).handlers(),
            **self._admin.handlers(),
        }

    def _find_launch_rule(self, launch_request: LaunchRequest) -> str:
        """Return the id of the rule that lets a person start an agent."""
        rules = self._exchanges.config_in_force.rules
        id = rules.find_launch_rule(
            launch_request.agent,
            launch_request.started_by,
            launch_request.runs_as,
            launch_request.program,
        )
        killed = {launch_request.agent, f"rule:{id}"} & self._kills.revocations
        # Only a person whom a rule lets start the agent learns of the revocation.
        for subject in sorted(killed) if id else ():
            raise LaunchRevoked(
                subject,
                str(self._read_revocation_details().get(subject, RevocationNote())),
            )
        return id

    def _read_revocation_details(self) -> Mapping[str, RevocationNote]:
        """Return the facts about each revocation; empty if unreadable."""
        try:
            return self._list.read_revocations()
        except AnswerableError:  # what is in force stays so
            return {}

    # Revocations.

    def _on_revocations_changed(
        self, revoked: Revocations, reinstated: Revocations
    ) -> None:
        """Report changed revocations, and end the delegations of the revoked."""
        self._recorder.record_revocations(revoked, reinstated)
        self._notices.on_revocations_changed(revoked, reinstated)
        noted = self._read_revocation_details() if revoked else {}
        for subject in sorted(revoked):
            if not noted.get(
                subject, RevocationNote()
            ).ended_with:  # it has ended already
                self._tasks.spawn(self._revoker.revoke(subject))

    def _apply_revocation_list(self) -> None:
        """Apply the subjects that `kill` has revoked by now."""
        self._kills.refresh()

    def _on_run_ended(self, run: RegisteredRun) -> None:
        """Log and record the end of a run; callable from any thread."""
        self._log.info("run.ended", run=run.name, agent=run.agent)
        self._loop.call_soon_threadsafe(record_run_end, self._recorder, self._log, run)

    # State and metrics.

    def not_ready_reasons(self) -> list[str]:
        """Return why the service is not ready; empty if it is."""
        alarm = self._recorder.disk_error
        refused = "" if self._upkeep is None else self._upkeep.database_fault
        return [
            *(["it is shutting down"] if self.is_ending else []),
            *([] if self.plan.has_valid_policy else ["no rules could be loaded"]),
            *([f"it cannot record: {alarm}"] if alarm else []),
            *([refused] if refused else []),
        ]

    def readiness_details(self) -> Mapping[str, object]:
        """Return the faults that an operator should see."""
        return {
            **super().readiness_details(),
            "owners_refused": self._owners.failure,
            "warnings": [
                *self.http_server.admission.warnings,
                *([YOUNG_KEY] if self._key_ring.is_active_key_too_new else []),
            ],
        }

    def _admin_state(self) -> Mapping[str, object]:
        """Return the state of the service for the admin endpoint."""
        return {
            "url": self.plan.service.url,
            "reasons": self.not_ready_reasons(),
            **self.readiness_details(),
            "policy": self.plan.config.digest,
            "rules": [each.id for each in self._exchanges.config_in_force.rules],
            "owners": len(self._owners),
            "kills": sorted(self._kills.revocations),
            "runs": [each.name for each in self._runs],
            "connections": len(self.http_server.connections),
        }

    def render_metrics(self) -> bytes:
        """Render the metrics in the text format of Prometheus."""
        gauges = {
            "connections": (
                "Connections of clients.",
                float(len(self.http_server.connections)),
            ),
            "agents_owned": ("Agents with an attested owner.", len(self._owners)),
            "memory_bytes": ("Resident memory.", float(resident_bytes())),
            "rules": ("Rules in force.", len(self._exchanges.config_in_force.rules)),
            "ready": ("Tokens can be issued.", float(not self.not_ready_reasons())),
            "events_sent": (
                "Events accepted by receivers.",
                float(self._events.counted["sent"]),
            ),
            "events_dropped": ("Events dropped.", self._events.counted["dropped"]),
        }
        return render_metrics(
            METRIC_NAMES, self._recorder, gauges, self.http_server.admission
        )

    # Background tasks.

    async def _accept_connections(self, bound_listener: BoundListener) -> None:
        """Accept connections at one more bound listener."""
        given = bound_listener.socket_for_worker(0)
        served = given.served_names
        front = partial(StsConnection, self.http_server, served, given.url)
        if given.listener.address is None:
            # The kernel says of each message who sent it, not of the connection alone.
            own, away = bound_listener.sockets[0], self._recorder.count_refused_request
            serving = SenderCheckedListener(self._loop, own, front, away)
            self._listeners.add_server(serving)
            self._listeners.add_listener(SERVER_NAME, bound_listener)
        else:
            await self._listeners.open_listener(SERVER_NAME, bound_listener, front)
