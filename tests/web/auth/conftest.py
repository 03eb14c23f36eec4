"""A provider on loopback, and a door that lets in whom it vouches for."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from answerable.model.claims import Issuer, TokenType
from answerable.model.config import PinnedIssuer
from answerable.model.web_config import Login, Role
from answerable.server.login.provider_client import AskProvider, keys_of
from answerable.server.login.sign_in_environment import fresh
from answerable.usecases.federation.web_sign_in import Place, Ways
from answerable.web.http.cookies import pending_name
from answerable.web.http.provider_sign_in import CALLBACK
from answerable.web.store_cache import Desk
from tests.sts.login import fake_provider as fake
from tests.sts.login.fake_provider import Provider
from tests.web.dispatcher_harness import COOKIE, URL, Answered, Stage

PENDING = pending_name(COOKIE)
LOGIN = Login(
    "corp",
    "answerable",
    "",
    "groups",
    (
        ("security", frozenset({Role.INVESTIGATOR, Role.ADMIN})),
        ("staff", frozenset({Role.VIEWER})),
    ),
    frozenset(),
    ("groups",),
)


@dataclass
class Journey:
    """One browser on its way through a sign-in.

    Attributes:
        stage: The door.
        provider: Where people sign in.
        pending: The browser's cookie of the sign-in under way.
        cookie: That of its session.
    """

    stage: Stage
    provider: Provider
    pending: str = ""
    cookie: str = ""
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        pin = Issuer(
            "corp",
            self.provider.iss,
            ("ES256",),
            (TokenType.ID_TOKEN, TokenType.ACCESS_TOKEN),
            3600,
        )
        pinned = PinnedIssuer(pin, "cli", "discovery", bearer=True, person="email")
        self.place = Place(pinned, LOGIN, "", URL + CALLBACK)
        self.use()

    def use(self, **changes: object) -> None:
        """Have the door know the provider so."""
        self.place = replace(self.place, **changes)  # type: ignore[arg-type]
        ask = AskProvider("")
        ways = Ways(ask, partial(keys_of, ask), fresh, time.time)
        self.stage.by_provider.swap(ways, self.place)

    def start(self, onward: str = "/look", more: str = "") -> str:
        """Begin; give the address at the provider."""
        told = self.stage.get(f"/sign-in/start?next={quote(onward)}{more}")
        assert told.status == 303, told.text
        said = told.fields["set-cookie"]
        assert said.startswith(f"{PENDING}=")
        assert "HttpOnly" in said
        self.pending = told.cookie
        return told.fields["location"]

    def back(self, url: str, pending: str | None = None) -> Answered:
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

    def sign_in(self, onward: str = "/look", more: str = "") -> Answered:
        self.provider.used.clear()  # its codes are all the same one
        return self.back(self.provider.answer(self.start(onward, more)))

    @property
    def asked(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.start()).query))


@pytest.fixture(scope="session")
def _provider() -> Iterator[Provider]:
    with fake.running() as running:
        yield running


@pytest.fixture
def journey(desk: Desk, _provider: Provider) -> Journey:
    _provider.__init__(iss=_provider.iss)  # type: ignore[misc]  # as new
    _provider.claims = {"groups": ["staff", "security"]}
    stage = Stage(desk)
    stage.clock.now = time.time()
    return Journey(stage, _provider)
