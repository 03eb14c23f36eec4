"""Which issuer is signed in at, and whether there is a browser to open."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from answerable.cli.commands.login import _find_issuer
from answerable.connectors.config import fetch
from answerable.model.config import IssuerConfig
from answerable.model.errors import UsageError
from answerable.model.token_claims import TokenType, TrustedIssuer
from answerable.server.login.browser import has_browser

ID_TOKEN = (TokenType.ID_TOKEN,)


def issuer(name: str, **changes: object) -> IssuerConfig:
    pin = TrustedIssuer(name, f"https://{name}.example", ("ES256",), ID_TOKEN, 3600)
    usual = IssuerConfig(pin, f"{name}-client", "discovery", False, "email")
    return replace(usual, **changes)


CORP, GUESTS = issuer("corp"), issuer("guests")
AGENTS = issuer("agents", person="")
OTHERS = issuer("others", pin=replace(CORP.pin, name="o", token_types=()))


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch):
    def put(*issuers: IssuerConfig) -> None:
        reading = SimpleNamespace(config=SimpleNamespace(issuers=issuers), faults=())
        monkeypatch.setattr(fetch, "read_config_file", lambda _: reading)

    return put


def test_the_one_issuer_for_people_is_taken(configured):
    configured(AGENTS, CORP, OTHERS)
    assert _find_issuer("a.yaml", "", "") == CORP
    assert _find_issuer("a.yaml", "", "corp-client") == CORP


@pytest.mark.parametrize("named", ["guests", "https://guests.example"])
def test_of_several_one_is_named(configured, named: str):
    configured(CORP, GUESTS)
    assert _find_issuer("a.yaml", named, "") == GUESTS
    with pytest.raises(UsageError, match="has 2 matching issuers") as caught:
        _find_issuer("a.yaml", "", "")
    assert caught.value.hint == "name one of them with --issuer: corp, guests"


@pytest.mark.parametrize("named", ["agents", "https://corp.example/", "CORP", "x"])
def test_what_is_not_pinned_for_people_is_refused(configured, named: str):
    configured(CORP, AGENTS)
    with pytest.raises(UsageError, match="has 0 matching issuers"):
        _find_issuer("a.yaml", named, "")


def test_a_configuration_without_people_says_what_is_missing(configured):
    configured(AGENTS)
    with pytest.raises(UsageError) as caught:
        _find_issuer("a.yaml", "", "")
    assert "person: CLAIM" in caught.value.hint


def test_a_client_that_the_token_service_would_refuse_is_refused_here(configured):
    configured(CORP)
    with pytest.raises(UsageError, match="differs from the issuer's audience"):
        _find_issuer("a.yaml", "", "another")


def test_without_a_configuration_the_person_names_both():
    found = _find_issuer("", "https://idp.example/tenant", "cli")
    assert (found.pin.iss, found.audience) == ("https://idp.example/tenant", "cli")
    assert (found.pin.name, found.person) == ("idp.example", "email")
    assert found.pin.token_types == ID_TOKEN


@pytest.mark.parametrize(
    ("environ", "platform", "terminal", "opens"),
    [
        ({"DISPLAY": ":0"}, "linux", True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
        ({"DISPLAY": ":0"}, "linux", False, False),
        ({}, "linux", True, False),
        ({"DISPLAY": ""}, "linux", True, False),
        ({"DISPLAY": ":10", "SSH_CONNECTION": "a b c d"}, "linux", True, False),
        ({}, "darwin", True, True),
        ({"SSH_CONNECTION": "a b c d"}, "darwin", True, False),
    ],
)
def test_a_browser_opens_only_before_somebody_s_eyes(
    environ, platform, terminal, opens
):
    assert has_browser(environ, platform, terminal=terminal) is opens
