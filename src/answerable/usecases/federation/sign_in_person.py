"""Sign a person in by OpenID Connect at a terminal: browser or device code."""

from answerable.federation.oidc_login.device_polling import DevicePolling
from answerable.federation.oidc_login.errors import LoginFailed
from answerable.federation.oidc_login.provider_metadata import (
    ProviderMetadata,
    metadata_url,
    parse_metadata,
)
from answerable.federation.oidc_login.requests import (
    LoginSecrets,
    OidcClient,
    build_authorization_url,
    build_code_exchange_form,
    build_device_authorization_form,
    build_device_polling_form,
)
from answerable.federation.oidc_login.responses import (
    check_nonce,
    parse_device_code,
    parse_id_token,
    parse_polling_error,
    parse_redirect,
)
from answerable.federation.token_errors import FederationError
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    verify_token,
)
from answerable.model.config import IssuerConfig
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.token_claims import SignedClaims, TokenType
from answerable.services.federation.oidc_sign_in import (
    SignInEnvironment,
    get_person_from_claims,
    identifies_persons,
)
from answerable.services.federation.stored_login import StoredLogin

BROWSER_TIMEOUT = 300  # seconds
_TRY_AGAIN = "run answerable login again"


def sign_in(
    environment: SignInEnvironment, issuer: IssuerConfig, *, device: bool
) -> StoredLogin:
    """Sign a person in at an OpenID provider and return their ID token.

    Args:
        issuer: The issuer; its `audience` is our client id there.
        device: Use the device flow (RFC 8628) instead of a local browser.

    Raises:
        UsageError: The issuer is not one for persons.
        LoginFailed: A response is invalid, or the person did not sign in in time.
        EnvironmentFailure: The provider cannot be reached.
    """
    if not identifies_persons(issuer):
        raise UsageError(
            f"issuer {issuer.pin.name} does not allow sign-in",
            "add `person: CLAIM` and `tokens: [id-token]` to the issuer in the "
            "configuration",
        )
    client = OidcClient(issuer.audience, issuer.person)
    provider = _load_provider(environment, issuer.pin.iss)
    sealed = environment.generate_secrets()
    way = _sign_in_by_device if device else _sign_in_by_browser
    id_token = way(environment, provider, client, sealed)
    claims = _verify_id_token(environment, issuer, provider, id_token)
    check_nonce(claims, sealed, required=not device)
    person = get_person_from_claims(claims, issuer.person)
    return StoredLogin(issuer.pin.name, issuer.pin.iss, person, claims.exp, id_token)


def _load_provider(environment: SignInEnvironment, iss: str) -> ProviderMetadata:
    """Fetch the provider's discovery metadata."""
    status, body = environment.ask(metadata_url(iss), None)
    if status != 200:
        raise LoginFailed(
            f"the issuer has no metadata (status {status}, expected 200)",
            "sign-in requires an OpenID provider",
        )
    return parse_metadata(body, iss)


def _sign_in_by_browser(
    environment: SignInEnvironment,
    provider: ProviderMetadata,
    client: OidcClient,
    secrets: LoginSecrets,
) -> str:
    """Run the authorization code flow with a loopback redirect; return the ID token."""
    if not provider.authorization:
        raise LoginFailed(
            "the provider does not support sign-in with a browser", "use --device"
        )
    with environment.listen() as listening:
        redirect_uri = listening.redirect_uri
        url = build_authorization_url(provider, client, redirect_uri, secrets)
        if environment.show(url):
            environment.print_line("a browser was opened; if it was not, sign in here:")
        else:
            environment.print_line("sign in here, in a browser on this machine:")
        environment.print_line(f"  {url}")
        query = listening.wait_for_query(BROWSER_TIMEOUT)
    if query is None:
        raise LoginFailed(
            f"no sign-in within {BROWSER_TIMEOUT // 60} minutes", _TRY_AGAIN
        )
    code = parse_redirect(query, secrets, provider)
    form = build_code_exchange_form(client, redirect_uri, code, secrets)
    return parse_id_token(*environment.ask(provider.token, form))


def _sign_in_by_device(
    environment: SignInEnvironment,
    provider: ProviderMetadata,
    client: OidcClient,
    secrets: LoginSecrets,
) -> str:
    """Run the device code flow (RFC 8628) and return the ID token."""
    if not provider.device:
        raise LoginFailed(
            "the provider does not support the device flow", "omit --device"
        )
    asked = environment.ask(
        provider.device, build_device_authorization_form(provider, client, secrets)
    )
    code = parse_device_code(*asked, provider.iss)
    environment.print_line(
        "sign in here, in a browser on any machine, and compare the code:"
    )
    environment.print_line(f"  {code.whole or code.page}")
    environment.print_line(f"  code: {code.user_code}")
    form = build_device_polling_form(client, code.device_code)
    polling = DevicePolling.start(
        code.interval, code.expires_in, environment.monotonic()
    )
    while pause := polling.seconds_until_next_poll(environment.monotonic()):
        environment.sleep(pause)
        try:
            answer = environment.ask(provider.token, form)
        except EnvironmentFailure:
            polling = polling.double_interval()
            continue
        pending = parse_polling_error(*answer)
        if pending is None:
            return parse_id_token(*answer)
        polling = polling.adjust_for_polling_error(pending)
    raise LoginFailed("the code expired before you signed in", _TRY_AGAIN)


def _verify_id_token(
    environment: SignInEnvironment,
    issuer: IssuerConfig,
    provider: ProviderMetadata,
    id_token: str,
) -> SignedClaims:
    """Verify an ID token with the keys of its provider and return its claims."""
    try:
        keys = environment.keys(issuer, provider)
        issuers = IssuerIndex(IssuerWithKeys(issuer.pin, issuer.audience, keys))
        return verify_token(
            id_token, issuers, int(environment.now()), TokenType.ID_TOKEN
        )
    except FederationError as refused:
        raise LoginFailed(
            f"the ID token is invalid: {refused.message} ({refused.reason})"
        ) from None
