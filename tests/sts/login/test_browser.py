"""Authorization code with PKCE: what is asked, and every answer that does not hold."""

import json
import socket
import threading
import time
from urllib.parse import parse_qsl, urlsplit

import pytest

from answerable.federation.oidc_login.errors import LoginFailed
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.token_claims import TokenType, TrustedIssuer
from answerable.usecases.federation import sign_in_person
from tests.federation.sample_tokens import OTHER_EC, sign
from tests.sts.login.conftest import LoginSetup
from tests.sts.login.fake_provider import CODE, UNVERIFIED, left_out, unsigned, visit


def refused(stage: LoginSetup, **changes: object) -> str:
    """Sign in, which must fail with one clear line; give it."""
    with pytest.raises(LoginFailed) as caught:
        stage.sign_in(**changes)
    message = caught.value.message
    assert "\n" not in message
    assert len(message) < 160
    secrets = {*stage.provider.given, CODE, *(f["code_verifier"] for f in forms(stage))}
    assert not [secret for secret in secrets if secret in message]
    return message


def forms(stage: LoginSetup) -> list[dict[str, str]]:
    return [form for form in stage.provider.forms if "code_verifier" in form]


def test_a_person_signs_in_and_the_verified_token_is_what_is_given(stage: LoginSetup):
    logged_in = stage.sign_in()
    assert (logged_in.person, logged_in.issuer) == ("person:ana@example.com", "corp")
    assert logged_in.id_token == stage.provider.given[-1]
    assert logged_in.expires > time.time()
    assert stage.pages[0][0] == 200


def test_what_is_asked_is_a_code_with_pkce_and_no_refresh_token(stage: LoginSetup):
    stage.sign_in()
    asked, form = stage.provider.asked, stage.provider.forms[0]
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid email"
    assert json.loads(asked["claims"]) == {
        "id_token": {
            "email": {"essential": True},
            "email_verified": {"essential": True},
        }
    }
    assert "offline_access" not in str(asked)
    assert asked["redirect_uri"] == form["redirect_uri"]
    back = urlsplit(asked["redirect_uri"])
    assert (back.scheme, back.hostname, back.path) == (
        "http",
        "127.0.0.1",
        "/callback",
    )
    assert "client_secret" not in form


def test_no_two_sign_ins_share_a_value(stage: LoginSetup):
    seen: list[str] = []
    for _ in range(5):
        stage.provider.used.clear()
        stage.sign_in()
        asked = stage.provider.asked
        seen += [asked["state"], asked["nonce"], asked["code_challenge"]]
    assert len(set(seen)) == 15
    assert min(map(len, seen)) == 43


def test_the_claim_decides_which_scopes_are_asked_for(stage: LoginSetup):
    stage.provider.claims = {"preferred_username": "ana"}
    assert stage.sign_in(person="preferred_username").person == "person:ana"
    assert stage.provider.asked["scope"] == "openid profile"
    stage.provider.used.clear()
    assert stage.sign_in(person="sub").person == "person:account-1"
    assert stage.provider.asked["scope"] == "openid"
    assert "claims" not in stage.provider.asked


@pytest.mark.parametrize(
    ("redirect", "said"),
    [
        ({"state": "another"}, "does not belong to this sign-in (state"),
        ({"state": ...}, "does not belong to this sign-in (state"),
        ({"state": ["", "x"]}, "duplicate parameter"),
        ({"iss": "https://mixed-up.example"}, "another provider (iss"),
        ({"iss": ...}, "another provider (iss"),
        ({"iss": ["a", "a"]}, "duplicate parameter"),
        ({"code": ...}, "contains no code"),
        ({"code": ""}, "contains no code"),
        ({"code": [CODE, CODE]}, "duplicate parameter"),
        ({"code": "another"}, "the provider refused (invalid_grant)"),
        ({"code": ..., "error": "access_denied"}, "refused (access_denied)"),
        ({"error": "access_denied"}, "the provider refused (access_denied)"),
        ({"code": ..., "error": "\x1b[31m owned"}, "the provider refused"),
        ({"code": ..., "error": "x" * 65}, "the provider refused"),
        ({f"p{n}": "x" for n in range(30)}, "the response cannot be read"),
    ],
)
def test_a_redirect_that_does_not_hold_is_refused(stage: LoginSetup, redirect, said):
    stage.provider.redirect = redirect
    message = refused(stage)
    assert said in message
    assert "\x1b" not in message
    # What the redirect already refused never reaches the token endpoint.
    assert len(stage.provider.forms) == (said.endswith("(invalid_grant)"))


def test_an_error_in_answer_to_another_question_is_not_believed(stage: LoginSetup):
    stage.provider.redirect = {"state": "another", "error": "access_denied"}
    assert "state" in refused(stage)


def test_iss_may_be_missing_where_it_was_not_announced(stage: LoginSetup):
    stage.provider.metadata = {"authorization_response_iss_parameter_supported": ...}
    stage.provider.redirect = {"iss": ...}
    assert stage.sign_in().person == "person:ana@example.com"
    stage.provider.used.clear()
    stage.provider.redirect = {"iss": "https://mixed-up.example"}
    assert "iss" in refused(stage)


def test_a_code_that_was_used_before_is_refused(stage: LoginSetup):
    stage.provider.used.add(CODE)
    assert refused(stage) == "the provider refused (invalid_grant)"


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "(nonce"),
        ({"nonce": ...}, "(nonce"),
        ({"nonce": 5}, "(nonce"),
        ({"aud": "somebody-else"}, "(audience)"),
        ({"aud": ["answerable", "somebody-else"]}, "(audience)"),
        ({"azp": "somebody-else"}, "(azp)"),
        ({"iss": "https://mixed-up.example"}, "(issuer)"),
        ({"exp": 1_000_000_000, "iat": 999_999_990}, "(expired)"),
        ({"iat": 4_000_000_000, "exp": 4_000_000_100}, "(not-yet)"),
        ({"exp": 4_000_000_000}, "(lifetime)"),
        ({"scope": "openid"}, "(claim-forbidden)"),
        ({"sub": ...}, "(claim-missing)"),
        ({"email": ...}, "names no person"),
        ({"email": ["ana@example.com"]}, "names no person"),
        ({"email": " "}, "names no person"),
        *(({"email_verified": value}, "has not verified") for value in UNVERIFIED),
        ({"email": "\u212aim@example.com"}, "names no person"),
    ],
)
def test_an_id_token_that_does_not_hold_is_refused(stage: LoginSetup, claims, said):
    stage.provider.claims = claims
    assert said in refused(stage)


FORGERIES = {
    "(alg)": unsigned,
    "(signature)": lambda token: token[:-8] + "AAAAAAAA",
    "(segments)": lambda token: "nothing",
    "(issuer)": lambda token: sign({"alg": "ES256", "kid": "k1"}, b"{}"),
    "(size)": lambda token: token + "A" * 20_000,
}


@pytest.mark.parametrize("said", FORGERIES)
def test_a_forged_id_token_is_refused(stage: LoginSetup, said: str):
    stage.provider.forge = FORGERIES[said]
    assert said in refused(stage)


def test_a_token_of_another_type_is_refused(stage: LoginSetup):
    stage.provider.header = {"typ": "at+jwt"}
    assert "(typ)" in refused(stage)


def test_a_token_of_another_key_is_refused(stage: LoginSetup):
    iss = stage.provider.iss
    payload = {"iss": iss, "sub": "a", "aud": "answerable", "iat": 1, "exp": 2}
    head = {"alg": "ES256", "kid": "k1"}
    stage.provider.forge = lambda _: sign(head, left_out(payload), key=OTHER_EC)
    assert "(signature)" in refused(stage)
    head["kid"] = "k2"
    stage.provider.used.clear()
    assert "(key-unknown)" in refused(stage)


@pytest.mark.parametrize("given", [{"id_token": ...}, {"id_token": 5}])
def test_an_answer_without_an_id_token_is_refused(stage: LoginSetup, given):
    stage.provider.tokens = given
    assert refused(stage) == "the provider returned no id_token"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://another.example"},
        {"issuer": ...},
        {"token_endpoint": ...},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"token_endpoint": "https://me@elsewhere.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "file:///etc/passwd"},
        {"authorization_endpoint": "https://idp.example/a b"},
        {"jwks_uri": ...},
        {"code_challenge_methods_supported": ["plain"]},
    ],
)
def test_metadata_that_cannot_be_used_is_refused(stage: LoginSetup, metadata):
    stage.provider.metadata = metadata
    assert "metadata cannot be used" in refused(stage)
    assert stage.told == []


def test_nobody_comes(stage: LoginSetup, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sign_in_person, "BROWSER_TIMEOUT", 0.05)
    stage.browser = lambda _: None
    assert "no sign-in within" in refused(stage)


def test_of_two_answers_the_first_counts_and_the_second_is_told(stage: LoginSetup):
    """The second connects while the first is on its way, as no later one can."""

    def twice(url: str) -> None:
        back = stage.provider.answer(url)
        address = urlsplit(back)
        asked = (
            f"GET {address.path}?{address.query.replace(CODE, 'second')} HTTP/1.1\r\n"
        )
        with socket.create_connection((address.hostname, address.port)) as second:
            second.sendall(asked.encode())
            stage.go_back(url)
            second.sendall(f"Host: {address.netloc}\r\n\r\n".encode())
            stage.pages.append((int(second.recv(12)[9:]), second.recv(9999).decode()))

    stage.browser = twice
    assert stage.sign_in().person == "person:ana@example.com"
    assert [status for status, _ in stage.pages] == [200, 410]
    assert "is already complete" in stage.pages[1][1]
    assert [form["code"] for form in stage.provider.forms] == [CODE]


def test_what_is_no_answer_leaves_the_sign_in_waiting(stage: LoginSetup):
    def strangers_first(url: str) -> None:
        back = stage.provider.answer(url)
        port = urlsplit(back).port
        idle = socket.create_connection(("127.0.0.1", port or 0))
        statuses = [
            visit(f"http://127.0.0.1:{port}/favicon.ico")[0],
            visit(f"http://127.0.0.1:{port}/callback")[0],
            visit(f"http://localhost:{port}/callback?code=x")[0],
            visit(back, Host="evil.example")[0],
        ]
        assert statuses == [404, 400, 404, 404]
        for raw in (
            b"\x16\x03\x01\x02",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port or 0)) as stranger:
                stranger.sendall(raw)
                assert stranger.recv(12) == b"HTTP/1.1 400"
        with socket.create_connection(("127.0.0.1", port or 0)) as flood:
            flood.sendall(b"GET /callback?" + b"x" * 40_000)
            assert flood.recv(12) == b"HTTP/1.1 400"
        stage.go_back(url)
        idle.close()

    stage.browser = strangers_first
    assert stage.sign_in().person == "person:ana@example.com"


def test_the_page_shows_nothing_of_the_answer(stage: LoginSetup):
    stage.sign_in()
    (_, page), asked = stage.pages[0], stage.provider.asked
    assert not [s for s in (CODE, asked["state"], asked["nonce"]) if s in page]


def test_the_listener_ends_with_the_sign_in(stage: LoginSetup):
    stage.sign_in()
    port = urlsplit(stage.provider.asked["redirect_uri"]).port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port or 0))
    assert [t for t in threading.enumerate() if "asyncio" in t.name] == []


def test_without_a_browser_the_address_is_told(stage: LoginSetup):
    stage.sign_in()
    address = stage.told[1].strip()
    assert dict(parse_qsl(urlsplit(address).query)) == stage.provider.asked


def test_an_issuer_that_is_not_for_people_is_refused(stage: LoginSetup):
    for changes in ({"person": ""}, {"pin": _for_agents(stage)}):
        with pytest.raises(UsageError, match="does not allow sign-in"):
            stage.sign_in(**changes)
    assert stage.told == []


def _for_agents(stage: LoginSetup) -> TrustedIssuer:
    types = (TokenType.ACCESS_TOKEN,)
    return TrustedIssuer("corp", stage.provider.iss, ("ES256",), types, 3600)


def test_a_provider_that_is_not_there_is_told(stage: LoginSetup):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stage.provider.iss, right = (
            f"http://127.0.0.1:{taken.getsockname()[1]}",
            stage.provider.iss,
        )
        taken.close()
        with pytest.raises(EnvironmentFailure, match="no response from"):
            stage.sign_in()
        stage.provider.iss = right
