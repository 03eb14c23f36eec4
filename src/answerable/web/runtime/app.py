"""The web application: assembled from a configuration, reloadable."""

import asyncio
import secrets
import time

from answerable.server.admission import AdmissionControl
from answerable.server.asgi import AsgiServer
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import BoundListener, bind_listener
from answerable.server.open_files import raise_open_files
from answerable.server.operator_log import OperatorLog
from answerable.server.runtime import SIGN_IN_LINK, Endpoints
from answerable.web.auth.local_token import LocalToken
from answerable.web.auth.sessions import SessionStore, WebSession
from answerable.web.auth.visitors import VisitorFactory
from answerable.web.cache_warmup import warm_up
from answerable.web.http.authentication import SessionAuthenticator
from answerable.web.http.dispatcher import WebDispatcher
from answerable.web.http.provider_sign_in import ProviderSignIn
from answerable.web.http.public_pages import public_endpoints
from answerable.web.http.sign_in import LOCAL_METHOD, SignInPages
from answerable.web.route_table import ROUTES, STREAMS
from answerable.web.runtime.settings import WebSettings
from answerable.web.runtime.sign_in_recorder import SignInRecorder
from answerable.web.runtime.sign_in_setup import (
    build_login_effects,
    build_login_settings,
    build_token_verifier,
    is_local_listener,
    local_person,
)
from answerable.web.store_cache import StoreCache

SERVER_NAME = "web"


class WebApp:
    """The application of one process.

    Attributes:
        listening: Listeners: pairs (what, where).
        reload_refused: Why the last reload failed, empty if it did not.
        ship_refused: Why the last shipping of evidence failed, likewise.
        reads_on: Whether a thread still reads after the close.
    """

    def __init__(self, plan: WebSettings, log: OperatorLog) -> None:
        self.reload_refused = self.ship_refused = ""
        self.reads_on = False
        self._plan, self._log = plan, log
        self._loop = loop = asyncio.get_running_loop()
        self._desk = StoreCache(
            plan.store, plan.config if plan.named else None, plan.spools
        )
        self._signed = SessionAuthenticator(
            SessionStore(time.time), VisitorFactory(self._desk)
        )
        self._near: list[str] = []  # addresses of listeners for this machine alone
        near = any(map(is_local_listener, plan.listen))
        self._token = LocalToken(time.time) if near else None
        self._signing_in = SignInPages(
            self._signed,
            self._token,
            local_person(plan),
            self._on_sign_in_try,
            self._on_sign_in,
            self._on_sign_out,
        )
        self._recorder = SignInRecorder(
            plan.state / "spool", loop, plan.config.limits, self._log_unrecorded
        )
        self._by_provider = ProviderSignIn(
            self._signing_in, None, None, time.time, self._on_sign_in_try
        )
        self.door = WebDispatcher(
            self._desk,
            self._signed,
            ROUTES,
            STREAMS,
            {
                **public_endpoints(self._readiness, self._render_metrics),
                **self._signing_in.endpoints(),
                **self._by_provider.endpoints(),
            },
            self._log_failure,
        )
        raise_open_files(plan.config.limits, log)
        self._admission = admission = AdmissionControl(
            plan.config.limits, plan.config.listen.proxies, log
        )
        self._listeners = listeners = Listeners(loop, admission)
        self._connections = AsgiServer(self.door.app, admission, listeners, loop)
        self.listening = self._listeners.where

    @classmethod
    async def open(cls, plan: WebSettings, log: OperatorLog) -> "WebApp":
        """Assemble the application and open its listeners.

        Raises:
            AnswerableError: A resource is missing or unusable.
        """
        house = cls(plan, log)
        for listener in plan.listen:
            await house._listen(bind_listener(listener, 1))
        house._configure_sign_in(plan)
        house._desk.start_loading(warm_up)
        return house

    @property
    def is_busy(self) -> bool:
        """Tell whether a request is being answered."""
        return bool(self.door.pool.busy or self._connections.is_busy)

    async def reload(self, plan: WebSettings) -> None:
        """Apply another configuration; sessions by a provider end.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        use_certificates = self._listeners.prepare(plan.listen)
        person = self._signing_in.person
        self._configure_sign_in(plan)  # the last that may be refused
        use_certificates()
        self._desk.config = plan.config if plan.named else None
        self._desk.spools = plan.spools
        # The link keeps its person, because no second link can be issued.
        same = self._signing_in.person == person
        self._signed.sessions.end_all(but=LOCAL_METHOD if same else "")
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

    def _configure_sign_in(self, plan: WebSettings) -> None:
        """Configure sign-in and tokens.

        Raises:
            AnswerableError: They cannot be used.
        """
        urls = self._listeners.urls
        place = build_login_settings(plan, urls[0][1] if urls else "")
        ways, bearers = build_login_effects(plan), build_token_verifier(plan)
        self._by_provider.reconfigure(ways, place)
        self._signed.bearers = bearers
        self._signing_in.person = local_person(plan)

    # Endpoints.

    def _readiness(self) -> dict[str, object]:
        ready = self._desk.is_ready
        return {
            "ready": ready,
            "reasons": [] if ready else ["the store is being read"],
            # Anybody may read it, so why stands in the log.
            "reload_refused": bool(self.reload_refused),
        }

    def _render_metrics(self) -> bytes:
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
        return self.door.counted.render_metrics(gauges)

    # Background tasks.

    async def _listen(self, bound: BoundListener) -> None:
        if is_local_listener(bound.listener):
            self._near.append(bound.url)
        await self._connections.listen(SERVER_NAME, bound)

    def sign_in_links(self) -> Endpoints:
        """Return the one-time sign-in link, once."""
        if self._token is None:
            return []
        return [(SIGN_IN_LINK, f"{self._near[0]}/sign-in#{self._token.pop_text()}")]

    def _on_sign_in_try(self, by: str, why: str) -> None:
        counted = self.door.counted
        if why:
            counted.not_signed_in[why] += 1
            self._log.warning("sign-in.refused", by=by, why=why)
            self._recorder.record_refused(by, why)
        else:
            counted.signed_in[by] += 1

    def _on_sign_in(self, session: WebSession) -> None:
        """Log and record a sign-in with person, roles and issuer."""
        roles = sorted(role.value for role in session.roles)
        self._log.info(
            "sign-in.taken", by=session.by, person=session.person or "", roles=roles
        )
        self._recorder.record_sign_in(session)

    def _on_sign_out(self, session: WebSession) -> None:
        self._log.info("sign-out", by=session.by, person=session.person or "")
        self._recorder.record_sign_out(session)

    def _log_unrecorded(self, why: str) -> None:
        """Log that a sign-in or sign-out could not be recorded."""
        self._log.error("sign-in.not-recorded", why=why)

    def _log_failure(self, error: Exception) -> str:
        number = secrets.token_hex(6)
        self._log.error("request.failed", number=number)
        self._log.log_loop_error(self._loop, {"exception": error})
        return number
