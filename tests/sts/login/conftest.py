"""A provider, this machine with a scripted browser, and an issuer that pins it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from answerable.model.config import IssuerConfig
from answerable.model.token_claims import TokenType, TrustedIssuer
from answerable.server.login.sign_in_environment import build_sign_in_environment
from answerable.services.federation.oidc_sign_in import SignInEnvironment
from answerable.services.federation.stored_login import StoredLogin
from answerable.usecases.federation.sign_in_person import sign_in
from tests.sts.login import fake_provider as fake
from tests.sts.login.fake_provider import FakeProvider, visit


@dataclass
class LoginSetup:
    """One sign-in about to happen.

    Attributes:
        provider: Where.
        browser: What the browser does with the address that it is sent to.
        told: What the person was told.
        slept: Seconds of each pause.
        pages: What the browser got: status and page.
    """

    provider: FakeProvider
    browser: Callable[[str], None]
    told: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    pages: list[tuple[int, str]] = field(default_factory=list)

    def go_back(self, url: str) -> None:
        self.pages.append(visit(self.provider.answer(url)))

    def pinned(self, **changes: object) -> IssuerConfig:
        pin = TrustedIssuer(
            "corp", self.provider.iss, ("ES256",), (TokenType.ID_TOKEN,), 3600
        )
        usual = IssuerConfig(
            pin, self.provider.client, "discovery", bearer=False, person="email"
        )
        return replace(usual, **changes)

    @property
    def ways(self) -> SignInEnvironment:
        browsers: list[threading.Thread] = []

        def show(url: str) -> bool:
            browsers.append(threading.Thread(target=self.browser, args=(url,)))
            browsers[-1].start()
            return True

        self.browsers = browsers
        return replace(
            build_sign_in_environment("", self.told.append),
            show=show,
            monotonic=lambda: sum(self.slept),
            sleep=self.slept.append,
        )

    def sign_in(self, *, device: bool = False, **changes: object) -> StoredLogin:
        ways = self.ways
        try:
            return sign_in(ways, self.pinned(**changes), device=device)
        finally:
            for each in self.browsers:
                each.join()


@pytest.fixture(scope="module")
def _server() -> Iterator[FakeProvider]:
    with fake.running() as provider:
        yield provider


@pytest.fixture
def stage(_server: FakeProvider) -> LoginSetup:
    _server.__init__(iss=_server.iss)  # type: ignore[misc]  # as new
    stage = LoginSetup(_server, lambda _: None)
    stage.browser = stage.go_back
    return stage
