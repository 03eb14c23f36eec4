"""Sign a person in to the web interface by OpenID Connect.

Unlike `sign_in.py` the browser is remote, several persons sign in at once, and the
provider may authenticate us by a secret. IO is injected.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from answerable.federation.claim_parsing import CLOCK_SKEW
from answerable.federation.jwk_set import IssuerKeySet
from answerable.federation.oidc_login.errors import LoginFailed
from answerable.federation.oidc_login.provider_metadata import (
    ProviderMetadata,
    metadata_url,
    parse_metadata,
)
from answerable.federation.oidc_login.requests import (
    LoginSecrets,
    OidcClient,
    basic_authorization,
    build_authorization_url,
    build_code_exchange_form,
)
from answerable.federation.oidc_login.responses import (
    check_nonce,
    parse_id_token,
    parse_redirect,
)
from answerable.federation.person_claim import (
    AccountBinding,
    accept_without_account_binding,
)
from answerable.federation.token_errors import FederationError
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    verify_token,
)
from answerable.model.config import IssuerConfig
from answerable.model.ids import PersonId
from answerable.model.token_claims import SignedClaims, TokenType
from answerable.model.web_config import WebLoginConfig, WebRole
from answerable.services.federation.oidc_sign_in import get_person_from_claims

REAUTHENTICATION_AGE = 5 * 60  # seconds since the latest authentication
MAX_SESSION_AGE = 8 * 3600
_MAX_NUMERIC_DATE = 1 << 53  # upper limit of a NumericDate


class WebProviderRequest(Protocol):
    """HTTP request to the provider."""

    def __call__(
        self, url: str, form: Mapping[str, str] | None, authorization: str = ""
    ) -> tuple[int, bytes]:
        """GET an address, or POST a form to it; give status and body.

        Raises:
            EnvironmentFailure: The response was incomplete.
        """


@dataclass(frozen=True, slots=True)
class WebSignInEnvironment:
    """IO and clock of a web sign-in.

    Attributes:
        load_keys: Returns the keys of the issuer.
        generate_secrets: Generates state, nonce and PKCE verifier.
        now: NumericDate.
        is_bound: Returns whether a person's token has the account they are bound to.
    """

    send_request: WebProviderRequest
    load_keys: Callable[[IssuerConfig, ProviderMetadata], IssuerKeySet]
    generate_secrets: Callable[[], LoginSecrets]
    now: Callable[[], float]
    is_bound: AccountBinding = accept_without_account_binding


@dataclass(frozen=True, slots=True)
class WebSignInConfig:
    """Configuration of the web sign-in.

    Attributes:
        login: Section of the configuration.
        secret: Client secret, empty for none.
        redirect_uri: Redirect URI of this server.
    """

    issuer: IssuerConfig
    login: WebLoginConfig
    secret: str = field(repr=False)
    redirect_uri: str

    @property
    def client(self) -> OidcClient:
        """OAuth client of this server at the provider."""
        claims = (self.login.claim,) if self.login.claim else ()
        return OidcClient(
            self.login.client_id, self.issuer.person, claims, self.login.scopes
        )


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """Sign-in in progress.

    Attributes:
        secrets: State, nonce and PKCE verifier.
        url: Authorization URL for the browser.
        max_age: Most seconds since the person's previous authentication.
    """

    provider: ProviderMetadata
    secrets: LoginSecrets
    url: str
    max_age: int


@dataclass(frozen=True, slots=True)
class SignedInPerson:
    """Person who signed in.

    Attributes:
        person: Person according to the issuer.
        roles: Roles in this server.
        iss: Issuer.
        authenticated_at: NumericDate of the latest authentication; 0 if the issuer does not say
            so.
    """

    person: PersonId
    roles: frozenset[WebRole]
    iss: str
    sub: str
    authenticated_at: int


def load_provider(environment: WebSignInEnvironment, iss: str) -> ProviderMetadata:
    """Load an OpenID provider's metadata.

    Raises:
        LoginFailed: It is no provider, or not the pinned one.
        EnvironmentFailure: It cannot be reached.
    """
    status, body = environment.send_request(metadata_url(iss), None)
    if status != 200:
        raise LoginFailed(f"the issuer has no metadata (status {status})")
    provider = parse_metadata(body, iss)
    if not provider.authorization:
        raise LoginFailed("the provider does not support sign-in with a browser")
    return provider


def begin_sign_in(
    environment: WebSignInEnvironment,
    config: WebSignInConfig,
    provider: ProviderMetadata,
    *,
    require_login: bool,
) -> PendingSignIn:
    """Begin a sign-in: build the authorization URL with state, nonce and PKCE.

    Args:
        require_login: Require a new authentication of the person.
    """
    sealed, max_age = (
        environment.generate_secrets(),
        REAUTHENTICATION_AGE if require_login else MAX_SESSION_AGE,
    )
    more = {"max_age": str(max_age)} | ({"prompt": "login"} if require_login else {})
    url = build_authorization_url(
        provider, config.client, config.redirect_uri, sealed, more
    )
    return PendingSignIn(provider, sealed, url, max_age)


def finish_sign_in(
    environment: WebSignInEnvironment,
    config: WebSignInConfig,
    pending: PendingSignIn,
    query: str,
) -> SignedInPerson:
    """Finish a sign-in: exchange the code of the redirect and verify the ID token.

    Raises:
        LoginFailed: The response is invalid, or the person has no role here.
        EnvironmentFailure: The provider cannot be reached.
    """
    code = parse_redirect(query, pending.secrets, pending.provider)
    form = build_code_exchange_form(
        config.client, config.redirect_uri, code, pending.secrets
    )
    authorization = ""
    if config.secret and pending.provider.takes_secret_in_form:
        form = {**form, "client_secret": config.secret}
    elif config.secret:
        authorization = basic_authorization(config.login.client_id, config.secret)
    answered = environment.send_request(pending.provider.token, form, authorization)
    claims = _verify_id_token(
        environment, config, pending.provider, parse_id_token(*answered)
    )
    check_nonce(claims, pending.secrets, required=True)
    found = admit_person(claims, config.issuer, config.login, environment.is_bound)
    # OpenID Connect Core 3.1.2.1: a client that sends max_age checks auth_time.
    if not found.authenticated_at:
        raise LoginFailed(
            "the provider does not state the time of the sign-in (expected a "
            "number in auth_time, because max_age was requested)"
        )
    if environment.now() > found.authenticated_at + pending.max_age + CLOCK_SKEW:
        raise LoginFailed("the sign-in at the provider is too old")
    return found


def admit_person(
    claims: SignedClaims,
    issuer: IssuerConfig,
    login: WebLoginConfig,
    is_bound: AccountBinding = accept_without_account_binding,
) -> SignedInPerson:
    """Return the person of a verified token, with their roles here.

    Raises:
        LoginFailed: It names no person, or a person without a role; or an agent that
            acts for them presents it.
    """
    if claims.act.actors or claims.find_claim_at_path("act") is not None:
        raise LoginFailed("the token belongs to an agent that acts for a person")
    person = get_person_from_claims(claims, issuer.person)
    roles = login.get_web_roles_of_claims(_list_claim_values(claims, login.claim))
    if not roles:
        raise LoginFailed(
            "the signed-in person has no role",
            "ask an administrator to add one in web.login.roles of the configuration",
        )
    if not is_bound(claims, person):
        raise LoginFailed(
            f"{person} is bound to another account",
            f"ask an administrator to run: answerable sign-ins --release {person} "
            "--config FILE",
        )
    at = _parse_numeric_date(claims.find_claim_at_path("auth_time"))
    return SignedInPerson(person, roles, claims.iss, claims.sub, at)


def _parse_numeric_date(value: object) -> int:
    """Parse a JSON number as whole seconds; 0 for any other value, `true` included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 < value < _MAX_NUMERIC_DATE else 0


def _list_claim_values(claims: SignedClaims, claim: str) -> frozenset[str]:
    """List the values of a claim; dots name a nested claim, `realm.roles`."""
    if not claim:
        return frozenset()
    found = claims.find_claim_at_path(claim)
    if found is None and "." in claim:
        found = claims.find_claim_at_path(*claim.split("."))
    values = found if isinstance(found, tuple) else (found,)
    return frozenset(each for each in values if isinstance(each, str))


def _verify_id_token(
    environment: WebSignInEnvironment,
    config: WebSignInConfig,
    provider: ProviderMetadata,
    id_token: str,
) -> SignedClaims:
    """Verify an ID token with the keys of its provider and return its claims."""
    pinned = config.issuer
    try:
        keys = environment.load_keys(pinned, provider)
        issuers = IssuerIndex(IssuerWithKeys(pinned.pin, config.login.client_id, keys))
        return verify_token(
            id_token, issuers, int(environment.now()), TokenType.ID_TOKEN
        )
    except FederationError as refused:
        raise LoginFailed(
            f"the ID token is invalid: {refused.message} ({refused.reason})"
        ) from None
