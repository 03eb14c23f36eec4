"""OpenID sign-in of a person at a terminal, by browser or device code.

IO is injected; `serving/login` implements it. No message to the person and no error
contains a token.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from answerable.federation.errors import FederateError
from answerable.federation.jwk_set import KeySet
from answerable.federation.oidc_login.device_polling import Polling
from answerable.federation.oidc_login.errors import LoginRefused
from answerable.federation.oidc_login.provider_metadata import (
    Provider,
    metadata_url,
    read_provider,
)
from answerable.federation.oidc_login.requests import (
    Client,
    Sealed,
    authorization_url,
    code_form,
    device_form,
    device_token_form,
)
from answerable.federation.oidc_login.responses import (
    check_nonce,
    read_device_code,
    read_id_token,
    read_pending,
    read_redirect,
)
from answerable.federation.person_claim import PersonRefused, person_named
from answerable.federation.token_verification import Issuers, KnownIssuer, verify
from answerable.model.claims import SignedClaims, TokenType
from answerable.model.config import PinnedIssuer
from answerable.model.errors import EnvironmentRefused, UsageError
from answerable.model.ids import PersonId
from answerable.services.federation.stored_login import LoggedIn

WAIT = 300  # seconds
_LATE = "run answerable login again"


class Ask(Protocol):
    """HTTP request to the provider."""

    def __call__(self, url: str, form: Mapping[str, str] | None) -> tuple[int, bytes]:
        """GET an address, or POST a form to it; give status and body.

        Raises:
            EnvironmentRefused: The response was incomplete.
        """


class Listening(Protocol):
    """Local listener for the redirect of the browser."""

    @property
    def redirect_uri(self) -> str:
        """Redirect URI of the listener."""

    def wait(self, seconds: float) -> str | None:
        """Return the query of the redirect, None if none came in time."""


@dataclass(frozen=True, slots=True)
class Ways:
    """IO and clock of a sign-in.

    Attributes:
        keys: Returns the keys of the issuer.
        listen: Opens the local listener for the redirect.
        show: Opens a page in the person's browser; returns whether it could.
        tell: Prints a line for the person.
        seal: Generates state, nonce and PKCE verifier.
        now: NumericDate.
        ticks: Monotonic clock, seconds.
    """

    ask: Ask
    keys: Callable[[PinnedIssuer, Provider], KeySet]
    listen: Callable[[], AbstractContextManager[Listening]]
    show: Callable[[str], bool]
    tell: Callable[[str], None]
    seal: Callable[[], Sealed]
    now: Callable[[], float]
    ticks: Callable[[], float]
    sleep: Callable[[float], None]


def sign_in(ways: Ways, pinned: PinnedIssuer, *, device: bool) -> LoggedIn:
    """Sign a person in.

    Args:
        pinned: The issuer; its `audience` is our client id there.
        device: Use the device flow (RFC 8628) instead of a local browser.

    Raises:
        UsageError: The issuer is not one for persons.
        LoginRefused: A response is invalid, or the person did not sign in in time.
        EnvironmentRefused: The provider cannot be reached.
    """
    if not is_for_people(pinned):
        raise UsageError(
            f"issuer {pinned.pin.name} is not one that people sign in at",
            "give it `person: CLAIM` and `tokens: [id-token]` in the configuration",
        )
    client = Client(pinned.audience, pinned.person)
    provider = _provider(ways, pinned.pin.iss)
    sealed = ways.seal()
    way = _by_device if device else _by_browser
    id_token = way(ways, provider, client, sealed)
    claims = _verified(ways, pinned, provider, id_token)
    check_nonce(claims, sealed, required=not device)
    person = person_of(claims, pinned.person)
    return LoggedIn(pinned.pin.name, pinned.pin.iss, person, claims.exp, id_token)


def is_for_people(pinned: PinnedIssuer) -> bool:
    """Return whether the ID tokens of an issuer name persons."""
    return bool(pinned.person) and TokenType.ID_TOKEN in pinned.pin.token_types


def person_of(claims: SignedClaims, claim: str) -> PersonId:
    """Return the person that an ID token names.

    Raises:
        LoginRefused: It names nobody, or an address that is not verified.
    """
    try:
        return person_named(claims, claim)
    except PersonRefused as refused:
        raise LoginRefused(
            refused.message,
            f"have the provider put {refused.claim} into the tokens of this client",
        ) from None


def _provider(ways: Ways, iss: str) -> Provider:
    status, body = ways.ask(metadata_url(iss), None)
    if status != 200:
        raise LoginRefused(
            f"the issuer has no metadata (status {status}, expected 200)",
            "an issuer that people sign in at is an OpenID provider",
        )
    return read_provider(body, iss)


def _by_browser(ways: Ways, provider: Provider, client: Client, sealed: Sealed) -> str:
    if not provider.authorization:
        raise LoginRefused("the provider takes no browser", "try --device")
    with ways.listen() as listening:
        redirect_uri = listening.redirect_uri
        url = authorization_url(provider, client, redirect_uri, sealed)
        if ways.show(url):
            ways.tell("a browser was opened; if it was not, sign in here:")
        else:
            ways.tell("sign in here, in a browser on this machine:")
        ways.tell(f"  {url}")
        query = listening.wait(WAIT)
    if query is None:
        raise LoginRefused(f"no sign-in within {WAIT // 60} minutes", _LATE)
    code = read_redirect(query, sealed, provider)
    form = code_form(client, redirect_uri, code, sealed)
    return read_id_token(*ways.ask(provider.token, form))


def _by_device(ways: Ways, provider: Provider, client: Client, sealed: Sealed) -> str:
    if not provider.device:
        raise LoginRefused("the provider takes no devices", "leave --device out")
    asked = ways.ask(provider.device, device_form(provider, client, sealed))
    code = read_device_code(*asked, provider.iss)
    ways.tell("sign in here, in a browser on any machine, and compare the code:")
    ways.tell(f"  {code.whole or code.page}")
    ways.tell(f"  code: {code.user_code}")
    form = device_token_form(client, code.device_code)
    polling = Polling.begin(code.interval, code.expires_in, ways.ticks())
    while pause := polling.pause(ways.ticks()):
        ways.sleep(pause)
        try:
            answer = ways.ask(provider.token, form)
        except EnvironmentRefused:
            polling = polling.after_silence()
            continue
        pending = read_pending(*answer)
        if pending is None:
            return read_id_token(*answer)
        polling = polling.after(pending)
    raise LoginRefused("no sign-in before the code expired", _LATE)


def _verified(
    ways: Ways, pinned: PinnedIssuer, provider: Provider, id_token: str
) -> SignedClaims:
    try:
        keys = ways.keys(pinned, provider)
        issuers = Issuers(KnownIssuer(pinned.pin, pinned.audience, keys))
        return verify(id_token, issuers, int(ways.now()), TokenType.ID_TOKEN)
    except FederateError as refused:
        raise LoginRefused(
            f"the id_token does not hold: {refused.message} ({refused.reason})"
        ) from None
