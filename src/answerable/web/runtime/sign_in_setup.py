"""Build provider login and token verifier from the settings."""

import os
import time
from functools import partial
from urllib.parse import urlsplit

from answerable.connectors.config.parse.addresses import is_loopback
from answerable.model.config import IssuerConfig, Listener
from answerable.model.errors import EnvironmentFailure
from answerable.model.ids import PersonId, build_person_id
from answerable.model.web_config import WebLoginConfig
from answerable.server.login.provider_client import ProviderClient, load_provider_keys
from answerable.server.login.sign_in_environment import generate_sign_in_secrets
from answerable.server.sign_in_accounts import SignInAccounts
from answerable.usecases.federation.web_sign_in import (
    WebSignInConfig,
    WebSignInEnvironment,
)
from answerable.web.auth.bearer_tokens import BearerTokenVerifier
from answerable.web.http.provider_sign_in import CALLBACK
from answerable.web.runtime.settings import WebSettings


def is_local_listener(listener: Listener) -> bool:
    """Return whether a listener has a loopback address and only local host names."""
    names = [
        *listener.hosts,
        *([urlsplit(listener.url).netloc] if listener.url else []),
    ]
    is_local_address = listener.address is not None and is_loopback(
        listener.address.host
    )
    return is_local_address and all(is_loopback(_host_name(name)) for name in names)


def _host_name(authority: str) -> str:
    """Return the host of a host:port pair."""
    return urlsplit(f"//{authority}").hostname or ""


def configured_local_person(settings: WebSettings) -> PersonId | None:
    """Return the configured person of the one-time link, None without one."""
    local = settings.config.web.local if settings.config.web else ""
    return build_person_id(local) if local else None


def build_login_settings(settings: WebSettings, url: str) -> WebSignInConfig | None:
    """Return the settings of the provider login, None without a login.

    Args:
        url: Public URL, if not configured.

    Raises:
        EnvironmentFailure: The client secret is not in the environment.
    """
    found = _find_login(settings)
    if found is None:
        return None
    pinned, login = found
    web = settings.config.web
    base = (web.url if web else "") or url
    secret = os.environ.get(login.secret_env, "") if login.secret_env else ""
    if login.secret_env and not (secret and secret.isascii()):
        raise EnvironmentFailure(
            f"{login.secret_env} does not contain a client secret "
            "(web.login.client_secret_env)",
            "set it to the client secret from the provider",
        )
    return WebSignInConfig(pinned, login, secret, base + CALLBACK)


def build_provider_environment(settings: WebSettings) -> WebSignInEnvironment | None:
    """Return the provider client and account store, None without a login.

    Raises:
        EnvironmentFailure: The CA file cannot be read.
    """
    found = _find_login(settings)
    if found is None:
        return None
    ask = ProviderClient(found[0].ca)
    bound = SignInAccounts(settings.state).bind_or_check_account
    return WebSignInEnvironment(
        ask,
        partial(load_provider_keys, ask),
        generate_sign_in_secrets,
        time.time,
        bound,
    )


def build_token_verifier(settings: WebSettings) -> BearerTokenVerifier | None:
    """Return the verifier of API tokens, None if they are not accepted.

    Raises:
        UsageError: The issuer's keys cannot be used.
        EnvironmentFailure: They cannot be read.
    """
    found, web = _find_login(settings), settings.config.web
    if found is None or web is None or not web.audience:
        return None
    return BearerTokenVerifier(
        *found,
        web.audience,
        time.time,
        SignInAccounts(settings.state).bind_or_check_account,
    )


def _find_login(settings: WebSettings) -> tuple[IssuerConfig, WebLoginConfig] | None:
    """Return the issuer and the login settings, None without a login."""
    login = settings.config.web.login if settings.config.web else None
    if login is None:
        return None
    issuers = settings.config.issuers
    return next(each for each in issuers if each.pin.name == login.issuer), login


def is_output_logged() -> bool:
    """Return whether a log keeps the standard output of this process.

    That is so below systemd (`JOURNAL_STREAM` in systemd.exec(5)), in a pod, and for
    the first process of a container and its children; never at a terminal.
    """
    if os.isatty(1):
        return False
    if 1 in (os.getpid(), os.getppid()) or os.environ.get("KUBERNETES_SERVICE_HOST"):
        return True
    # A supervised server writes to a pipe; its log still goes to the journal.
    streams = {f"{found.st_dev}:{found.st_ino}" for found in map(os.fstat, (1, 2))}
    return os.environ.get("JOURNAL_STREAM", "") in streams
