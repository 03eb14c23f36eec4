"""Sessions: made at sign-in, found by one cookie, ended in time."""

import pytest

from answerable.web.auth.sessions import IDLE_TIMEOUT, MAX_LIFETIME, MAX_PER_PERSON
from answerable.web.visitor import WebRole
from tests.web.dispatcher_harness import URL, DispatcherHarness


def test_a_cookie_that_was_planted_is_none_and_sign_in_makes_another(
    stage: DispatcherHarness,
) -> None:
    planted = "A" * 43
    assert stage.get("/look", cookie=planted).status == 303
    answer = stage.post("/sign-in", {"token": stage.token.take_text_once()}, planted)
    assert answer.cookie not in ("", planted)
    assert stage.get("/look", cookie=planted).status == 303
    assert stage.get("/look", cookie=answer.cookie).status == 200


def test_signing_in_ends_the_session_before(stage: DispatcherHarness) -> None:
    before, _ = stage.signed_in(WebRole.VIEWER)
    answer = stage.post("/sign-in", {"token": stage.token.take_text_once()}, before)
    assert stage.get("/look", cookie=before).status == 303
    assert stage.get("/look", cookie=answer.cookie).status == 200


def test_a_session_ends_when_idle_and_at_its_longest(stage: DispatcherHarness) -> None:
    cookie, _ = stage.signed_in(WebRole.VIEWER)
    stage.clock.now += IDLE_TIMEOUT - 1
    assert stage.get("/look", cookie=cookie).status == 200
    stage.clock.now += IDLE_TIMEOUT
    assert stage.get("/look", cookie=cookie).status == 303
    cookie, _ = stage.signed_in(WebRole.VIEWER)
    for _ in range(MAX_LIFETIME // (IDLE_TIMEOUT - 1)):
        stage.clock.now += IDLE_TIMEOUT - 1
        assert stage.get("/look", cookie=cookie).status == 200
    stage.clock.now += IDLE_TIMEOUT - 1
    assert stage.get("/look", cookie=cookie).status == 303


def test_signing_out_ends_it_and_needs_its_token(stage: DispatcherHarness) -> None:
    cookie, session = stage.signed_in(WebRole.VIEWER)
    assert stage.post("/sign-out", {}, cookie).status == 403
    assert stage.get("/look", cookie=cookie).status == 200
    answer = stage.post("/sign-out", {"csrf": session.csrf_token()}, cookie)
    assert (answer.status, answer.fields["location"]) == (303, "/sign-in")
    assert "Max-Age=0" in answer.fields["set-cookie"]
    assert stage.get("/look", cookie=cookie).status == 303


def test_of_two_cookies_of_our_name_neither_counts(stage: DispatcherHarness) -> None:
    cookie, _ = stage.signed_in(WebRole.VIEWER)
    name = "answerable-8470"
    for tossed in (f"{name}=x; {name}={cookie}", f"{name}={cookie}; {name}=x"):
        assert stage.get("/look", headers={"cookie": tossed}).status == 303
    two = (("cookie", f"{name}={cookie}"), ("cookie", f"{name}=x"))
    assert stage.get("/look", more=two).status == 303


def test_one_person_cannot_fill_the_memory_with_sessions(
    stage: DispatcherHarness,
) -> None:
    for _ in range(MAX_PER_PERSON + 5):
        stage.signed_in(WebRole.VIEWER)
    assert len(stage.sessions) == MAX_PER_PERSON


@pytest.mark.parametrize("secure", [False, True])
def test_the_cookie_is_for_us_alone(stage: DispatcherHarness, secure: bool) -> None:
    stage.url = "https://127.0.0.1:8470" if secure else URL
    headers = {"origin": stage.url}
    said = stage.post(
        "/sign-in", {"token": stage.token.take_text_once()}, headers=headers
    )
    parts = said.fields["set-cookie"].split("; ")
    assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= set(parts)
    assert not any(part.startswith("Domain") for part in parts)
    assert ("Secure" in parts) is secure
    assert parts[0].startswith("__Host-") is secure
