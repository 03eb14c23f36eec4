"""Assemble the decision point application from a configuration, and reload it."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response

from answerable.model.config import Listener
from answerable.pdp.baseline_guard import BaselineGuard
from answerable.pdp.enforcement_points import EnforcementPointAuthenticator
from answerable.pdp.envoy.optional_imports import require_ext_authz_packages
from answerable.pdp.evaluation import EvaluationService
from answerable.pdp.http.server import (
    JSON_TYPE,
    PageHandler,
    PdpHttpServer,
    QuestionHandler,
)
from answerable.pdp.page_tokens import Paginator
from answerable.pdp.recording.evaluation_recorder import EvaluationRecorder
from answerable.pdp.runtime.settings import PdpSettings
from answerable.pdp.search import SearchService
from answerable.pdp.subject_resolution import SubjectResolver
from answerable.pdp.tool_mapping_resolver import ToolMappingResolver
from answerable.pdp.wire import openapi, pdp_metadata
from answerable.pdp.wire.problem_documents import ProblemResponse
from answerable.server.asgi import AsgiServer, build_page_endpoint
from answerable.server.authentication.challenge import WELL_KNOWN
from answerable.server.connection_info import ConnectionInfo
from answerable.server.enforcement.core import EnforcementCore
from answerable.server.enforcement.operator_notices import LogNotices, escape_name
from answerable.server.enforcement.settings import EnforcementSettings
from answerable.server.large_body_parser import LargeBodyParser
from answerable.server.listening_sockets import bind_listener
from answerable.server.metrics import MetricNames, render_metrics
from answerable.server.operator_log import OperatorLog
from answerable.server.pins.pin_watch import PinWatch
from answerable.server.resident_memory import resident_bytes
from answerable.server.server_process import App
from answerable.server.shared_secret import derive_key, load_shared_secret
from answerable.services.statements.policy_exceptions import PolicyExceptionReader
from answerable.services.statements.signed_baselines import SignedBaselineReader

SERVER_NAME = "decisions"
METRIC_NAMES = MetricNames(
    "answerable_pdp",
    ("evaluations", "Evaluations.", ("effect", "passes")),
    "Number of refused requests.",
    "Number of denials because the decision could not be recorded.",
)


class PdpApp(App[PdpSettings]):
    """The application of one process.

    Attributes:
        core: Policy, revocations, pins and signed statements in force.
    """

    def __init__(self, plan: PdpSettings, log: OperatorLog) -> None:
        super().__init__(plan, log)
        loop, config = self._loop, plan.config
        secret = load_shared_secret(plan.state)
        self._recorder = EvaluationRecorder(plan.state / "spool", loop, config.limits)
        self._notices = LogNotices(log)
        self.core = core = EnforcementCore(
            EnforcementSettings(
                plan.compile_policy(), config, plan.store, plan.gateway_state
            ),
            self._recorder,
            self._notices,
            PinWatch,
            lambda _: BaselineGuard(config),
        )
        self._statements = core.watch_statements(
            (PolicyExceptionReader, SignedBaselineReader)
        )
        self._callers = core.build_authenticator(
            config, derive_key(secret, "subjects"), plan.inventory
        )
        self._enforcers = EnforcementPointAuthenticator(
            config, time.time, lambda named: core.build_authenticator(named, secret)
        )
        self._subjects = SubjectResolver(
            config, plan.inventory, self._callers, time.time
        )
        self._evaluating = EvaluationService(
            core.authorizer,
            self._subjects,
            self._recorder,
            ToolMappingResolver(
                core.pins.approved_mappings, self._log_unusable_mapping
            ),
            core.baselines,
            self._statements.notifier.notify_if_owner_could_allow,
        )
        self._searching = SearchService(self._evaluating, Paginator(secret), config)
        self._http_server = PdpHttpServer(
            self._enforcers, self._recorder, config.limits, self._log_failure
        )
        self.app = self._http_server.build_app(
            self._build_handlers(), self._build_pages()
        )
        self._connections = AsgiServer(self.app, self._admission, self._listeners, loop)
        self._url = plan.point.url or "http://localhost"
        self._large_bodies = LargeBodyParser(
            lambda kind: log.warning("body-parser.failed", kind=kind)
        )

    async def start(self) -> None:
        """Open the listeners, and start the background tasks.

        Raises:
            AnswerableError: A resource is missing or unusable.
        """
        await self._statements.watch.refresh()
        self._tasks.spawn(self._statements.watch.poll_forever())
        for listener in self.plan.point.listen:
            await self._connections.listen(SERVER_NAME, bind_listener(listener, 1))
        for listener in self.plan.point.ext_authz:
            await self._open_envoy_listener(listener)
        self._default_url()
        for keep_fresh in (
            self._callers.renew_keys_forever,
            self._enforcers.renew_keys,
        ):
            self._tasks.spawn(keep_fresh(self._notices.on_stale_issuer_keys))

    @property
    def is_busy(self) -> bool:
        """Return whether a request is being answered."""
        return bool(self._http_server.in_flight)

    async def reload(self, plan: PdpSettings) -> None:
        """Apply another configuration without a restart.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        # A large file takes a second, in which evaluations go on.
        table = await asyncio.to_thread(plan.compile_policy)
        listeners = (*plan.point.listen, *plan.point.ext_authz)
        use_certificates = self._listeners.prepare_certificates(listeners)
        self.core.pins.reconfigure(plan.config.servers)  # the last that may be refused
        use_certificates()
        self._enforcers.reconfigure(plan.config)
        self._subjects.reconfigure(plan.config, plan.inventory)
        self._searching.config = plan.config
        self._http_server.limits = self._admission.limits = plan.config.limits
        self.core.reconfigure(plan.config, table)
        self.plan = plan

    def drain(self) -> None:
        """Accept no more connections; requests in progress finish."""
        super().drain()
        self._connections.drain()

    async def close(self) -> None:
        """Close connections and flush records."""
        self._connections.cancel()
        await super().close()
        await self.core.close()
        await self._large_bodies.close()
        self._recorder.close()

    def not_ready_reasons(self) -> list[str]:
        """Return why `/readyz` is not ready; empty if it is."""
        alarm = self._recorder.disk_error
        return [
            *(
                []
                if self.core.authorizer.policy_digest
                else ["no policy could be loaded"]
            ),
            *([f"decisions cannot be recorded: {alarm}"] if alarm else []),
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
            **{
                path: build_page_endpoint(build)
                for path, build in self.health_pages().items()
            },
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
            raise ProblemResponse(404, "no-route", "not found")
        kept = {"cache-control": f"max-age={pdp_metadata.MAX_AGE}"}
        return Response(document, 200, kept, JSON_TYPE)

    def render_metrics(self) -> bytes:
        """Render the metrics in the text format of Prometheus."""
        gauges = {
            "connections": (
                "Open connections.",
                float(len(self._connections)),
            ),
            "memory_bytes": ("Resident memory.", float(resident_bytes())),
            "in_flight": (
                "Requests in progress.",
                float(sum(self._http_server.in_flight.values())),
            ),
            "config_last_reload_successful": (
                "Whether the configuration in force is the one on disk.",
                float(not self.reload_refused),
            ),
            "ship_last_successful": (
                "Whether the last attempt to store evidence succeeded.",
                float(not self.ship_refused),
            ),
        }
        return render_metrics(METRIC_NAMES, self._recorder, gauges, self._admission)

    # Background tasks.

    async def _open_envoy_listener(self, listener: Listener) -> None:
        """Start a gRPC listener for Envoy's external authorization."""
        with require_ext_authz_packages():
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
            self._large_bodies,
            listener.origins,
        )
        service = ExtAuthzService(
            self._enforcers,
            checking,
            self._recorder,
            bound.url,
            self._http_server,
            self._log_failure,
        )
        connection = build_grpc_server(
            service, self._admission, self._loop
        ).build_connection
        await self._listeners.open_listener("ext_authz", bound, connection, "h2")

    def _default_url(self) -> None:
        """Use the first listener as URL if none is configured."""
        addresses = [url for what, url in self._listeners.urls if what == SERVER_NAME]
        if addresses and not self.plan.point.url:
            self._url = addresses[0]

    def _log_unusable_mapping(self, server: str, tool: str, reason: str) -> None:
        """Log an approved mapping that cannot be used."""
        subject = escape_name(f"tool:mcp/{server}/{tool}")
        self._log.warning("mapping.refused", subject=subject, why=reason)
