"""Assemble the decision point application from a configuration, and reload it."""

import asyncio
import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from answerable.authorization.revocations import Revocations, revoked_key_ids
from answerable.model.config import Listener
from answerable.pdp.enforcement_points import EnforcementPointAuthenticator
from answerable.pdp.envoy.optional_imports import require_extra
from answerable.pdp.evaluation import EvaluationService
from answerable.pdp.http.server import (
    JSON_TYPE,
    PageHandler,
    PdpHttpServer,
    QuestionHandler,
)
from answerable.pdp.page_tokens import Paginator
from answerable.pdp.recording.evaluation_recorder import EvaluationRecorder
from answerable.pdp.runtime.policy_state_watch import PolicyStateWatch
from answerable.pdp.runtime.settings import PdpSettings
from answerable.pdp.search import SearchService
from answerable.pdp.subject_resolution import SubjectResolver
from answerable.pdp.tool_mapping_resolver import ToolMappingResolver
from answerable.pdp.wire import openapi, pdp_metadata
from answerable.pdp.wire.problem_documents import ProblemResponse
from answerable.server.admission import AdmissionControl
from answerable.server.asgi import AsgiServer
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.authentication.challenge import WELL_KNOWN
from answerable.server.background_tasks import BackgroundTasks
from answerable.server.connection_info import ConnectionInfo
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import bind_listener
from answerable.server.metrics import MetricNames, render_metrics
from answerable.server.open_file_limit import raise_open_files
from answerable.server.operator_log import OperatorLog
from answerable.server.resident_memory import resident_bytes
from answerable.server.shared_secret import derive_key, load_shared_secret
from answerable.usecases.authorization.authorize import Authorizer

SERVER_NAME = "decisions"
METRIC_NAMES = MetricNames(
    "answerable_pdp",
    ("evaluations", "Evaluations.", ("effect", "passes")),
    "Requests turned away.",
    "Denials for want of a record.",
)
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class PdpApp:
    """The application of one process.

    Attributes:
        listening: Listeners: pairs (what, where).
        standing: Revocations, pins and signed statements in force.
        reload_refused: Why the last reload failed, empty if it did not.
        ship_refused: Why the last shipping of evidence failed, likewise.
    """

    def __init__(self, plan: PdpSettings, log: OperatorLog) -> None:
        self.reload_refused = self.ship_refused = ""
        self._plan, self._log = plan, log
        self._loop = loop = asyncio.get_running_loop()
        config = plan.config
        secret = load_shared_secret(plan.state)
        self._authority = Authorizer(plan.compile_policy())
        self._recorder = EvaluationRecorder(plan.state / "spool", loop, config.limits)
        self.standing = PolicyStateWatch(plan, self._authority, self._recorder, log)
        self._callers = CallerAuthenticator(
            config,
            IssuerKeyCache(config.issuers),
            time.time,
            secret=derive_key(secret, "subjects"),
            inventory=plan.inventory,
        )
        self._enforcers = EnforcementPointAuthenticator(config, time.time, secret)
        self._subjects = SubjectResolver(
            config, plan.inventory, self._callers, time.time
        )
        self._authority.add_revocation_listener(self._revoke_keys)
        self._revoke_keys(self._authority.revocations)
        self._evaluating = EvaluationService(
            self._authority,
            self._subjects,
            self._recorder,
            ToolMappingResolver(
                self.standing.pins.mappings, self.standing.log_unusable_mapping
            ),
            self.standing.behaviour,
            self.standing.teller.notify_decision,
        )
        self._searching = SearchService(self._evaluating, Paginator(secret), config)
        self._door = PdpHttpServer(
            self._enforcers, self._recorder, config.limits, self._log_failure
        )
        self.app = self._door.build_app(self._build_handlers(), self._build_pages())
        raise_open_files(config.limits, log)
        self._admission = admission = AdmissionControl(
            config.limits, config.listen.proxies, log
        )
        self._listeners = listeners = Listeners(loop, admission)
        self._connections = AsgiServer(self.app, admission, listeners, loop)
        self.listening = self._listeners.where
        self._tasks = BackgroundTasks()
        self._url = plan.point.url or "http://localhost"

    @classmethod
    async def open(cls, plan: PdpSettings, log: OperatorLog) -> "PdpApp":
        """Assemble the application and open its listeners.

        Raises:
            AnswerableError: A resource is missing or unusable.
        """
        house = cls(plan, log)
        await house.standing.refresh()
        house._tasks.spawn(house.standing.keep_fresh())
        for listener in plan.point.listen:
            await house._connections.listen(SERVER_NAME, bind_listener(listener, 1))
        for listener in plan.point.ext_authz:
            await house._open_envoy_listener(listener)
        house._default_url()
        for keep_fresh in (
            house._callers.renew_keys_forever,
            house._enforcers.renew_keys,
        ):
            house._tasks.spawn(keep_fresh(house._log_key_failure))
        return house

    @property
    def is_busy(self) -> bool:
        """Tell whether a request is being answered."""
        return bool(self._door.in_flight)

    async def reload(self, plan: PdpSettings) -> None:
        """Apply another configuration without a restart.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        # A large file takes a second, in which evaluations go on.
        table = await asyncio.to_thread(plan.compile_policy)
        listeners = (*plan.point.listen, *plan.point.ext_authz)
        use_certificates = self._listeners.prepare(listeners)
        self.standing.reconfigure(plan.config)  # the last that may be refused
        use_certificates()
        self._enforcers.reconfigure(plan.config)
        self._subjects.reconfigure(plan.config, plan.inventory)
        self._searching.config = plan.config
        self._door.limits = self._admission.limits = plan.config.limits
        self._authority.replace_policy(table)
        self._revoke_keys(self._authority.revocations)
        self._plan = plan

    def drain(self) -> None:
        """Accept no more connections; requests in progress finish."""
        self._listeners.close()
        self._connections.drain()

    async def close(self) -> None:
        """Close connections and flush records."""
        self._connections.cancel()
        await self._tasks.cancel()
        await self.standing.close()
        self._recorder.close()

    def not_ready_reasons(self) -> list[str]:
        """Return why it is not ready; empty if it is."""
        alarm = self._recorder.alarm
        return [
            *([] if self._authority.policy_digest else ["no policy could be loaded"]),
            *([f"it cannot record: {alarm}"] if alarm else []),
        ]

    # Endpoints.

    def _build_handlers(self) -> dict[str, QuestionHandler]:
        """Map each AuthZEN path to the handler of its POST requests."""
        return {
            pdp_metadata.EVALUATION_PATH: self._evaluating.evaluate,
            pdp_metadata.EVALUATIONS_PATH: self._evaluating.evaluate_batch,
            pdp_metadata.SUBJECT_SEARCH_PATH: self._searching.search_subjects,
            pdp_metadata.RESOURCE_SEARCH_PATH: self._searching.search_resources,
            pdp_metadata.ACTION_SEARCH_PATH: self._searching.search_actions,
        }

    def _build_pages(self) -> dict[str, PageHandler]:
        """Map each path of a GET request to its page."""
        return {
            pdp_metadata.METADATA_PATH: self._handle_metadata,
            openapi.OPENAPI_PATH: self._handle_openapi,
            WELL_KNOWN
            + pdp_metadata.BASE_PATH
            + "{rest:path}": self._handle_resource_metadata,
            "/healthz": self._handle_healthz,
            "/readyz": self._handle_readyz,
            "/metrics": self._handle_metrics,
        }

    async def _handle_metadata(self, _: Request) -> Response:
        """Serve the AuthZEN metadata of the decision point."""
        kept = {"cache-control": f"max-age={pdp_metadata.MAX_AGE}"}
        return Response(pdp_metadata.build_metadata(self._url), 200, kept, JSON_TYPE)

    async def _handle_openapi(self, _: Request) -> Response:
        """Serve the OpenAPI document."""
        kept = {"cache-control": f"max-age={pdp_metadata.MAX_AGE}"}
        return Response(openapi.build_openapi(self._url), 200, kept, JSON_TYPE)

    async def _handle_resource_metadata(self, request: Request) -> Response:
        """Return the protected resource metadata (RFC 9728 3.1)."""
        target = request.url.path.removeprefix(WELL_KNOWN)
        link: ConnectionInfo = request.scope["state"]["link"]
        document = self._enforcers.resource_metadata(target, link)
        if not document:
            raise ProblemResponse(404, "no-route", "nothing is served here")
        kept = {"cache-control": f"max-age={pdp_metadata.MAX_AGE}"}
        return Response(document, 200, kept, JSON_TYPE)

    async def _handle_healthz(self, _: Request) -> Response:
        """Serve `/healthz`: the process is alive."""
        return Response(b"ok\n", media_type="text/plain")

    async def _handle_readyz(self, _: Request) -> Response:
        """Serve `/readyz`: 503 with reasons while it is not ready."""
        reasons = self.not_ready_reasons()
        said = {
            "ready": not reasons,
            "reasons": reasons,
            "reload_refused": self.reload_refused,
            "ship_refused": self.ship_refused,
        }
        return Response(
            msgspec.json.encode(said), 503 if reasons else 200, media_type=JSON_TYPE
        )

    async def _handle_metrics(self, _: Request) -> Response:
        """Serve `/metrics` in the Prometheus text format."""
        gauges = {
            "connections": (
                "Connections that are open.",
                float(len(self._connections)),
            ),
            "memory_bytes": ("Resident memory.", float(resident_bytes())),
            "in_flight": (
                "Requests under way.",
                float(sum(self._door.in_flight.values())),
            ),
            "config_last_reload_successful": (
                "The file in force is the one on disk.",
                float(not self.reload_refused),
            ),
            "ship_last_successful": (
                "Evidence was stored when it was last tried.",
                float(not self.ship_refused),
            ),
        }
        return Response(
            render_metrics(METRIC_NAMES, self._recorder, gauges, self._admission),
            headers={"content-type": METRICS_TYPE},
        )

    # Background tasks.

    async def _open_envoy_listener(self, listener: Listener) -> None:
        """Start a gRPC listener for Envoy's external authorization."""
        with require_extra():
            from answerable.pdp.envoy.check_evaluation import CheckHandler
            from answerable.pdp.envoy.grpc_service import (
                ExtAuthzService,
                build_grpc_server,
            )

        bound = bind_listener(listener, 1)
        checking = CheckHandler(
            self._evaluating,
            self._callers,
            self._recorder,
            time.time,
            listener.origins,
        )
        service = ExtAuthzService(
            self._enforcers,
            checking,
            self._recorder,
            bound.url,
            self._door,
            self._log_failure,
        )
        connection = build_grpc_server(
            service, self._admission, self._loop
        ).build_connection
        await self._listeners.open("ext_authz", bound, connection, "h2")

    def _default_url(self) -> None:
        """Use the first listener as URL if none is configured."""
        addresses = [url for what, url in self._listeners.urls if what == SERVER_NAME]
        if addresses and not self._plan.point.url:
            self._url = addresses[0]

    def _revoke_keys(self, _: Revocations) -> None:
        """Reject tokens signed by revoked keys of our token service."""
        kids = revoked_key_ids(self._authority.revocations)
        self._callers.revoke_keys(kids)
        self._enforcers.revoke_keys(kids)

    def _log_failure(self, error: Exception) -> None:
        """Log an unexpected exception of a request."""
        self._log.log_loop_error(self._loop, {"exception": error})

    def _log_key_failure(self, issuer: str, reason: str) -> None:
        """Log that an issuer's keys could not be renewed."""
        self._log.warning("issuer.keys-refused", issuer=issuer, why=reason)
