"""A provider on loopback, and a door that lets in whom it vouches for."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from answerable.model.config import IssuerConfig
from answerable.model.token_claims import TokenType, TrustedIssuer
from answerable.model.web_config import WebLoginConfig, WebRole
from answerable.server.login.provider_client import ProviderClient, load_provider_keys
from answerable.server.login.sign_in_environment import generate_sign_in_secrets
from answerable.usecases.federation.web_sign_in import (
    WebSignInConfig,
    WebSignInEnvironment,
)
from answerable.web.http.cookies import pending_cookie_name
from answerable.web.http.provider_sign_in import CALLBACK
from answerable.web.store_cache import StoreCache
from tests.sts.login import fake_provider as fake
from tests.sts.login.fake_provider import FakeProvider
from tests.web.dispatcher_harness import COOKIE, URL, DispatcherHarness, HarnessResponse

PENDING = pending_cookie_name(COOKIE)
LOGIN = WebLoginConfig(
    "corp",
    "answerable",
    "",
    "groups",
    (
        ("security", frozenset({WebRole.INVESTIGATOR, WebRole.ADMIN})),
        ("staff", frozenset({WebRole.VIEWER})),
    ),
    frozenset(),
    ("groups",),
)


@dataclass
class SignInJourney:
    """One browser on its way through a sign-in.

    Attributes:
        stage: The door.
        provider: Where people sign in.
        pending: The browser's cookie of the sign-in under way.
        cookie: That of its session.
    """

    stage: DispatcherHarness
    provider: FakeProvider
    pending: str = ""
    cookie: str = ""
    place: WebSignInConfig = field(init=False)

    def __post_init__(self) -> None:
        pin = TrustedIssuer(
            "corp",
            self.provider.iss,
            ("ES256",),
            (TokenType.ID_TOKEN, TokenType.ACCESS_TOKEN),
            3600,
        )
        pinned = IssuerConfig(pin, "cli", "discovery", bearer=True, person="email")
        self.place = WebSignInConfig(pinned, LOGIN, "", URL + CALLBACK)
        self.configure_provider()

    def configure_provider(self, **changes: object) -> None:
        """Have the door know the provider so."""
        self.place = replace(self.place, **changes)  # type: ignore[arg-type]
        ask = ProviderClient("")
        ways = WebSignInEnvironment(
            ask, partial(load_provider_keys, ask), generate_sign_in_secrets, time.time
        )
        self.stage.by_provider.reconfigure(ways, self.place)

    def start(self, onward: str = "/look", more: str = "") -> str:
        """Begin; give the address at the provider."""
        told = self.stage.get(f"/sign-in/start?next={quote(onward)}{more}")
        assert told.status == 303, told.text
        said = told.fields["set-cookie"]
        assert said.startswith(f"{PENDING}=")
        assert "HttpOnly" in said
        self.pending = told.cookie
        return told.fields["location"]

    def deliver_callback(self, url: str, pending: str | None = None) -> HarnessResponse:
        """Bring the provider's answer."""
        fields = {
            "cookie": f"{PENDING}={self.pending if pending is None else pending}",
            "sec-fetch-site": "cross-site",
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "document",
        }
        parts = urlsplit(url)
        told = self.stage.get(f"{parts.path}?{parts.query}", headers=fields)
        first = next((v for n, v in told.headers if n == "set-cookie"), "")
        self.cookie = first.partition(";")[0].partition("=")[2]
        return told

    def sign_in(self, onward: str = "/look", more: str = "") -> HarnessResponse:
        self.provider.used.clear()  # its codes are all the same one
        return self.deliver_callback(self.provider.answer(self.start(onward, more)))

    @property
    def authorization_parameters(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.start()).query))


@pytest.fixture(scope="session")
def _provider() -> Iterator[FakeProvider]:
    with fake.running() as running:
        yield running


@pytest.fixture
def journey(desk: StoreCache, _provider: FakeProvider) -> SignInJourney:
    _provider.__init__(iss=_provider.iss)  # type: ignore[misc]  # as new
    _provider.claims = {"groups": ["staff", "security"]}
    stage = DispatcherHarness(desk)
    stage.clock.now = time.time()
    return SignInJourney(stage, _provider)
