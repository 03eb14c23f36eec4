"""Signing in at an OpenID provider: each thing that can be wrong with it."""

import base64
import time
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.federation.oidc_login.requests import LoginSecrets
from answerable.model.ids import PersonId
from answerable.server.sign_in_accounts import SignInAccounts
from answerable.usecases.federation.web_sign_in import PendingSignIn
from answerable.web.auth.pending_sign_ins import (
    PENDING_LIFETIME,
    PendingSignInCookieCodec,
)
from answerable.web.visitor import WebRole
from tests.sts.login.fake_provider import UNVERIFIED, unsigned
from tests.web.auth.conftest import LOGIN, PENDING, SignInJourney
from tests.web.dispatcher_harness import COOKIE


def refused(journey: SignInJourney, answer: object = None) -> None:
    told = answer or journey.sign_in()
    assert told.status == 403  # type: ignore[attr-defined]
    assert journey.cookie == ""
    assert len(journey.stage.sessions) == 0


def test_a_person_comes_in_with_the_roles_of_their_groups(
    journey: SignInJourney,
) -> None:
    told = journey.sign_in("/agents?q=a")
    assert (told.status, told.fields["location"]) == (303, "/agents?q=a")
    session = journey.stage.sessions.find(journey.cookie)
    assert session is not None
    assert session.person == "person:ana@example.com"
    assert session.roles == {WebRole.ADMIN, WebRole.INVESTIGATOR, WebRole.VIEWER}
    assert session.by == f"{journey.provider.iss}#account-1"
    assert ("set-cookie", f"{PENDING}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax") in (
        told.headers
    )
    assert journey.stage.tried == [("corp", "")]


def test_what_is_asked_is_bound_to_this_browser(journey: SignInJourney) -> None:
    first, second = journey.authorization_parameters, journey.authorization_parameters
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == "http://127.0.0.1:8470/sign-in/callback"
    assert first["scope"] == "openid email groups"
    assert "offline_access" not in first["scope"]
    assert first["max_age"] == str(8 * 3600)


@pytest.mark.parametrize("groups", [..., [], ["other"], "other", 5, {"a": "staff"}])
def test_whoever_has_no_role_may_not_come_in(
    journey: SignInJourney, groups: object
) -> None:
    journey.provider.claims = {"groups": groups}
    refused(journey)


def test_roles_by_default_are_for_whoever_has_none_by_claim(
    journey: SignInJourney,
) -> None:
    journey.provider.claims = {}
    journey.configure_provider(login=replace(LOGIN, default=frozenset({WebRole.OWNER})))
    assert journey.sign_in().status == 303
    session = journey.stage.sessions.find(journey.cookie)
    assert session is not None
    assert session.roles == {WebRole.OWNER}


def test_a_claim_may_stand_in_another(journey: SignInJourney) -> None:
    journey.provider.claims = {"realm": {"roles": ["staff"]}}
    journey.configure_provider(login=replace(LOGIN, claim="realm.roles"))
    assert journey.sign_in().status == 303


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "another"},
        {"state": ...},
        {"iss": "https://another.example"},  # mix-up (RFC 9207)
        {"iss": ...},
        {"code": "another"},
        {"code": ...},
        {"error": "access_denied"},
        {"state": ["a", "b"]},
    ],
)
def test_an_answer_to_another_question_is_refused(
    journey: SignInJourney, wrong: dict[str, object]
) -> None:
    journey.provider.redirect = wrong
    refused(journey)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"nonce": ...},
        {"aud": "answerable-cli"},
        {"aud": ["answerable", "other"]},
        {"iss": "https://another.example"},
        {"exp": 1},
        {"email": ...},
        {"email": ""},
        *({"email_verified": value} for value in UNVERIFIED),
        {"email": "\u212aim@example.com"},
        {"email": "an\u0430@example.com"},
        {"act": {"sub": "agent:declared/bot"}},
        *({"auth_time": at} for at in (1000, ..., None, "1790000000", True, -1)),
    ],
)
def test_an_id_token_that_does_not_hold_is_refused(
    journey: SignInJourney, wrong: dict[str, object]
) -> None:
    journey.provider.claims |= wrong
    refused(journey)


def test_an_address_of_another_account_is_nobodys(
    journey: SignInJourney, tmp_path: Path
) -> None:
    accounts = SignInAccounts(tmp_path)
    ways = journey.stage.by_provider._environment
    assert ways is not None
    bound = replace(ways, is_bound=accounts.bind_or_check_account)
    journey.stage.by_provider.reconfigure(bound, journey.place)
    assert journey.sign_in().status == 303
    journey.stage.sessions.end_all()
    journey.provider.claims |= {"sub": "account-2"}
    refused(journey)
    assert len(accounts.release_person(PersonId("person:ana@example.com"))) == 1
    assert journey.sign_in().status == 303


def test_an_unsigned_id_token_is_refused(journey: SignInJourney) -> None:
    journey.provider.forge = unsigned
    refused(journey)


def test_no_answer_is_taken_by_another_browser(journey: SignInJourney) -> None:
    answer = journey.provider.answer(journey.start())
    for pending in ("", "A" * 43):
        refused(journey, journey.deliver_callback(answer, pending))
    # It began another sign-in of its own: the answer does not belong to that one.
    other = SignInJourney(journey.stage, journey.provider)
    other.start()
    refused(other, other.deliver_callback(answer))


def test_an_answer_is_taken_once(journey: SignInJourney) -> None:
    answer = journey.provider.answer(journey.start())
    assert journey.deliver_callback(answer).status == 303
    assert journey.deliver_callback(answer).status == 403
    assert len(journey.stage.sessions) == 1


def test_an_answer_that_comes_late_is_refused(journey: SignInJourney) -> None:
    answer = journey.provider.answer(journey.start())
    journey.stage.clock.now += PENDING_LIFETIME
    refused(journey, journey.deliver_callback(answer))


def test_a_session_that_was_planted_is_not_the_one_that_is_given(
    journey: SignInJourney,
) -> None:
    planted, _ = journey.stage.signed_in(WebRole.VIEWER)
    answer = journey.provider.answer(journey.start())
    both = f"{COOKIE}={planted}; {PENDING}={journey.pending}"
    target = answer.removeprefix("http://127.0.0.1:8470")
    told = journey.stage.get(target, headers={"cookie": both})
    assert told.status == 303
    assert planted not in str(told.headers)
    assert journey.stage.sessions.find(planted) is None


@pytest.mark.parametrize("onward", ["//evil.example", "https://evil.example", "/\\e"])
def test_nobody_is_sent_anywhere_else_afterwards(
    journey: SignInJourney, onward: str
) -> None:
    assert journey.sign_in(onward).fields["location"] == "/"


def test_whoever_has_to_be_fresh_is_asked_to_show_who_they_are(
    journey: SignInJourney,
) -> None:
    now = int(time.time())
    journey.provider.claims |= {"auth_time": now - 1000}
    assert journey.sign_in().status == 303
    session = journey.stage.sessions.find(journey.cookie)
    assert session is not None
    assert not journey.stage.sessions.is_recently_authenticated(session)
    refused_ = journey.sign_in(more="&fresh=1")
    assert refused_.status == 403
    asked = journey.provider.asked
    assert (asked["prompt"], asked["max_age"]) == ("login", "300")
    journey.provider.claims |= {"auth_time": now}
    assert journey.sign_in(more="&fresh=1").status == 303
    session = journey.stage.sessions.find(journey.cookie)
    assert session is not None
    assert journey.stage.sessions.is_recently_authenticated(session)


def test_tokens_of_the_provider_are_never_shown(journey: SignInJourney) -> None:
    told = journey.sign_in()
    shown = told.text + str(told.headers) + repr(journey.stage.sessions.__dict__)
    for canary in (*journey.provider.given, "access-canary", "refresh-canary"):
        assert canary not in shown


def test_a_confidential_client_shows_its_secret_as_the_provider_takes_it(
    journey: SignInJourney, monkeypatch: pytest.MonkeyPatch
) -> None:
    from answerable.server.login import provider_client as world

    heard: list[str] = []
    real = world.ProviderClient._send_request

    def ask(self, url, form, authorization):  # type: ignore[no-untyped-def]
        heard.append(authorization)
        return real(self, url, form, authorization)

    monkeypatch.setattr(world.ProviderClient, "_send_request", ask)
    journey.configure_provider(secret="s:cret")
    assert journey.sign_in().status == 303
    basic = base64.b64encode(b"answerable:s%3Acret").decode()
    assert f"Basic {basic}" in heard
    assert all("client_secret" not in form for form in journey.provider.forms)
    journey.provider.metadata = {
        "token_endpoint_auth_methods_supported": ["client_secret_post"]
    }
    journey.provider.used.clear()
    journey.configure_provider(secret="s:cret")
    assert journey.sign_in().status == 303
    assert journey.provider.forms[-1]["client_secret"] == "s:cret"
    assert "s:cret" not in repr(journey.place)


def test_a_provider_that_is_not_there_is_told_and_holds_up_nobody(
    journey: SignInJourney,
) -> None:
    pin = replace(journey.place.issuer.pin, iss="http://127.0.0.1:9")
    journey.configure_provider(issuer=replace(journey.place.issuer, pin=pin))
    told = journey.stage.get("/sign-in/start")
    assert told.status == 403
    assert "no response from" in told.text
    assert journey.stage.tried == [("corp", "provider")]


def test_without_a_provider_there_is_no_such_way_in(journey: SignInJourney) -> None:
    journey.stage.by_provider.reconfigure(None, None)
    assert journey.stage.get("/sign-in/start").status == 404
    assert journey.stage.get("/sign-in/callback?code=x").status == 404
    assert "/sign-in/start" not in journey.stage.get("/sign-in").text


def test_many_that_begin_and_never_end_take_nobodys_place(
    journey: SignInJourney,
) -> None:
    """A thousand starts by a stranger, while one person is at the provider."""
    answer = journey.provider.answer(journey.start())
    pending = journey.pending
    for _ in range(1_000):
        journey.start()
    assert journey.deliver_callback(answer, pending).status == 303
    assert len(journey.stage.sessions) == 1


def test_a_cookie_of_a_sign_in_can_be_neither_changed_nor_used_twice() -> None:
    sealed = LoginSecrets("state", "nonce", "verifier")
    begun = PendingSignIn(None, sealed, "", 300)  # type: ignore[arg-type]
    now = 0.0
    signs = PendingSignInCookieCodec(lambda: now)
    cookie = signs.seal(begun, "/look")
    for place in range(len(cookie)):
        letter = "A" if cookie[place] != "A" else "B"
        # The last letter has bits that say nothing.
        changed = cookie[:place] + letter + cookie[place + 1 :]
        assert signs.redeem(changed) is None or place == len(cookie) - 1
    cookie = signs.seal(begun, "/" + "x" * 9_000)
    assert len(cookie) < 2_000
    taken = signs.redeem(cookie)
    assert taken is not None
    assert (taken.login_secrets, taken.max_age, taken.onward) == (sealed, 300, "/")
    assert signs.redeem(cookie) is None
    late = signs.seal(begun, "/")
    now = PENDING_LIFETIME
    assert signs.redeem(late) is None
    now = 0.0
    foreign = PendingSignInCookieCodec(lambda: 0.0).seal(begun, "/")
    assert signs.redeem(foreign) is None


def test_one_address_leaves_room_for_others(
    journey: SignInJourney, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.web.http.provider_sign_in.MAX_PER_NETWORK", 0)
    assert journey.stage.get("/sign-in/start?next=/").status == 403
