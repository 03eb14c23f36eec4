"""OpenID sign-in of a person in the web interface.

Unlike `sign_in.py` the browser is remote, several persons sign in at once, and the
provider may authenticate us by a secret. IO is injected.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from answerable.federation.claim_parsing import SKEW
from answerable.federation.errors import FederateError
from answerable.federation.jwk_set import KeySet
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
    basic,
    code_form,
)
from answerable.federation.oidc_login.responses import (
    check_nonce,
    read_id_token,
    read_redirect,
)
from answerable.federation.person_claim import Binding, any_account
from answerable.federation.token_verification import Issuers, KnownIssuer, verify
from answerable.model.claims import SignedClaims, TokenType
from answerable.model.config import PinnedIssuer
from answerable.model.ids import PersonId
from answerable.model.web_config import Login, Role
from answerable.services.federation.sign_in import person_of

FRESH = 5 * 60  # seconds since the latest authentication
LONGEST = 8 * 3600
_LATEST = 1 << 53  # upper limit of a NumericDate


class Ask(Protocol):
    """HTTP request to the provider."""

    def __call__(
        self, url: str, form: Mapping[str, str] | None, authorization: str = ""
    ) -> tuple[int, bytes]:
        """GET an address, or POST a form to it; give status and body.

        Raises:
            EnvironmentRefused: The response was incomplete.
        """


@dataclass(frozen=True, slots=True)
class Ways:
    """IO and clock of a web sign-in.

    Attributes:
        keys: Returns the keys of the issuer.
        seal: Generates state, nonce and PKCE verifier.
        now: NumericDate.
        is_bound: Returns whether a person's token has the account they are bound to.
    """

    ask: Ask
    keys: Callable[[PinnedIssuer, Provider], KeySet]
    seal: Callable[[], Sealed]
    now: Callable[[], float]
    is_bound: Binding = any_account


@dataclass(frozen=True, slots=True)
class Place:
    """Configuration of the web sign-in.

    Attributes:
        login: Section of the configuration.
        secret: Client secret, empty for none.
        redirect_uri: Redirect URI of this server.
    """

    pinned: PinnedIssuer
    login: Login
    secret: str = field(repr=False)
    redirect_uri: str

    @property
    def client(self) -> Client:
        """OAuth client of this server at the provider."""
        claims = (self.login.claim,) if self.login.claim else ()
        return Client(
            self.login.client_id, self.pinned.person, claims, self.login.scopes
        )


@dataclass(frozen=True, slots=True)
class Begun:
    """Sign-in in progress.

    Attributes:
        sealed: State, nonce and PKCE verifier.
        url: Authorization URL for the browser.
        max_age: Most seconds since the person's previous authentication.
    """

    provider: Provider
    sealed: Sealed
    url: str
    max_age: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """Person who signed in.

    Attributes:
        person: Person according to the issuer.
        roles: Roles in this server.
        iss: Issuer.
        proved: NumericDate of the latest authentication; 0 if the issuer does not say
            so.
    """

    person: PersonId
    roles: frozenset[Role]
    iss: str
    sub: str
    proved: int


def provider_at(ways: Ways, iss: str) -> Provider:
    """Load the metadata of a provider.

    Raises:
        LoginRefused: It is no provider, or not the pinned one.
        EnvironmentRefused: It cannot be reached.
    """
    status, body = ways.ask(metadata_url(iss), None)
    if status != 200:
        raise LoginRefused(f"the issuer has no metadata (status {status})")
    provider = read_provider(body, iss)
    if not provider.authorization:
        raise LoginRefused("the provider takes no browser")
    return provider


def begin(ways: Ways, place: Place, provider: Provider, *, fresh: bool) -> Begun:
    """Begin a sign-in.

    Args:
        fresh: Require a new authentication of the person.
    """
    sealed, max_age = ways.seal(), FRESH if fresh else LONGEST
    more = {"max_age": str(max_age)} | ({"prompt": "login"} if fresh else {})
    url = authorization_url(provider, place.client, place.redirect_uri, sealed, more)
    return Begun(provider, sealed, url, max_age)


def finish(ways: Ways, place: Place, begun: Begun, query: str) -> Admitted:
    """Finish a sign-in with the redirect of the browser.

    Raises:
        LoginRefused: The response is invalid, or the person has no role here.
        EnvironmentRefused: The provider cannot be reached.
    """
    code = read_redirect(query, begun.sealed, begun.provider)
    form = code_form(place.client, place.redirect_uri, code, begun.sealed)
    authorization = ""
    if place.secret and begun.provider.takes_secret_in_form:
        form = {**form, "client_secret": place.secret}
    elif place.secret:
        authorization = basic(place.login.client_id, place.secret)
    answered = ways.ask(begun.provider.token, form, authorization)
    claims = _verified(ways, place, begun.provider, read_id_token(*answered))
    check_nonce(claims, begun.sealed, required=True)
    found = admitted(claims, place.pinned, place.login, ways.is_bound)
    # OpenID Connect Core 3.1.2.1: a client that sends max_age checks auth_time.
    if not found.proved:
        raise LoginRefused(
            "the provider does not say when the person signed in "
            "(expected a number in auth_time, as max_age was asked for)"
        )
    if ways.now() > found.proved + begun.max_age + SKEW:
        raise LoginRefused("the sign-in at the provider is too long ago")
    return found


def admitted(
    claims: SignedClaims,
    pinned: PinnedIssuer,
    login: Login,
    is_bound: Binding = any_account,
) -> Admitted:
    """Return the person of a verified token, with their roles here.

    Raises:
        LoginRefused: It names nobody, or nobody with a role; or an agent that acts for
            them presents it.
    """
    if claims.act.actors or claims.leaf("act") is not None:
        raise LoginRefused("the token belongs to an agent that acts for a person")
    person = person_of(claims, pinned.person)
    roles = login.roles_of(_values(claims, login.claim))
    if not roles:
        raise LoginRefused(
            "the signed-in person has no role here",
            "an administrator gives one: web.login.roles in the configuration",
        )
    if not is_bound(claims, person):
        raise LoginRefused(
            f"{person} signed in with another account before",
            f"an administrator: answerable sign-ins --release {person} --config FILE",
        )
    at = _number(claims.leaf("auth_time"))
    return Admitted(person, roles, claims.iss, claims.sub, at)


def _number(value: object) -> int:
    """Parse a JSON number as whole seconds; 0 for any other value, `true` included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 < value < _LATEST else 0


def _values(claims: SignedClaims, claim: str) -> frozenset[str]:
    """List the values of a claim; dots name a nested claim, `realm.roles`."""
    if not claim:
        return frozenset()
    found = claims.leaf(claim)
    if found is None and "." in claim:
        found = claims.leaf(*claim.split("."))
    values = found if isinstance(found, tuple) else (found,)
    return frozenset(each for each in values if isinstance(each, str))


def _verified(
    ways: Ways, place: Place, provider: Provider, id_token: str
) -> SignedClaims:
    pinned = place.pinned
    try:
        keys = ways.keys(pinned, provider)
        issuers = Issuers(KnownIssuer(pinned.pin, place.login.client_id, keys))
        return verify(id_token, issuers, int(ways.now()), TokenType.ID_TOKEN)
    except FederateError as refused:
        raise LoginRefused(
            f"the id_token does not hold: {refused.message} ({refused.reason})"
        ) from None
