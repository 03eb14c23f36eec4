"""What stands on answers, what they leave out, and where they lead."""

import re
from urllib.parse import quote

import pytest

from answerable.web.auth.sessions import WebSession
from answerable.web.http.request_parsing import sanitize_redirect_path
from answerable.web.visitor import WebRole
from tests.web.dispatcher_harness import DispatcherHarness
from tests.web.echo_routes import CRLF


def test_every_answer_is_protected(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    targets = ["/look", "/none", "/assets/answerable.css", "/assets/x", "/healthz"]
    targets += [
        "/fails",
        "/hidden",
        "/sign-in",
        "/api/v1/fails",
        "/file?q=x",
        "/look?z=1",
    ]
    for target in targets:
        fields = stage.get(target, cookie=admin[0]).fields
        policy = fields["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert fields["x-content-type-options"] == "nosniff"
        assert fields["referrer-policy"] == "no-referrer"
        assert fields["cross-origin-resource-policy"] == "same-origin"
        assert fields["cross-origin-opener-policy"] == "same-origin"
        assert "server" not in fields
        assert "strict-transport-security" not in fields


def test_over_tls_a_browser_is_told_to_stay_there(stage: DispatcherHarness) -> None:
    stage.url = "https://127.0.0.1:8470"
    assert "max-age" in stage.get("/healthz").fields["strict-transport-security"]


def test_pages_are_kept_by_nobody_and_files_for_as_long_as_they_are_the_same(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    from answerable.web.static_assets import packaged_assets

    assert stage.get("/look", cookie=admin[0]).fields["cache-control"] == "no-store"
    url = packaged_assets()["answerable.css"].url
    assert "immutable" in stage.get(url).fields["cache-control"]
    old = stage.get("/assets/answerable.css?v=0")
    assert old.fields["cache-control"] == "no-cache"
    fields = {"if-none-match": old.fields["etag"]}
    assert stage.get("/assets/answerable.css", headers=fields).status == 304


@pytest.mark.parametrize(
    "name",
    [
        "../html.py",
        "..%2fhtml.py",
        "%2e%2e/html.py",
        "built/../../html.py",
        "/etc/passwd",
        "answerable.css/",
        "answerable.css%00",
        "ANSWERABLE.CSS",
        "",
        ".",
        "built",
        "__pycache__",
    ],
)
def test_a_file_that_is_not_in_the_list_is_not_there(
    stage: DispatcherHarness, name: str
) -> None:
    answer = stage.get(f"/assets/{name}")
    assert answer.status == 404
    assert b"def " not in answer.body


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/a\r\nSet-Cookie: x=y",
        "/a b",
        "/\u00e9",
        "evil.example",
        "",
    ],
)
def test_nobody_is_sent_anywhere_else(
    stage: DispatcherHarness, admin: tuple[str, WebSession], to: str
) -> None:
    assert sanitize_redirect_path(to) == "/"
    cookie, session = admin
    plain = to.isprintable()  # what is not is refused before
    answer = stage.post("/act", {"csrf": session.csrf_token(), "to": to}, cookie)
    if plain:
        assert answer.fields["location"] == ("/look" if not to else "/")
    answer = stage.post("/sign-in", {"token": stage.token.take_text_once(), "next": to})
    if answer.status == 303:
        assert answer.fields["location"] == "/"
    else:
        assert answer.status == 400
    page = stage.get(f"/sign-in?next={quote(to)}")
    assert "evil" not in page.text


def test_whoever_comes_without_a_session_comes_back_to_where_they_wanted(
    stage: DispatcherHarness,
) -> None:
    answer = stage.get("/look?q=agent%3Aa%2Fb&title=x")
    assert answer.fields["location"] == "/sign-in?" + "next=" + quote(
        "/look?q=agent%3Aa%2Fb&title=x", safe=""
    )
    assert stage.get("/look", headers={"hx-request": "true"}).status == 401


@pytest.mark.parametrize(
    "name",
    [CRLF, 'a"; filename=b', "../../etc/passwd", "\u202egnp.exe", ".htaccess", "é.csv"],
)
def test_the_name_of_a_file_is_a_proposal_and_no_header(
    stage: DispatcherHarness, admin: tuple[str, WebSession], name: str
) -> None:
    answer = stage.get(f"/file?q={quote(name)}", cookie=admin[0])
    if answer.status == 400:  # control characters
        assert "\r" in name
        return
    said = answer.fields["content-disposition"]
    assert said.isascii()
    assert said.startswith("attachment; filename=")
    assert said.count('"') == 2
    assert "/" not in said
    assert "set-cookie" not in answer.fields


def test_what_was_done_is_said_once(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    cookie, session = admin
    stage.post("/act", {"csrf": session.csrf_token()}, cookie)
    assert "it was done" in stage.get("/look", cookie=cookie).text
    assert "it was done" not in stage.get("/look", cookie=cookie).text


def test_a_fault_is_told_by_a_number_and_logged_without_a_value(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    for target in ("/fails", "/api/v1/fails"):
        answer = stage.get(target, cookie=admin[0])
        assert answer.status == 500
        assert "canary" not in answer.text
        assert "Traceback" not in answer.text
        assert "number" in answer.text
    assert [type(each) for each in stage.failures] == [ValueError, ValueError]


def test_what_one_may_not_see_is_told_as_what_is_not_there(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    hidden, none = (stage.get(t, cookie=admin[0]) for t in ("/hidden", "/none"))
    assert (hidden.status, none.status) == (404, 404)
    token = re.compile(r'name="csrf" value="[^"]+"')
    assert token.sub("", hidden.text) == token.sub("", none.text)
    assert "canary" not in hidden.text
    viewer, _ = stage.signed_in(WebRole.VIEWER)
    for method, path in (("GET", "/act"), ("GET", "/none/act")):
        answer = stage.ask(method, path, cookie=viewer)
        assert answer.status in (404, 405)


def test_an_error_that_was_meant_says_what_to_do(
    stage: DispatcherHarness, admin: tuple[str, WebSession]
) -> None:
    answer = stage.get("/usage", cookie=admin[0])
    assert answer.status == 400
    assert "do so" in answer.text
    assert stage.get("/wrong", cookie=admin[0]).status == 409
