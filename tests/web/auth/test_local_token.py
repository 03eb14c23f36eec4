"""The printed token: of use once, for a while, on this machine."""

import pytest

from answerable.model.ids import PersonId
from answerable.web.auth.local_token import MAX_TRIES, TOKEN_LIFETIME
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole
from tests.web.dispatcher_harness import DispatcherHarness

ANA = PersonId("person:ana@corp.example")


@pytest.fixture
def stage(desk: StoreCache) -> DispatcherHarness:
    return DispatcherHarness(desk, person=ANA)


def test_it_lets_an_administrator_in_who_owns_what_the_named_person_owns(
    stage: DispatcherHarness,
) -> None:
    told = stage.post(
        "/sign-in", {"token": stage.token.take_text_once(), "next": "/agents?q=a"}
    )
    assert (told.status, told.fields["location"]) == (303, "/agents?q=a")
    session = stage.sessions.find(told.cookie)
    assert session is not None
    assert (session.person, session.roles) == (ANA, {WebRole.ADMIN, WebRole.OWNER})
    assert stage.tried == [("local", "")]


def test_where_no_person_is_named_it_owns_nothing(desk: StoreCache) -> None:
    stage = DispatcherHarness(desk)
    told = stage.post("/sign-in", {"token": stage.token.take_text_once()})
    session = stage.sessions.find(told.cookie)
    assert session is not None
    assert (session.person, session.roles) == (None, {WebRole.ADMIN})


def test_it_is_of_use_once(stage: DispatcherHarness) -> None:
    token = stage.token.take_text_once()
    assert stage.post("/sign-in", {"token": token}).status == 303
    told = stage.post("/sign-in", {"token": token})
    assert (told.status, told.cookie) == (403, "")
    assert stage.tried[-1] == ("local", "used")


def test_it_is_of_use_for_ten_minutes(stage: DispatcherHarness) -> None:
    token = stage.token.take_text_once()
    stage.clock.now += TOKEN_LIFETIME
    assert stage.post("/sign-in", {"token": token}).status == 403
    assert stage.tried == [("local", "expired")]


def test_after_many_wrong_ones_the_right_one_is_of_no_use(
    stage: DispatcherHarness,
) -> None:
    token = stage.token.take_text_once()
    for _ in range(MAX_TRIES):
        assert stage.post("/sign-in", {"token": "x" * 43}).status == 403
    assert stage.post("/sign-in", {"token": token}).status == 403


@pytest.mark.parametrize("peer", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", ""])
def test_it_is_refused_from_another_machine(
    stage: DispatcherHarness, peer: str
) -> None:
    token = stage.token.take_text_once()
    assert stage.post("/sign-in", {"token": token}, peer=peer).status == 403
    assert stage.tried == [("local", "far")]
    assert stage.post("/sign-in", {"token": token}).status == 303  # it was not used up


def test_it_is_refused_where_a_proxy_speaks_for_somebody(
    stage: DispatcherHarness,
) -> None:
    headers = {"x-forwarded-for": "127.0.0.1"}
    told = stage.post(
        "/sign-in", {"token": stage.token.take_text_once()}, headers=headers
    )
    assert told.status == 403
    assert stage.tried == [("local", "far")]


def test_a_page_elsewhere_cannot_use_it(stage: DispatcherHarness) -> None:
    headers = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    told = stage.post(
        "/sign-in", {"token": stage.token.take_text_once()}, headers=headers
    )
    assert (told.status, stage.tried) == (403, [])


def test_an_answer_never_repeats_it(stage: DispatcherHarness) -> None:
    token = "z" * 50 + "<script>"
    told = stage.post("/sign-in", {"token": token})
    assert token not in told.text
    assert "<script>alert" not in told.text
