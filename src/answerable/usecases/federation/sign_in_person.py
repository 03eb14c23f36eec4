"""OpenID sign-in of a person at a terminal, by browser or device code."""

from answerable.federation.errors import FederationError
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
    build_code_form,
    build_device_form,
    build_device_token_form,
)
from answerable.federation.oidc_login.responses import (
    check_nonce,
    parse_device_code,
    parse_id_token,
    parse_pending,
    parse_redirect,
)
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    verify_token,
)
from answerable.model.claims import SignedClaims, TokenType
from answerable.model.config import IssuerConfig
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.services.federation.sign_in import (
    SignInEnvironment,
    names_people,
    resolve_person,
)
from answerable.services.federation.stored_login import StoredLogin

BROWSER_TIMEOUT = 300  # seconds
_TRY_AGAIN = "run answerable login again"


def sign_in(
    ways: SignInEnvironment, pinned: IssuerConfig, *, device: bool
) -> StoredLogin:
    """Sign a person in.

    Args:
        pinned: The issuer; its `audience` is our client id there.
        device: Use the device flow (RFC 8628) instead of a local browser.

    Raises:
        UsageError: The issuer is not one for persons.
        LoginFailed: A response is invalid, or the person did not sign in in time.
        EnvironmentFailure: The provider cannot be reached.
    """
    if not names_people(pinned):
        raise UsageError(
            f"issuer {pinned.pin.name} is not one that people sign in at",
            "give it `person: CLAIM` and `tokens: [id-token]` in the configuration",
        )
    client = OidcClient(pinned.audience, pinned.person)
    provider = _load_provider(ways, pinned.pin.iss)
    sealed = ways.seal()
    way = _sign_in_by_device if device else _sign_in_by_browser
    id_token = way(ways, provider, client, sealed)
    claims = _verify_id_token(ways, pinned, provider, id_token)
    check_nonce(claims, sealed, required=not device)
    person = resolve_person(claims, pinned.person)
    return StoredLogin(pinned.pin.name, pinned.pin.iss, person, claims.exp, id_token)


def _load_provider(ways: SignInEnvironment, iss: str) -> ProviderMetadata:
    status, body = ways.ask(metadata_url(iss), None)
    if status != 200:
        raise LoginFailed(
            f"the issuer has no metadata (status {status}, expected 200)",
            "an issuer that people sign in at is an OpenID provider",
        )
    return parse_metadata(body, iss)


def _sign_in_by_browser(
    ways: SignInEnvironment,
    provider: ProviderMetadata,
    client: OidcClient,
    sealed: LoginSecrets,
) -> str:
    if not provider.authorization:
        raise LoginFailed("the provider takes no browser", "try --device")
    with ways.listen() as listening:
        redirect_uri = listening.redirect_uri
        url = build_authorization_url(provider, client, redirect_uri, sealed)
        if ways.show(url):
            ways.tell("a browser was opened; if it was not, sign in here:")
        else:
            ways.tell("sign in here, in a browser on this machine:")
        ways.tell(f"  {url}")
        query = listening.wait_for_query(BROWSER_TIMEOUT)
    if query is None:
        raise LoginFailed(
            f"no sign-in within {BROWSER_TIMEOUT // 60} minutes", _TRY_AGAIN
        )
    code = parse_redirect(query, sealed, provider)
    form = build_code_form(client, redirect_uri, code, sealed)
    return parse_id_token(*ways.ask(provider.token, form))


def _sign_in_by_device(
    ways: SignInEnvironment,
    provider: ProviderMetadata,
    client: OidcClient,
    sealed: LoginSecrets,
) -> str:
    if not provider.device:
        raise LoginFailed("the provider takes no devices", "leave --device out")
    asked = ways.ask(provider.device, build_device_form(provider, client, sealed))
    code = parse_device_code(*asked, provider.iss)
    ways.tell("sign in here, in a browser on any machine, and compare the code:")
    ways.tell(f"  {code.whole or code.page}")
    ways.tell(f"  code: {code.user_code}")
    form = build_device_token_form(client, code.device_code)
    polling = DevicePolling.start(code.interval, code.expires_in, ways.ticks())
    while pause := polling.pause(ways.ticks()):
        ways.sleep(pause)
        try:
            answer = ways.ask(provider.token, form)
        except EnvironmentFailure:
            polling = polling.after_timeout()
            continue
        pending = parse_pending(*answer)
        if pending is None:
            return parse_id_token(*answer)
        polling = polling.after_response(pending)
    raise LoginFailed("no sign-in before the code expired", _TRY_AGAIN)


def _verify_id_token(
    ways: SignInEnvironment,
    pinned: IssuerConfig,
    provider: ProviderMetadata,
    id_token: str,
) -> SignedClaims:
    try:
        keys = ways.keys(pinned, provider)
        issuers = IssuerIndex(IssuerWithKeys(pinned.pin, pinned.audience, keys))
        return verify_token(id_token, issuers, int(ways.now()), TokenType.ID_TOKEN)
    except FederationError as refused:
        raise LoginFailed(
            f"the id_token does not hold: {refused.message} ({refused.reason})"
        ) from None
