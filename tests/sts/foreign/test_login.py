"""Signing in at a provider that is not ours: npm oidc-provider, by both flows."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.federation.oidc_login.errors import LoginFailed
from answerable.model.config import IssuerConfig
from answerable.model.errors import EnvironmentFailure
from answerable.model.token_claims import TokenType, TrustedIssuer
from answerable.server.login.sign_in_environment import build_sign_in_environment
from answerable.services.federation.stored_login import StoredLogin
from answerable.usecases.federation.sign_in_person import sign_in
from tests.server.authentication.https_issuer import certificate, trusting
from tests.sts.foreign.browser_sign_in import by_browser, pinned
from tests.sts.foreign.issuer import CLIENT, CLIENT_RS256, ForeignIssuer, issuer
from tests.sts.foreign.user_agent import UserAgent

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def foreign() -> Iterator[ForeignIssuer]:
    with issuer() as running:
        yield running


def by_device(at: IssuerConfig) -> tuple[StoredLogin, list[str]]:
    """Sign in with the page that a device shows, once it has asked twice."""
    browser, told, slept, pages = UserAgent(), list[str](), list[float](), list[str]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            (page,) = re.findall(r"http://\S+", " ".join(told))
            pages.append(browser.enter(page)[1])

    ways = replace(
        build_sign_in_environment("", told.append),
        sleep=sleep,
        monotonic=lambda: sum(slept),
    )
    logged_in = sign_in(ways, at, device=True)
    assert len(slept) == 3
    return logged_in, pages


@pytest.mark.parametrize(
    ("client", "alg"), [(CLIENT, "ES256"), (CLIENT_RS256, "RS256")]
)
def test_a_person_signs_in_by_browser(foreign, client: str, alg: str):
    logged_in, pages = by_browser(pinned(foreign, client, alg))
    assert logged_in.person == "person:bo@example.com"
    assert logged_in.iss == foreign.url
    assert "The terminal shows the result" in pages[0]


def test_a_person_signs_in_by_device(foreign):
    logged_in, pages = by_device(pinned(foreign, CLIENT, "ES256"))
    assert logged_in.person == "person:ana@example.com"
    assert "Sign-in Success" in pages[0]


def test_over_https_its_own_authority_has_to_be_named(tmp_path: Path):
    pem = str(certificate(tmp_path))
    with issuer(certificate=pem, key=pem) as secure:
        assert secure.url.startswith("https://")
        at = replace(pinned(secure, CLIENT, "ES256"), private=True)
        with pytest.raises(EnvironmentFailure, match="its certificate is invalid"):
            by_browser(at)
        browser = UserAgent(trusting(Path(pem)))
        logged_in, _ = by_browser(replace(at, ca=pem), agent=browser)
        assert logged_in.person == "person:bo@example.com"


def test_one_who_declines_is_not_signed_in(foreign):
    with pytest.raises(LoginFailed, match=r"refused \(access_denied\)"):
        by_browser(pinned(foreign, CLIENT, "ES256"), "nobody@example.com")


def test_keys_that_rotated_are_known_and_the_old_ones_stay(foreign):
    at, agent = pinned(foreign, CLIENT, "ES256"), UserAgent()
    before, _ = by_browser(at, agent=agent)
    fresh = foreign.rotate()
    after, _ = by_browser(at, agent=agent)
    assert len(fresh) == 2
    assert before.person == after.person
    assert before.id_token.split(".")[0] != after.id_token.split(".")[0]


def test_an_algorithm_that_is_not_pinned_is_refused(foreign):
    with pytest.raises(LoginFailed, match=r"\(alg\)|\(key-unknown\)"):
        by_browser(pinned(foreign, CLIENT, "RS256"))


def test_a_client_that_is_not_registered_gets_no_answer(foreign, monkeypatch):
    monkeypatch.setattr(
        "answerable.usecases.federation.sign_in_person.BROWSER_TIMEOUT", 1
    )
    with pytest.raises(LoginFailed, match="no sign-in within"):
        by_browser(pinned(foreign, "somebody-else", "ES256"))


def test_a_workload_of_it_gets_an_access_token_for_one_audience(foreign):
    from answerable.federation.jwk_set import parse_key_set
    from answerable.federation.token_verification import (
        IssuerIndex,
        IssuerWithKeys,
        verify_token,
    )
    from answerable.server.login.provider_client import ProviderClient

    _, document = ProviderClient("")(f"{foreign.url}/jwks", None)
    pin = TrustedIssuer(
        "corp", foreign.url, ("ES256", "RS256"), (TokenType.ACCESS_TOKEN,), 3600
    )
    audience, keys = "https://mcp.corp.example", parse_key_set(document, pin.algs)
    for at in (audience, f"{audience}/rs256"):
        token = foreign.access_token(at)
        claims = verify_token(
            token, IssuerIndex(IssuerWithKeys(pin, at, keys)), claims_now(token)
        )
        assert (claims.sub, claims.aud) == ("ci-job", at)
        assert claims.scope == ("tools:read",)


def claims_now(token: str) -> int:
    import base64
    import json

    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=="))["iat"]
