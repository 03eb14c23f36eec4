"""The decision point application: assembled from a configuration, reloadable."""

import asyncio
import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from answerable.authorization.revocations import Kills, killed_keys
from answerable.model.config import Listener
from answerable.pdp.enforcement_points import Enforcers
from answerable.pdp.envoy.optional_imports import extra
from answerable.pdp.evaluation import Evaluating
from answerable.pdp.http.server import JSON, Door, Handler, Page
from answerable.pdp.mapped_calls import Mapped
from answerable.pdp.page_tokens import Paging
from answerable.pdp.recording.evaluation_recorder import Recorder
from answerable.pdp.runtime.policy_state import Standing
from answerable.pdp.runtime.settings import Plan
from answerable.pdp.search import Searching
from answerable.pdp.subject_resolution import Subjects
from answerable.pdp.wire import openapi, pdp_metadata
from answerable.pdp.wire.problems import Problem
from answerable.server.admission import AdmissionControl
from answerable.server.asgi import Connections
from answerable.server.authentication.authenticator import Callers
from answerable.server.authentication.challenge import WELL_KNOWN
from answerable.server.background_tasks import Tasks
from answerable.server.connection_info import Link
from answerable.server.issuers.key_cache import IssuerKeys
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import bind
from answerable.server.metrics import Names, rendered
from answerable.server.open_files import raise_open_files
from answerable.server.operator_log import Log
from answerable.server.resident_memory import resident_bytes
from answerable.server.shared_secret import derived, shared_secret
from answerable.usecases.authorization.authorize import Authority

NAME = "decisions"
NUMBERS = Names(
    "answerable_pdp",
    ("evaluations", "Evaluations.", ("effect", "passes")),
    "Requests turned away.",
    "Denials for want of a record.",
)
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class House:
    """The application of one process.

    Attributes:
        listening: Listeners: pairs (what, where).
        standing: Revocations, pins and signed statements in force.
        reload_refused: Why the last reload failed, empty if it did not.
        ship_refused: Why the last shipping of evidence failed, likewise.
    """

    def __init__(self, plan: Plan, log: Log) -> None:
        self.reload_refused = self.ship_refused = ""
        self._plan, self._log = plan, log
        self._loop = loop = asyncio.get_running_loop()
        config = plan.config
        secret = shared_secret(plan.state)
        self._authority = Authority(plan.table())
        self._recorder = Recorder(plan.state / "spool", loop, config.limits)
        self.standing = Standing(plan, self._authority, self._recorder, log)
        self._callers = Callers(
            config,
            IssuerKeys(config.issuers),
            time.time,
            secret=derived(secret, "subjects"),
            inventory=plan.inventory,
        )
        self._enforcers = Enforcers(config, time.time, secret)
        self._subjects = Subjects(config, plan.inventory, self._callers, time.time)
        self._authority.on_kill(self._refuse_keys)
        self._refuse_keys(self._authority.kills)
        self._evaluating = Evaluating(
            self._authority,
            self._subjects,
            self._recorder,
            Mapped(self.standing.pins.mappings, self.standing.unmapped),
            self.standing.behaviour,
            self.standing.teller.decided,
        )
        self._searching = Searching(self._evaluating, Paging(secret), config)
        self._door = Door(self._enforcers, self._recorder, config.limits, self._failed)
        self.app = self._door.app(self._handlers(), self._pages())
        raise_open_files(config.limits, log)
        self._admission = admission = AdmissionControl(
            config.limits, config.listen.proxies, log
        )
        self._listeners = listeners = Listeners(loop, admission)
        self._connections = Connections(self.app, admission, listeners, loop)
        self.listening = self._listeners.where
        self._tasks = Tasks()
        self._url = plan.point.url or "http://localhost"

    @classmethod
    async def open(cls, plan: Plan, log: Log) -> "House":
        """Assemble the application and open its listeners.

        Raises:
            AnswerableError: A resource is missing or unusable.
        """
        house = cls(plan, log)
        await house.standing.refresh()
        house._tasks.spawn(house.standing.keep_fresh())
        for listener in plan.point.listen:
            await house._connections.listen(NAME, bind(listener, 1))
        for listener in plan.point.ext_authz:
            await house._listen_to_envoy(listener)
        house._name_itself()
        for keep_fresh in (house._callers.keep_fresh, house._enforcers.keep_fresh):
            house._tasks.spawn(keep_fresh(house._keyless))
        return house

    @property
    def is_busy(self) -> bool:
        """Tell whether a request is being answered."""
        return bool(self._door.in_flight)

    async def swap(self, plan: Plan) -> None:
        """Apply another configuration.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        # A large file takes a second, in which evaluations go on.
        table = await asyncio.to_thread(plan.table)
        listeners = (*plan.point.listen, *plan.point.ext_authz)
        use_certificates = self._listeners.prepare(listeners)
        self.standing.swap(plan.config)  # the last that may be refused
        use_certificates()
        self._enforcers.swap(plan.config)
        self._subjects.swap(plan.config, plan.inventory)
        self._searching.config = plan.config
        self._door.limits = self._admission.limits = plan.config.limits
        self._authority.swap(table)
        self._refuse_keys(self._authority.kills)
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

    def reasons(self) -> list[str]:
        """Return why it is not ready; empty if it is."""
        alarm = self._recorder.alarm
        return [
            *([] if self._authority.policy else ["no policy could be loaded"]),
            *([f"it cannot record: {alarm}"] if alarm else []),
        ]

    # Endpoints.

    def _handlers(self) -> dict[str, Handler]:
        return {
            pdp_metadata.EVALUATION: self._evaluating.one,
            pdp_metadata.EVALUATIONS: self._evaluating.several,
            pdp_metadata.SUBJECTS: self._searching.subjects,
            pdp_metadata.RESOURCES: self._searching.resources,
            pdp_metadata.ACTIONS: self._searching.actions,
        }

    def _pages(self) -> dict[str, Page]:
        return {
            pdp_metadata.PATH: self._about,
            openapi.PATH: self._described,
            WELL_KNOWN + pdp_metadata.BASE + "{rest:path}": self._resource,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._numbers,
        }

    async def _about(self, _: Request) -> Response:
        kept = {"cache-control": f"max-age={pdp_metadata.KEPT}"}
        return Response(pdp_metadata.metadata(self._url), 200, kept, JSON)

    async def _described(self, _: Request) -> Response:
        kept = {"cache-control": f"max-age={pdp_metadata.KEPT}"}
        return Response(openapi.openapi(self._url), 200, kept, JSON)

    async def _resource(self, request: Request) -> Response:
        """Return the protected resource metadata (RFC 9728 3.1)."""
        target = request.url.path.removeprefix(WELL_KNOWN)
        link: Link = request.scope["state"]["link"]
        document = self._enforcers.metadata(target, link)
        if not document:
            raise Problem(404, "no-route", "nothing is served here")
        kept = {"cache-control": f"max-age={pdp_metadata.KEPT}"}
        return Response(document, 200, kept, JSON)

    async def _healthz(self, _: Request) -> Response:
        return Response(b"ok\n", media_type="text/plain")

    async def _readyz(self, _: Request) -> Response:
        reasons = self.reasons()
        said = {
            "ready": not reasons,
            "reasons": reasons,
            "reload_refused": self.reload_refused,
            "ship_refused": self.ship_refused,
        }
        return Response(
            msgspec.json.encode(said), 503 if reasons else 200, media_type=JSON
        )

    async def _numbers(self, _: Request) -> Response:
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
            rendered(NUMBERS, self._recorder, gauges, self._admission),
            headers={"content-type": TEXT},
        )

    # Background tasks.

    async def _listen_to_envoy(self, listener: Listener) -> None:
        with extra():
            from answerable.pdp.envoy.check_request import Checking
            from answerable.pdp.envoy.grpc_service import Authorization, grpc_server

        bound = bind(listener, 1)
        checking = Checking(
            self._evaluating,
            self._callers,
            self._recorder,
            time.time,
            listener.origins,
        )
        service = Authorization(
            self._enforcers,
            checking,
            self._recorder,
            bound.url,
            self._door,
            self._failed,
        )
        connection = grpc_server(service, self._admission, self._loop).connection
        await self._listeners.open("ext_authz", bound, connection, "h2")

    def _name_itself(self) -> None:
        """Use the first listener as URL if none is configured."""
        addresses = [url for what, url in self._listeners.urls if what == NAME]
        if addresses and not self._plan.point.url:
            self._url = addresses[0]

    def _refuse_keys(self, _: Kills) -> None:
        kids = killed_keys(self._authority.kills)
        self._callers.refuse_keys(kids)
        self._enforcers.refuse_keys(kids)

    def _failed(self, error: Exception) -> None:
        self._log.of_loop(self._loop, {"exception": error})

    def _keyless(self, issuer: str, why: str) -> None:
        self._log.warning("issuer.keys-refused", issuer=issuer, why=why)
