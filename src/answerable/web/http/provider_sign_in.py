"""Sign-in at an OpenID provider: redirect to the provider, and the callback."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from starlette.responses import Response

from answerable.federation.oidc_login.errors import LoginRefused
from answerable.federation.oidc_login.provider_metadata import Provider
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.usecases.federation.web_sign_in import (
    Admitted,
    Begun,
    Place,
    Ways,
    begin,
    finish,
    provider_at,
)
from answerable.web.auth.pending_sign_ins import LIVES, PendingSignIns
from answerable.web.http.authentication import name_of
from answerable.web.http.cookies import pending_name, read_cookie, set_cookie
from answerable.web.http.errors import nothing_here
from answerable.web.http.incoming_request import Come, Endpoint
from answerable.web.http.request_parsing import own_path, read_fields
from answerable.web.http.sign_in import SigningIn
from answerable.web.http.worker_pool import Pool

START, CALLBACK = "/sign-in/start", "/sign-in/callback"
KEPT = 300  # seconds that a provider's word on itself is kept
LONGEST_ANSWER = 6 << 10  # bytes
MOST_OF_ONE = 12  # sign-ins of one address that wait for the provider, of 20 in all


class ByProvider:
    """Sign-in by an OpenID provider.

    Args:
        ways: Effects for the use case.
        place: Provider settings, None without a provider.
        clock: Seconds since the epoch.
        told: Called with issuer and reason of each try; the reason is empty on success.
    """

    def __init__(
        self,
        signing_in: SigningIn,
        ways: Ways | None,
        place: Place | None,
        clock: Callable[[], float],
        told: Callable[[str, str], None],
    ) -> None:
        self._signing_in, self._clock, self._told = signing_in, clock, told
        self._pending = PendingSignIns(clock)
        # A provider that does not answer holds up sign-ins and nothing else.
        self._asking = Pool(threads=4, waiting=16)
        self._under_way: Counter[str] = Counter()
        self.swap(ways, place)

    def swap(self, ways: Ways | None, place: Place | None) -> None:
        """Apply another provider."""
        self._ways, self._place = ways, place
        self._known: tuple[Provider, float] | None = None
        self._pending.clear()
        self._signing_in.issuer = place.pinned.pin.name if place else ""

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return the endpoints by path and method."""
        return {(START, "GET"): self.start, (CALLBACK, "GET"): self.answered}

    async def start(self, come: Come) -> Response:
        """Redirect the browser to the provider."""
        fields = read_fields(come.query, ("next", "fresh"))
        onward = own_path(fields.get("next", "/"))
        ways, place = self._there()
        try:
            with self._share_of(come.link.network):
                provider = await self._provider(ways, place)
        except AnswerableError as error:
            return self._refused("provider", error, onward)
        begun = begin(ways, place, provider, fresh="fresh" in fields)
        cookie = self._pending.begin(begun, onward)
        said = set_cookie(pending_name(name_of(come)), cookie, lives=LIVES)
        to = {"location": begun.url, "set-cookie": said, "cache-control": "no-store"}
        return Response(b"", 303, to)

    async def answered(self, come: Come) -> Response:
        """Verify the callback and create a session."""
        ways, place = self._there()
        name = pending_name(name_of(come))
        cookie = read_cookie(come.request.headers.getlist("cookie"), name)
        pending = self._pending.take(cookie)
        if pending is None:
            says = "this browser began no sign-in here, or it took too long"
            return self._refused("no-sign-in", LoginRefused(says), "/")
        if len(come.query) > LONGEST_ANSWER or not come.query.isascii():
            return self._refused("answer", LoginRefused("this is no answer"), "/")
        query = come.query.decode("ascii")
        try:
            with self._share_of(come.link.network):
                provider = await self._provider(ways, place)
                begun = Begun(provider, pending.sealed, "", pending.max_age)
                work = partial(finish, ways, place, begun, query)
                admitted = await self._asking.run(work)
        except LoginRefused as error:
            return self._refused("answer", error, pending.onward)
        except AnswerableError as error:
            return self._refused("provider", error, pending.onward)
        return self._let_in(come, place, admitted, pending.onward)

    def _let_in(
        self, come: Come, place: Place, admitted: Admitted, onward: str
    ) -> Response:
        self._told(place.pinned.pin.name, "")
        response = self._signing_in.let_in(
            come,
            admitted.person,
            admitted.roles,
            f"{admitted.iss}#{admitted.sub}",
            own_path(onward),
            proved=admitted.proved,
        )
        gone = set_cookie(pending_name(name_of(come)), "", lives=0)
        response.headers.append("set-cookie", gone)
        return response

    @contextmanager
    def _share_of(self, network: str) -> Iterator[None]:
        """Limit concurrent sign-ins of one network.

        Raises:
            EnvironmentRefused: The limit is reached.
        """
        if self._under_way[network] >= MOST_OF_ONE:
            raise EnvironmentRefused("too many sign-ins from one address at once")
        self._under_way[network] += 1
        try:
            yield
        finally:
            self._under_way[network] -= 1
            if not self._under_way[network]:
                del self._under_way[network]

    def _there(self) -> tuple[Ways, Place]:
        if self._ways is None or self._place is None:
            raise nothing_here()
        return self._ways, self._place

    async def _provider(self, ways: Ways, place: Place) -> Provider:
        if self._known is None or self._clock() >= self._known[1]:
            provider = await self._asking.run(
                partial(provider_at, ways, place.pinned.pin.iss)
            )
            self._known = (provider, self._clock() + KEPT)
        return self._known[0]

    def _refused(self, why: str, error: AnswerableError, onward: str) -> Response:
        place = self._place
        self._told(place.pinned.pin.name if place else "", why)
        return self._signing_in.shown(onward, error.message, 403)
