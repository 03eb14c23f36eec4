"""Who may come in, put together from a configuration."""

import os
import time
from functools import partial
from urllib.parse import urlsplit

from answerable.connectors.config.parse.places import is_loopback
from answerable.flows.web_sign_in import Place, Ways
from answerable.model.config import Listener, PinnedIssuer
from answerable.model.errors import EnvironmentRefused
from answerable.model.ids import PersonId, person_id
from answerable.model.web import Login
from answerable.serving.login.provider import AskProvider, keys_of
from answerable.serving.login.ways import fresh
from answerable.serving.sign_ins import SignIns
from answerable.web.auth.bearers import Bearers
from answerable.web.http.by_provider import CALLBACK
from answerable.web.serve.plan import Plan


def is_near(listener: Listener) -> bool:
    """Whether a listener is reached from this machine, and under its name, alone."""
    names = [
        *listener.hosts,
        *([urlsplit(listener.url).netloc] if listener.url else []),
    ]
    near = listener.address is not None and is_loopback(listener.address.host)
    return near and all(is_loopback(_host(name)) for name in names)


def _host(authority: str) -> str:
    return urlsplit(f"//{authority}").hostname or ""


def person_of(plan: Plan) -> PersonId | None:
    """Give whom the printed link stands for."""
    local = plan.config.web.local if plan.config.web else ""
    return person_id(local) if local else None


def place_of(plan: Plan, url: str) -> Place | None:
    """Give where people sign in, None where they do not.

    Args:
        plan: What is served.
        url: How browsers know us, where the configuration does not say.

    Raises:
        EnvironmentRefused: Our secret there is not in the environment.
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
    """Give a sign-in the world.

    Raises:
        EnvironmentRefused: The provider's authority cannot be read.
    """
    found = _login_of(plan)
    if found is None:
        return None
    ask = AskProvider(found[0].ca)
    bound = SignIns(plan.state).is_bound
    return Ways(ask, partial(keys_of, ask), fresh, time.time, bound)


def bearers_of(plan: Plan) -> Bearers | None:
    """Give what verifies tokens for `/api/v1`, None where none is taken.

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
