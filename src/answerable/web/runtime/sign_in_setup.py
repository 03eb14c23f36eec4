"""Sign-in objects built from the configuration."""

import os
import time
from functools import partial
from urllib.parse import urlsplit

from answerable.connectors.config.parse.addresses import is_loopback
from answerable.model.config import Listener, PinnedIssuer
from answerable.model.errors import EnvironmentRefused
from answerable.model.ids import PersonId, person_id
from answerable.model.web_config import Login
from answerable.server.login.provider_client import AskProvider, keys_of
from answerable.server.login.sign_in_environment import fresh
from answerable.server.sign_in_accounts import SignIns
from answerable.usecases.federation.web_sign_in import Place, Ways
from answerable.web.auth.bearer_tokens import Bearers
from answerable.web.http.provider_sign_in import CALLBACK
from answerable.web.runtime.settings import Plan


def is_near(listener: Listener) -> bool:
    """Tell whether a listener is reachable only from this machine, by a local name."""
    names = [
        *listener.hosts,
        *([urlsplit(listener.url).netloc] if listener.url else []),
    ]
    near = listener.address is not None and is_loopback(listener.address.host)
    return near and all(is_loopback(_host(name)) for name in names)


def _host(authority: str) -> str:
    return urlsplit(f"//{authority}").hostname or ""


def person_of(plan: Plan) -> PersonId | None:
    """Return the person of the one-time link."""
    local = plan.config.web.local if plan.config.web else ""
    return person_id(local) if local else None


def place_of(plan: Plan, url: str) -> Place | None:
    """Return the login settings, None without a login.

    Args:
        url: Public URL, if not configured.

    Raises:
        EnvironmentRefused: The client secret is not in the environment.
    """
    found = _login_of(plan)
    if found is None:
        return None
    pinned, login = found
    web = plan.config.web
    base = (web.url if web else "") or url
    secret = os.environ.get(login.secret_env, "") if login.secret_env else ""
    if login.secret_env and not (secret and secret.isascii()):
        raise EnvironmentRefused(
            f"{login.secret_env} holds no client secret (web.login.client_secret_env)",
            "put the secret that the provider gave into it",
        )
    return Place(pinned, login, secret, base + CALLBACK)


def ways_of(plan: Plan) -> Ways | None:
    """Return the effects of a sign-in: provider requests and records.

    Raises:
        EnvironmentRefused: The CA file cannot be read.
    """
    found = _login_of(plan)
    if found is None:
        return None
    ask = AskProvider(found[0].ca)
    bound = SignIns(plan.state).is_bound
    return Ways(ask, partial(keys_of, ask), fresh, time.time, bound)


def bearers_of(plan: Plan) -> Bearers | None:
    """Return the verifier of API tokens, None if they are not accepted.

    Raises:
        UsageError: The issuer's keys cannot be used.
        EnvironmentRefused: They cannot be read.
    """
    found, web = _login_of(plan), plan.config.web
    if found is None or web is None or not web.audience:
        return None
    return Bearers(*found, web.audience, time.time, SignIns(plan.state).is_bound)


def _login_of(plan: Plan) -> tuple[PinnedIssuer, Login] | None:
    login = plan.config.web.login if plan.config.web else None
    if login is None:
        return None
    issuers = plan.config.issuers
    return next(each for each in issuers if each.pin.name == login.issuer), login
