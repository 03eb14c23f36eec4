"""Sign-in at an OpenID provider: redirect to the provider, and the callback."""

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
from answerable.web.http.errors import not_found
from answerable.web.http.incoming_request import Endpoint, IncomingRequest
from answerable.web.http.request_parsing import local_path, parse_fields
from answerable.web.http.sign_in import SignInPages
from answerable.web.http.worker_pool import WorkerPool

START, CALLBACK = "/sign-in/start", "/sign-in/callback"
METADATA_MAX_AGE = 300  # seconds that a provider's word on itself is kept
MAX_CALLBACK = 6 << 10  # bytes
MAX_PER_NETWORK = 12  # sign-ins of one address that wait for the provider, of 20 in all


class ProviderSignIn:
    """Sign-in by an OpenID provider.

    Args:
        ways: Effects for the use case.
        place: Provider settings, None without a provider.
        clock: Seconds since the epoch.
        told: Called with issuer and reason of each try; the reason is empty on success.
    """

    def __init__(
        self,
        signing_in: SignInPages,
        ways: WebSignInEnvironment | None,
        place: WebSignInConfig | None,
        clock: Callable[[], float],
        told: Callable[[str, str], None],
    ) -> None:
        self._signing_in, self._clock, self._told = signing_in, clock, told
        self._pending = PendingSignInCookieCodec(clock)
        # A provider that does not answer holds up sign-ins and nothing else.
        self._asking = WorkerPool(threads=4, waiting=16)
        self._under_way: Counter[str] = Counter()
        self.reconfigure(ways, place)

    def reconfigure(
        self, ways: WebSignInEnvironment | None, place: WebSignInConfig | None
    ) -> None:
        """Apply another provider."""
        self._ways, self._place = ways, place
        self._known: tuple[ProviderMetadata, float] | None = None
        self._pending.rotate_key()
        self._signing_in.issuer = place.pinned.pin.name if place else ""

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return the endpoints by path and method."""
        return {
            (START, "GET"): self.handle_start,
            (CALLBACK, "GET"): self.handle_callback,
        }

    async def handle_start(self, come: IncomingRequest) -> Response:
        """Redirect the browser to the provider."""
        fields = parse_fields(come.query, ("next", "fresh"))
        onward = local_path(fields.get("next", "/"))
        ways, place = self._require_provider()
        try:
            with self._limit_network(come.link.network):
                provider = await self._load_provider(ways, place)
        except AnswerableError as error:
            return self._reject("provider", error, onward)
        begun = begin_sign_in(ways, place, provider, require_login="fresh" in fields)
        cookie = self._pending.seal(begun, onward)
        said = format_set_cookie(
            pending_cookie_name(session_cookie_name(come)),
            cookie,
            lives=PENDING_LIFETIME,
        )
        to = {"location": begun.url, "set-cookie": said, "cache-control": "no-store"}
        return Response(b"", 303, to)

    async def handle_callback(self, come: IncomingRequest) -> Response:
        """Verify the callback and create a session."""
        ways, place = self._require_provider()
        name = pending_cookie_name(session_cookie_name(come))
        cookie = read_cookie(come.request.headers.getlist("cookie"), name)
        pending = self._pending.redeem(cookie)
        if pending is None:
            says = "this browser began no sign-in here, or it took too long"
            return self._reject("no-sign-in", LoginFailed(says), "/")
        if len(come.query) > MAX_CALLBACK or not come.query.isascii():
            return self._reject("answer", LoginFailed("this is no answer"), "/")
        query = come.query.decode("ascii")
        try:
            with self._limit_network(come.link.network):
                provider = await self._load_provider(ways, place)
                begun = PendingSignIn(
                    provider, pending.login_secrets, "", pending.max_age
                )
                work = partial(finish_sign_in, ways, place, begun, query)
                admitted = await self._asking.run(work)
        except LoginFailed as error:
            return self._reject("answer", error, pending.onward)
        except AnswerableError as error:
            return self._reject("provider", error, pending.onward)
        return self._create_session(come, place, admitted, pending.onward)

    def _create_session(
        self,
        come: IncomingRequest,
        place: WebSignInConfig,
        admitted: SignedInPerson,
        onward: str,
    ) -> Response:
        self._told(place.pinned.pin.name, "")
        response = self._signing_in.create_session(
            come,
            admitted.person,
            admitted.roles,
            f"{admitted.iss}#{admitted.sub}",
            local_path(onward),
            proved=admitted.proved,
        )
        gone = format_set_cookie(
            pending_cookie_name(session_cookie_name(come)), "", lives=0
        )
        response.headers.append("set-cookie", gone)
        return response

    @contextmanager
    def _limit_network(self, network: str) -> Iterator[None]:
        """Limit concurrent sign-ins of one network.

        Raises:
            EnvironmentFailure: The limit is reached.
        """
        if self._under_way[network] >= MAX_PER_NETWORK:
            raise EnvironmentFailure("too many sign-ins from one address at once")
        self._under_way[network] += 1
        try:
            yield
        finally:
            self._under_way[network] -= 1
            if not self._under_way[network]:
                del self._under_way[network]

    def _require_provider(self) -> tuple[WebSignInEnvironment, WebSignInConfig]:
        if self._ways is None or self._place is None:
            raise not_found()
        return self._ways, self._place

    async def _load_provider(
        self, ways: WebSignInEnvironment, place: WebSignInConfig
    ) -> ProviderMetadata:
        if self._known is None or self._clock() >= self._known[1]:
            provider = await self._asking.run(
                partial(load_provider, ways, place.pinned.pin.iss)
            )
            self._known = (provider, self._clock() + METADATA_MAX_AGE)
        return self._known[0]

    def _reject(self, why: str, error: AnswerableError, onward: str) -> Response:
        place = self._place
        self._told(place.pinned.pin.name if place else "", why)
        return self._signing_in.render_page(onward, error.message, 403)
