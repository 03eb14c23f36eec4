"""The web application: assembled from a configuration, reloadable."""

import asyncio
import secrets
import time

from answerable.server.admission import AdmissionControl
from answerable.server.asgi import Connections
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import Bound, bind
from answerable.server.open_files import raise_open_files
from answerable.server.operator_log import Log
from answerable.server.runtime import LINK, Listening
from answerable.web.auth.local_token import LocalToken
from answerable.web.auth.sessions import Session, Sessions
from answerable.web.auth.visitors import Visitors
from answerable.web.cache_warmup import warm
from answerable.web.http.authentication import Signed
from answerable.web.http.dispatcher import Door
from answerable.web.http.provider_sign_in import ByProvider
from answerable.web.http.public_pages import public
from answerable.web.http.sign_in import LOCAL, SigningIn
from answerable.web.route_table import ROUTES, STREAMS
from answerable.web.runtime.settings import Plan
from answerable.web.runtime.sign_in_recorder import Recorder
from answerable.web.runtime.sign_in_setup import (
    bearers_of,
    is_near,
    person_of,
    place_of,
    ways_of,
)
from answerable.web.store_cache import Desk

NAME = "web"


class House:
    """The application of one process.

    Attributes:
        listening: Listeners: pairs (what, where).
        reload_refused: Why the last reload failed, empty if it did not.
        ship_refused: Why the last shipping of evidence failed, likewise.
        reads_on: Whether a thread still reads after the close.
    """

    def __init__(self, plan: Plan, log: Log) -> None:
        self.reload_refused = self.ship_refused = ""
        self.reads_on = False
        self._plan, self._log = plan, log
        self._loop = loop = asyncio.get_running_loop()
        self._desk = Desk(plan.store, plan.config if plan.named else None, plan.spools)
        self._signed = Signed(Sessions(time.time), Visitors(self._desk))
        self._near: list[str] = []  # addresses of listeners for this machine alone
        near = any(map(is_near, plan.listen))
        self._token = LocalToken(time.time) if near else None
        self._signing_in = SigningIn(
            *(self._signed, self._token, person_of(plan)),
            *(self._tried, self._entered, self._left),
        )
        self._recorder = Recorder(
            plan.state / "spool", loop, plan.config.limits, self._missed
        )
        self._by_provider = ByProvider(
            self._signing_in, None, None, time.time, self._tried
        )
        self.door = Door(
            self._desk,
            self._signed,
            ROUTES,
            STREAMS,
            {
                **public(self._ready, self._numbers),
                **self._signing_in.endpoints(),
                **self._by_provider.endpoints(),
            },
            self._failed,
        )
        raise_open_files(plan.config.limits, log)
        self._admission = admission = AdmissionControl(
            plan.config.limits, plan.config.listen.proxies, log
        )
        self._listeners = listeners = Listeners(loop, admission)
        self._connections = Connections(self.door.app, admission, listeners, loop)
        self.listening = self._listeners.where

    @classmethod
    async def open(cls, plan: Plan, log: Log) -> "House":
        """Assemble the application and open its listeners.

        Raises:
            AnswerableError: A resource is missing or unusable.
        """
        house = cls(plan, log)
        for listener in plan.listen:
            await house._listen(bind(listener, 1))
        house._admit(plan)
        house._desk.begin(warm)
        return house

    @property
    def is_busy(self) -> bool:
        """Tell whether a request is being answered."""
        return bool(self.door.pool.busy or self._connections.is_busy)

    async def swap(self, plan: Plan) -> None:
        """Apply another configuration; sessions by a provider end.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        use_certificates = self._listeners.prepare(plan.listen)
        person = self._signing_in.person
        self._admit(plan)  # the last that may be refused
        use_certificates()
        self._desk.config = plan.config if plan.named else None
        self._desk.spools = plan.spools
        # The link keeps its person, because no second link can be issued.
        same = self._signing_in.person == person
        self._signed.sessions.end_all(but=LOCAL if same else "")
        self._plan = plan

    def drain(self) -> None:
        """Accept no more connections, end streams; requests in progress finish."""
        self._listeners.close()
        self.door.open.close()
        self._connections.drain()

    async def close(self) -> None:
        """Close connections and flush records."""
        self._connections.cancel()
        self.door.pool.close()
        self._recorder.close()
        self.reads_on = self.door.pool.busy > 0 or not self._desk.close()

    def _admit(self, plan: Plan) -> None:
        """Configure sign-in and tokens.

        Raises:
            AnswerableError: They cannot be used.
        """
        urls = self._listeners.urls
        place = place_of(plan, urls[0][1] if urls else "")
        ways, bearers = ways_of(plan), bearers_of(plan)
        self._by_provider.swap(ways, place)
        self._signed.bearers = bearers
        self._signing_in.person = person_of(plan)

    # Endpoints.

    def _ready(self) -> dict[str, object]:
        ready = self._desk.is_ready
        return {
            "ready": ready,
            "reasons": [] if ready else ["the store is being read"],
            # Anybody may read it, so why stands in the log.
            "reload_refused": bool(self.reload_refused),
        }

    def _numbers(self) -> bytes:
        gauges = {
            "connections": (
                "Connections that are open.",
                float(len(self._connections)),
            ),
            "in_flight": ("Answers under way.", float(self.door.pool.busy)),
            "streams": ("Streams that are open.", float(len(self.door.open))),
            "sessions": ("Sessions that are open.", float(len(self._signed.sessions))),
            "config_last_reload_successful": (
                "The file in force is the one on disk.",
                float(not self.reload_refused),
            ),
        }
        return self.door.counted.rendered(gauges)

    # Background tasks.

    async def _listen(self, bound: Bound) -> None:
        if is_near(bound.listener):
            self._near.append(bound.url)
        await self._connections.listen(NAME, bound)

    def links(self) -> Listening:
        """Return the one-time sign-in link, once."""
        if self._token is None:
            return []
        return [(LINK, f"{self._near[0]}/sign-in#{self._token.tell()}")]

    def _tried(self, by: str, why: str) -> None:
        counted = self.door.counted
        if why:
            counted.not_signed_in[why] += 1
            self._log.warning("sign-in.refused", by=by, why=why)
            self._recorder.refused(by, why)
        else:
            counted.signed_in[by] += 1

    def _entered(self, session: Session) -> None:
        """Log and record a sign-in with person, roles and issuer."""
        roles = sorted(role.value for role in session.roles)
        self._log.info(
            "sign-in.taken", by=session.by, person=session.person or "", roles=roles
        )
        self._recorder.entered(session)

    def _left(self, session: Session) -> None:
        self._log.info("sign-out", by=session.by, person=session.person or "")
        self._recorder.left(session)

    def _missed(self, why: str) -> None:
        """Log that a sign-in or sign-out could not be recorded."""
        self._log.error("sign-in.not-recorded", why=why)

    def _failed(self, error: Exception) -> str:
        number = secrets.token_hex(6)
        self._log.error("request.failed", number=number)
        self._log.of_loop(self._loop, {"exception": error})
        return number
