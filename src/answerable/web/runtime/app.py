"""Assemble the web application from settings; reload and drain it."""

import secrets
import sys
import time
from collections.abc import Mapping

from answerable.server.asgi import AsgiServer
from answerable.server.listening_sockets import BoundListener, bind_listener
from answerable.server.operator_log import OperatorLog
from answerable.server.runtime import SIGN_IN_LINK, SIGN_IN_LINK_FILE
from answerable.server.server_process import App
from answerable.services.python_gc_pause import keep_requests_running
from answerable.store.durable_files import write_file
from answerable.web.auth.local_token import LocalToken
from answerable.web.auth.sessions import LOCAL_METHODS, SessionStore, WebSession
from answerable.web.auth.visitor_factory import VisitorFactory
from answerable.web.cache_warmup import warm_up
from answerable.web.http.authentication import SessionAuthenticator
from answerable.web.http.dispatcher import WebDispatcher
from answerable.web.http.key_sign_in import KeySignIn
from answerable.web.http.provider_sign_in import ProviderSignIn
from answerable.web.http.public_endpoints import public_endpoints
from answerable.web.http.sign_in import SignInPages
from answerable.web.route_table import ROUTES, STREAMS
from answerable.web.runtime.settings import WebSettings
from answerable.web.runtime.sign_in_recorder import SignInRecorder
from answerable.web.runtime.sign_in_setup import (
    build_login_settings,
    build_provider_environment,
    build_token_verifier,
    configured_local_person,
    is_local_listener,
    is_output_logged,
)
from answerable.web.store_cache import StoreCache

SERVER_NAME = "web"
# A request takes the interpreter from a background thread this soon; each of its reads
# gives it up and has to get it back.
SWITCH_INTERVAL = 0.001
LINK_FILE = "sign-in-link"  # in the state folder, readable only by its user


class WebApp(App[WebSettings]):
    """The application of one process."""

    def __init__(self, settings: WebSettings, log: OperatorLog) -> None:
        super().__init__(settings, log)
        sys.setswitchinterval(SWITCH_INTERVAL)
        keep_requests_running()
        loop = self._loop
        self._cache = StoreCache(
            settings.store,
            settings.config if settings.has_file else None,
            settings.spools,
        )
        self._authenticator = SessionAuthenticator(
            SessionStore(time.time), VisitorFactory(self._cache)
        )
        self._local_urls: list[str] = []  # URLs of listeners on loopback
        has_local = any(map(is_local_listener, settings.listen))
        self._token = LocalToken(time.time) if has_local else None
        self._sign_in_pages = SignInPages(
            self._authenticator,
            self._token,
            configured_local_person(settings),
            self._on_sign_in_attempt,
            self._on_sign_in,
            self._on_sign_out,
        )
        self._recorder = SignInRecorder(
            settings.state / "spool", loop, settings.config.limits, self._log_unrecorded
        )
        self._provider_sign_in = ProviderSignIn(
            self._sign_in_pages, None, None, time.time, self._on_sign_in_attempt
        )
        key_sign_in = KeySignIn(
            self._sign_in_pages, self._cache, time.time, self._on_sign_in_attempt
        )
        self.http_server = WebDispatcher(
            self._cache,
            self._authenticator,
            ROUTES,
            STREAMS,
            {
                **public_endpoints(self.health_pages()),
                **self._sign_in_pages.endpoints(),
                **self._provider_sign_in.endpoints(),
                **key_sign_in.endpoints(),
            },
            self._log_failed_request,
        )
        self._connections = AsgiServer(
            self.http_server.app, self._admission, self._listeners, loop
        )

    async def start(self) -> None:
        """Open the listeners, and start to load the store.

        Raises:
            AnswerableError: A resource is missing or unusable.
        """
        for listener in self.plan.listen:
            await self._serve_listener(bind_listener(listener, 1))
        self._configure_sign_in(self.plan)
        self._cache.start_loading(warm_up)
        if self._token is not None:
            link = f"{self._local_urls[0]}/sign-in#{self._token.take_text_once()}"
            self.listening = [*self.listening, self._deliver_link(link)]

    def _deliver_link(self, link: str) -> tuple[str, str]:
        """Return the line that gives the link, or the file with it, to the operator."""
        if not is_output_logged():
            return SIGN_IN_LINK, link
        path = self.plan.state / LINK_FILE
        write_file(path, link.encode() + b"\n", private=True)
        return SIGN_IN_LINK_FILE, str(path)

    @property
    def is_busy(self) -> bool:
        """Return whether a request is in progress."""
        return bool(self.http_server.pool.busy or self._connections.is_busy)

    async def reload(self, settings: WebSettings) -> None:
        """Apply a changed configuration; sessions of the provider end.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        use_certificates = self._listeners.prepare_certificates(settings.listen)
        person = self._sign_in_pages.person
        self._configure_sign_in(settings)  # last step that can fail
        use_certificates()
        self._cache.config = settings.config if settings.has_file else None
        self._cache.spools = settings.spools
        # The link keeps its person, because no second link can be issued.
        same = self._sign_in_pages.person == person
        self._authenticator.sessions.end_all(except_by=LOCAL_METHODS if same else ())
        self.plan = settings

    def drain(self) -> None:
        """Stop accepting connections and end streams; requests in progress finish."""
        super().drain()
        self.http_server.open.close()
        self._connections.drain()

    async def close(self) -> None:
        """Close all connections and flush the records of sign-ins."""
        self._connections.cancel()
        self.http_server.pool.close()
        self._recorder.close()
        self.has_stuck_thread = (
            self.http_server.pool.busy > 0 or not self._cache.close()
        )

    def _configure_sign_in(self, settings: WebSettings) -> None:
        """Configure provider sign-in, bearer tokens and the local person.

        Raises:
            AnswerableError: They cannot be used.
        """
        urls = self._listeners.urls
        config = build_login_settings(settings, urls[0][1] if urls else "")
        environment, verifier = (
            build_provider_environment(settings),
            build_token_verifier(settings),
        )
        self._provider_sign_in.reconfigure(environment, config)
        self._authenticator.bearers = verifier
        self._sign_in_pages.person = configured_local_person(settings)

    # Endpoints.

    def not_ready_reasons(self) -> list[str]:
        """Return the reason while the store is read for the first time."""
        return [] if self._cache.is_ready else ["the store is being loaded"]

    def readiness_details(self) -> Mapping[str, object]:
        """Return whether a reload failed; the reason is only in the log."""
        return {"reload_refused": bool(self.reload_refused)}

    def render_metrics(self) -> bytes:
        """Render request metrics and gauges for Prometheus."""
        gauges = {
            "connections": (
                "Open connections.",
                float(len(self._connections)),
            ),
            "in_flight": ("Answers under way.", float(self.http_server.pool.busy)),
            "streams": ("Open streams.", float(len(self.http_server.open))),
            "sessions": (
                "Open sessions.",
                float(len(self._authenticator.sessions)),
            ),
            "config_last_reload_successful": (
                "Whether the configuration in force is the one on disk.",
                float(not self.reload_refused),
            ),
        }
        return self.http_server.counted.render_metrics(gauges)

    # Background tasks.

    async def _serve_listener(self, bound: BoundListener) -> None:
        """Serve the web pages at a bound listener."""
        if is_local_listener(bound.listener):
            self._local_urls.append(bound.url)
        await self._connections.listen(SERVER_NAME, bound)

    def _on_sign_in_attempt(self, method: str, reason: str) -> None:
        """Count a sign-in attempt; log and record a refused one."""
        counted = self.http_server.counted
        if reason:
            counted.not_signed_in[reason] += 1
            self._log.warning("sign-in.refused", by=method, why=reason)
            self._recorder.record_refused(method, reason)
        else:
            counted.signed_in[method] += 1

    def _on_sign_in(self, session: WebSession) -> None:
        """Log and record a sign-in with person, roles and issuer."""
        roles = sorted(role.value for role in session.roles)
        self._log.info(
            "sign-in.taken", by=session.by, person=session.person or "", roles=roles
        )
        self._recorder.record_sign_in(session)

    def _on_sign_out(self, session: WebSession) -> None:
        """Log and record a sign-out."""
        self._log.info("sign-out", by=session.by, person=session.person or "")
        self._recorder.record_sign_out(session)

    def _log_unrecorded(self, reason: str) -> None:
        """Log that a sign-in or sign-out could not be recorded."""
        self._log.error("sign-in.not-recorded", why=reason)

    def _log_failed_request(self, error: Exception) -> str:
        """Log an unexpected error and return the id shown to the client."""
        error_id = secrets.token_hex(6)
        self._log.error("request.failed", number=error_id)
        self._log_failure(error)
        return error_id
