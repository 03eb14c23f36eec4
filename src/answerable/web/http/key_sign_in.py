"""Sign in with an owner key of the local person, instead of another printed link."""

from collections.abc import Callable
from functools import partial

from starlette.responses import Response

from answerable.model.errors import AnswerableError
from answerable.model.ids import PersonId
from answerable.usecases.evidence.key_sign_in import read_challenge, verify_key_sign_in
from answerable.web.auth.sessions import KEY_METHOD
from answerable.web.auth.sign_in_challenges import SignInChallenges
from answerable.web.http.errors import build_not_found_error
from answerable.web.http.incoming_request import (
    Endpoint,
    IncomingRequest,
    read_form_body,
)
from answerable.web.http.request_parsing import parse_fields, sanitize_redirect_path
from answerable.web.http.sign_in import SignInPages, is_local_request
from answerable.web.http.worker_pool import WorkerPool
from answerable.web.store_cache import StoreCache

_FAR = "an owner key signs in only on this machine; elsewhere, use the provider"
_STALE = "this page is too old, or was used already: sign in again from this page"


class KeySignIn:
    """Sign-in with a valid owner key of the person of the printed link.

    Args:
        clock: Seconds since the epoch.
        report_attempt: Called with method and reason of each try; no reason on success.
    """

    def __init__(
        self,
        pages: SignInPages,
        cache: StoreCache,
        clock: Callable[[], float],
        report_attempt: Callable[[str, str], None],
    ) -> None:
        self._pages, self._cache, self._report_attempt = pages, cache, report_attempt
        self._challenges = SignInChallenges(clock)
        # A pool of its own: anonymous requests must not delay those of sessions.
        self._pool = WorkerPool(threads=1, max_waiting=8)
        pages.issue_challenge = self._issue_challenge

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return the public endpoints by path and method."""
        return {("/sign-in/key", "POST"): self.handle_envelope}

    def _issue_challenge(self) -> str:
        """Return a challenge for the sign-in page; empty without a local person."""
        return self._challenges.issue() if self._pages.person else ""

    async def handle_envelope(self, incoming: IncomingRequest) -> Response:
        """Verify a signed challenge and create the session of the local person."""
        person = self._pages.person
        if not self._pages.accepts_local_sign_in or person is None:
            raise build_not_found_error()
        form = parse_fields(await read_form_body(incoming), ("envelope", "next"))
        next_path = sanitize_redirect_path(form.get("next", "/"))
        if not is_local_request(incoming):
            return self._refuse("far", _FAR, next_path)
        envelope = form.get("envelope", "").encode()
        if not self._challenges.redeem(read_challenge(envelope)):
            return self._refuse("stale", _STALE, next_path)
        verify = partial(self._verify, envelope, person, incoming.origin)
        try:
            await self._pool.run(verify)
        except AnswerableError as error:
            return self._refuse("key", error.message, next_path)
        self._report_attempt(KEY_METHOD, "")
        return self._pages.create_local_session(incoming, KEY_METHOD, next_path)

    def _verify(self, envelope: bytes, person: PersonId, address: str) -> None:
        """Verify the envelope against the keys in the store."""
        with self._cache.open_store() as store:
            key = verify_key_sign_in(
                store, envelope, person, address=address, now=self._cache.now
            )
        self._cache.signature_counters.require_new_signature(key, envelope)

    def _refuse(self, reason: str, message: str, next_path: str) -> Response:
        """Report a failed sign-in and show the sign-in page with the reason."""
        self._report_attempt(KEY_METHOD, reason)
        return self._pages.render_page(next_path, message, 403)
