"""Which host, which page, and which session a request comes from."""

from urllib.parse import quote

import pytest

from answerable.web.auth.sessions import WebSession
from answerable.web.visitor import WebRole
from tests.web.dispatcher_harness import FORM, HOST, URL, DispatcherHarness
from tests.web.echo_routes import CountingRoute


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:8471", "127.0.0.1:8470.evil", ""]
)
def test_another_host_is_refused(
    stage: DispatcherHarness, admin: tuple[str, WebSession], host: str
) -> None:
    answer = stage.get("/look", headers={"host": host}, cookie=admin[0])
    assert answer.status == 421
    assert "evil" not in answer.text


def test_a_host_that_stands_twice_is_refused(stage: DispatcherHarness) -> None:
    assert stage.get("/look", more=(("host", HOST),)).status == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:9999", "sec-fetch-site": "same-site"},
        {"origin": URL, "sec-fetch-site": "cross-site"},
        {"origin": "http://evil.example", "sec-fetch-site": ""},
        {"origin": "https://127.0.0.1:8470", "sec-fetch-site": ""},
        {"origin": "null", "sec-fetch-site": ""},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": URL, "sec-fetch-site": "none"},
    ],
)
def test_a_form_of_another_page_does_nothing(
    stage: DispatcherHarness,
    admin: tuple[str, WebSession],
    acts: CountingRoute,
    fields: dict[str, str],
) -> None:
    cookie, session = admin
    form = {"csrf": session.csrf_token()}
    fields = {name: value for name, value in fields.items() if value}
    kind = {"content-type": FORM}
    body = f"csrf={quote(form['csrf'])}".encode()
    answer = stage.ask("POST", "/act", {**kind, **fields}, body, cookie=cookie)
    assert (answer.status, acts.done) == (403, [])


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": URL, "sec-fetch-site": "same-origin"},
        {"origin": "null", "sec-fetch-site": "same-origin"},  # our pages: no referrer
        {"origin": URL},
        {},  # no browser
    ],
)
def test_a_form_of_ours_is_taken(
    stage: DispatcherHarness,
    admin: tuple[str, WebSession],
    acts: CountingRoute,
    fields: dict[str, str],
) -> None:
    cookie, session = admin
    body = f"csrf={quote(session.csrf_token())}&what=this".encode()
    answer = stage.ask(
        "POST", "/act", {"content-type": FORM, **fields}, body, cookie=cookie
    )
    assert (answer.status, acts.done) == (303, [{"what": "this"}])


def test_another_page_may_link_here_and_neither_embed_nor_fetch(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    cross = {"sec-fetch-site": "cross-site"}
    ways = {
        ("navigate", "document"): 200,
        ("navigate", "iframe"): 403,
        ("no-cors", "image"): 403,
        ("cors", "empty"): 403,
    }
    for (mode, dest), status in ways.items():
        fields = {**cross, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
        assert stage.get("/look", headers=fields, cookie=admin[0]).status == status


@pytest.mark.parametrize("token", ["", "x", "A" * 86, "é", "A" * 10_000])
def test_a_form_without_its_token_does_nothing(
    stage: DispatcherHarness,
    admin: tuple[str, WebSession],
    acts: CountingRoute,
    token: str,
) -> None:
    answer = stage.post("/act", {"csrf": token}, admin[0])
    assert (answer.status, acts.done) == (403, [])


def test_the_token_of_another_session_does_nothing(
    stage: DispatcherHarness, admin: tuple[str, WebSession], acts: CountingRoute
) -> None:
    _, other = stage.signed_in(WebRole.ADMIN)
    answer = stage.post("/act", {"csrf": other.csrf_token()}, admin[0])
    assert (answer.status, acts.done) == (403, [])


def test_a_token_is_never_written_the_same_way_twice(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    _, session = admin
    first, second = session.csrf_token(), session.csrf_token()
    assert first != second
    assert session.accepts_csrf(first)
    assert session.accepts_csrf(second)
    letters = sum(a == b for a, b in zip(first, second, strict=True))
    assert letters < len(first) // 4  # and have nothing in common


def test_a_token_may_come_in_a_field_of_the_head(
    stage: DispatcherHarness, admin: tuple[str, WebSession], acts: CountingRoute
) -> None:
    fields = {"x-csrf-token": admin[1].csrf_token()}
    assert stage.post("/act", {}, admin[0], headers=fields).status == 303
    assert len(acts.done) == 1


def test_nothing_but_a_post_changes_anything(
    stage: DispatcherHarness, admin: tuple[str, WebSession], acts: CountingRoute
) -> None:
    token = quote(admin[1].csrf_token())
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = stage.ask(method, f"/act?csrf={token}", cookie=admin[0])
        assert answer.status in (404, 405)
    for name in ("x-http-method-override", "x-method-override"):
        answer = stage.get("/act", headers={name: "POST"}, cookie=admin[0])
        assert answer.status == 405
    assert acts.done == []


def test_a_post_without_a_session_does_nothing(
    stage: DispatcherHarness, acts: CountingRoute
) -> None:
    answer = stage.post("/act", {"what": "this"})
    assert (answer.status, answer.fields["location"]) == (303, "/sign-in")
    assert acts.done == []
