"""Sign in at an OpenID provider: redirect to it and handle its callback."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from starlette.responses import Response

from answerable.federation.oidc_login.errors import LoginFailed
from answerable.federation.oidc_login.provider_metadata import ProviderMetadata
from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.usecases.federation.web_sign_in import (
    PendingSignIn,
    SignedInPerson,
    WebSignInConfig,
    WebSignInEnvironment,
    begin_sign_in,
    finish_sign_in,
    load_provider,
)
from answerable.web.auth.pending_sign_ins import (
    PENDING_LIFETIME,
    PendingSignInCookieCodec,
)
from answerable.web.http.authentication import session_cookie_name
from answerable.web.http.cookies import (
    format_set_cookie,
    pending_cookie_name,
    read_cookie,
)
from answerable.web.http.errors import build_not_found_error
from answerable.web.http.incoming_request import Endpoint, IncomingRequest
from answerable.web.http.request_parsing import parse_fields, sanitize_redirect_path
from answerable.web.http.sign_in import SignInPages
from answerable.web.http.worker_pool import WorkerPool

START, CALLBACK = "/sign-in/start", "/sign-in/callback"
METADATA_MAX_AGE = 300  # seconds that provider metadata is cached
MAX_CALLBACK = 6 << 10  # bytes
MAX_PER_NETWORK = 12  # concurrent sign-ins of one network, of 20 in all


class ProviderSignIn:
    """Sign-in by an OpenID provider.

    Args:
        environment: Effects for the use case.
        config: Provider settings, None without a provider.
        clock: Seconds since the epoch.
        report_attempt: Called with issuer and reason of each try; no reason on success.
    """

    def __init__(
        self,
        pages: SignInPages,
        environment: WebSignInEnvironment | None,
        config: WebSignInConfig | None,
        clock: Callable[[], float],
        report_attempt: Callable[[str, str], None],
    ) -> None:
        self._pages, self._clock, self._report_attempt = pages, clock, report_attempt
        self._pending = PendingSignInCookieCodec(clock)
        # A pool of its own: a slow provider delays only sign-ins.
        self._pool = WorkerPool(threads=4, max_waiting=16)
        self._concurrent: Counter[str] = Counter()
        self.reconfigure(environment, config)

    def reconfigure(
        self, environment: WebSignInEnvironment | None, config: WebSignInConfig | None
    ) -> None:
        """Apply another provider; pending sign-ins become invalid."""
        self._environment, self._config = environment, config
        self._metadata: tuple[ProviderMetadata, float] | None = None
        self._pending.rotate_key()
        self._pages.issuer = config.issuer.pin.name if config else ""

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return the public endpoints by path and method."""
        return {
            (START, "GET"): self.handle_start,
            (CALLBACK, "GET"): self.handle_callback,
        }

    async def handle_start(self, incoming: IncomingRequest) -> Response:
        """Redirect the browser to the authorization endpoint of the provider."""
        fields = parse_fields(incoming.query, ("next", "fresh"))
        next_path = sanitize_redirect_path(fields.get("next", "/"))
        environment, config = self._require_provider()
        try:
            with self._limit_concurrent_sign_ins(incoming.link.network):
                provider = await self._load_provider_metadata(environment, config)
        except AnswerableError as error:
            return self._report_failed_sign_in("provider", error, next_path)
        sign_in = begin_sign_in(
            environment, config, provider, require_login="fresh" in fields
        )
        cookie = self._pending.seal(sign_in, next_path)
        set_cookie = format_set_cookie(
            pending_cookie_name(session_cookie_name(incoming)),
            cookie,
            max_age=PENDING_LIFETIME,
        )
        headers = {
            "location": sign_in.url,
            "set-cookie": set_cookie,
            "cache-control": "no-store",
        }
        return Response(b"", 303, headers)

    async def handle_callback(self, incoming: IncomingRequest) -> Response:
        """Verify the authorization response and create a session."""
        environment, config = self._require_provider()
        name = pending_cookie_name(session_cookie_name(incoming))
        cookie = read_cookie(incoming.request.headers.getlist("cookie"), name)
        pending = self._pending.redeem(cookie)
        if pending is None:
            says = (
                "this browser did not start a sign-in here, or the sign-in took too "
                "long"
            )
            return self._report_failed_sign_in("no-sign-in", LoginFailed(says), "/")
        if len(incoming.query) > MAX_CALLBACK or not incoming.query.isascii():
            return self._report_failed_sign_in(
                "answer", LoginFailed("this is not a response of the provider"), "/"
            )
        query = incoming.query.decode("ascii")
        try:
            with self._limit_concurrent_sign_ins(incoming.link.network):
                provider = await self._load_provider_metadata(environment, config)
                sign_in = PendingSignIn(
                    provider, pending.login_secrets, "", pending.max_age
                )
                work = partial(finish_sign_in, environment, config, sign_in, query)
                admitted = await self._pool.run(work)
        except LoginFailed as error:
            return self._report_failed_sign_in("answer", error, pending.onward)
        except AnswerableError as error:
            return self._report_failed_sign_in("provider", error, pending.onward)
        return self._create_session(incoming, config, admitted, pending.onward)

    def _create_session(
        self,
        incoming: IncomingRequest,
        config: WebSignInConfig,
        admitted: SignedInPerson,
        next_path: str,
    ) -> Response:
        """Create the session of a signed-in person and delete the pending cookie."""
        self._report_attempt(config.issuer.pin.name, "")
        response = self._pages.create_session(
            incoming,
            admitted.person,
            admitted.roles,
            f"{admitted.iss}#{admitted.sub}",
            sanitize_redirect_path(next_path),
            authenticated_at=admitted.authenticated_at,
        )
        delete_cookie = format_set_cookie(
            pending_cookie_name(session_cookie_name(incoming)), "", max_age=0
        )
        response.headers.append("set-cookie", delete_cookie)
        return response

    @contextmanager
    def _limit_concurrent_sign_ins(self, network: str) -> Iterator[None]:
        """Limit concurrent sign-ins of one client network to 12.

        Raises:
            EnvironmentFailure: The limit is reached.
        """
        if self._concurrent[network] >= MAX_PER_NETWORK:
            raise EnvironmentFailure(
                "too many concurrent sign-ins from one address", "try again in a minute"
            )
        self._concurrent[network] += 1
        try:
            yield
        finally:
            self._concurrent[network] -= 1
            if not self._concurrent[network]:
                del self._concurrent[network]

    def _require_provider(self) -> tuple[WebSignInEnvironment, WebSignInConfig]:
        """Return environment and configuration; 404 without a provider."""
        if self._environment is None or self._config is None:
            raise build_not_found_error()
        return self._environment, self._config

    async def _load_provider_metadata(
        self, environment: WebSignInEnvironment, config: WebSignInConfig
    ) -> ProviderMetadata:
        """Return the provider metadata, cached for five minutes."""
        if self._metadata is None or self._clock() >= self._metadata[1]:
            provider = await self._pool.run(
                partial(load_provider, environment, config.issuer.pin.iss)
            )
            self._metadata = (provider, self._clock() + METADATA_MAX_AGE)
        return self._metadata[0]

    def _report_failed_sign_in(
        self, reason: str, error: AnswerableError, next_path: str
    ) -> Response:
        """Report a failed sign-in and show the sign-in page with the error."""
        config = self._config
        self._report_attempt(config.issuer.pin.name if config else "", reason)
        return self._pages.render_page(next_path, error.message, 403)
