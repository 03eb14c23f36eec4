"""A refused form shows its values again, and no refusal loses what a person typed."""

import html
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from answerable.model.ids import PersonId
from answerable.web.http.request_parsing import parse_fields
from answerable.web.route_table import ROUTES
from answerable.web.routing import WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.template_rendering import template_environment
from answerable.web.visitor import WebRole
from tests.web.dispatcher_harness import FORM, URL, DispatcherHarness, HarnessResponse

ANA = PersonId("person:ana@corp.example")
FORMS = [each for each in ROUTES if each.labels]
TYPED = 'Line one "quoted" <b>\nline two \u200d'
_FORM = re.compile(r'<form[^>]* method="post"[^>]*>.*?</form>', re.S)
_FIELD = re.compile(r"<(input|textarea|select)\b([^>]*)>", re.S)


@pytest.fixture(scope="module")
def stage(desk: StoreCache) -> DispatcherHarness:
    return DispatcherHarness(desk)


@pytest.fixture
def cookie(stage: DispatcherHarness) -> str:
    return stage.signed_in(*WebRole, person=ANA)[0]


def send(
    stage: DispatcherHarness, route: WebRoute, cookie: str, **more: str
) -> HarnessResponse:
    """Send a form whose typed fields hold a text that each refusal must show."""
    fields = dict.fromkeys(route.labels, TYPED) | more
    return stage.post(route.path, fields, cookie)


def shown_values(answer: HarnessResponse) -> dict[str, str]:
    """Return the values of the form on a page, by field."""
    areas = re.findall(
        r'<textarea id="again-[^"]*" name="([^"]*)"[^>]*>\n(.*?)</textarea>',
        answer.text,
        re.S,
    )
    boxes = re.findall(
        r'<input id="again-[^"]*" name="([^"]*)" value="([^"]*)"', answer.text
    )
    return {name: html.unescape(value) for name, value in (*areas, *boxes)}


@pytest.mark.parametrize("route", FORMS, ids=lambda each: each.path)
def test_a_form_of_an_older_session_is_shown_again(
    stage: DispatcherHarness, cookie: str, route: WebRoute
) -> None:
    refused = send(stage, route, cookie, csrf="stale")
    assert refused.status == 403
    assert shown_values(refused) == dict.fromkeys(route.labels, TYPED)
    assert "stale" not in refused.text


@pytest.mark.parametrize("route", FORMS, ids=lambda each: each.path)
def test_a_form_after_the_end_of_the_session_is_shown_again(
    stage: DispatcherHarness, route: WebRoute
) -> None:
    refused = send(stage, route, "")
    assert refused.status == 401
    assert shown_values(refused) == dict.fromkeys(route.labels, TYPED)
    assert 'href="/sign-in" target="_blank"' in refused.text


@pytest.mark.parametrize("route", FORMS, ids=lambda each: each.path)
@pytest.mark.parametrize("flaw", ["\x00\x1b", "unknown", "repeated", "no UTF-8"])
def test_a_form_that_cannot_be_read_is_shown_again(
    stage: DispatcherHarness, cookie: str, route: WebRoute, flaw: str
) -> None:
    first, *others = route.labels
    sent = dict.fromkeys(others, "word")
    body = urlencode(sent | {first: f"one{flaw if len(flaw) == 2 else ''} two"})
    body += {"unknown": "&x=y", "repeated": f"&{first}=z", "no UTF-8": "&y=%ff"}.get(
        flaw, ""
    )
    headers = {"content-type": FORM, "origin": URL, "sec-fetch-site": "same-origin"}
    refused = stage.ask("POST", route.path, headers, body.encode(), cookie=cookie)
    assert refused.status == 400
    assert shown_values(refused) == {first: "one two", **sent}


def test_fields_that_the_page_set_are_shown_and_stay(
    stage: DispatcherHarness, cookie: str
) -> None:
    sent = {"case": "0" * 32, "text": "a long note", "csrf": "stale"}
    refused = stage.post("/case/note", sent, cookie)
    assert shown_values(refused) == {"case": "0" * 32, "text": "a long note"}
    (box,) = re.findall('<input[^>]* name="case"[^>]*>', refused.text)
    assert "readonly" in box
    (token,) = re.findall(
        r'<form method="post" action="/case/note".*?name="csrf" value="([^"]+)"',
        refused.text,
        re.S,
    )
    again = stage.post("/case/note", sent | {"csrf": token}, cookie)
    assert "does not belong to this session" not in again.text


def test_a_signature_is_not_shown_again_but_its_statement_is_one_link_away(
    stage: DispatcherHarness, cookie: str
) -> None:
    sent = {"act": "attest", "id": "agent:x", "envelope": "signed", "csrf": "stale"}
    refused = stage.post("/sign", sent, cookie)
    assert refused.status == 403
    assert "signed" not in refused.text.replace("signed in", "")
    assert 'href="/sign?act=attest&amp;id=agent%3Ax"' in refused.text


def test_a_query_with_a_wrong_value_can_be_corrected(
    stage: DispatcherHarness, cookie: str
) -> None:
    refused = stage.get("/findings?severity=grave&q=ana", cookie=cookie)
    assert refused.status == 400
    assert shown_values(refused) == {"severity": "grave", "q": "ana"}
    assert "<h1>An entry is not accepted</h1>" in refused.text
    assert '<form method="get" action="/findings"' in refused.text


def test_a_form_sends_only_fields_that_its_address_accepts() -> None:
    accepted = {(each.path, each.method): {*each.parameters} for each in ROUTES}
    sent: list[tuple[str, str, str]] = []
    for template, source in template_sources():
        assert "formaction" not in source, template  # another address, same fields
        for form in re.findall(r"<form\b[^>]*>.*?</form>", source, re.S):
            start = form[: form.index(">")]
            method = "POST" if 'method="post"' in start else "GET"
            path = re.findall(r'action="(/[^"{]*)"', start)
            names = set(re.findall(r' name="([^"{]+)"', form))
            if method == "GET" and path:
                assert "marks.csrf" not in form, template  # it would be in addresses
            if path and not path[0].startswith("/sign-"):
                names -= accepted[path[0], method]
                sent += [(template, path[0], each) for each in names]
    assert sent == []


def template_sources() -> Iterator[tuple[str, str]]:
    """Yield name and text of each template."""
    made = template_environment()
    assert made.loader is not None
    for template in made.list_templates(extensions=["html"]):
        yield template, made.loader.get_source(made, template)[0]


def test_each_field_that_a_person_fills_in_has_a_label() -> None:
    labels = {each.path: set(each.labels) for each in ROUTES if each.method == "POST"}
    unlabelled = []
    for template, source in template_sources():
        for form in _FORM.findall(source):
            (path,) = re.findall(r'action="([^"]+)"', form[: form.index(">")])
            if path.startswith("/sign-") or "{" in path:
                continue  # the token of a sign-in is valid once
            names = {
                re.findall(r'name="([^"]+)"', text)[0]
                for _, text in _FIELD.findall(form)
                if "hidden" not in text and "name=" in text
            }
            if not names <= labels[path]:
                unlabelled.append((template, path, names - labels[path]))
    assert unlabelled == []


SECRETS = {
    "sk-ant-api03-" + "a" * 40: "***",
    "mail of ghp_" + "b" * 36: "mail of ***",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----": "***",
    "AKIARTX3GSDSRRFJNQSQ was used": "AKIARTX3GSDSRRFJNQSQ was used",
    "the token: it was renewed": "the token: it was renewed",
    "login with password=hunter2 here": "login with password=*** here",
}


@pytest.mark.parametrize("route", FORMS, ids=lambda each: each.path)
def test_a_credential_is_not_shown_again(
    stage: DispatcherHarness, cookie: str, route: WebRoute
) -> None:
    name = next(iter(route.labels))
    for sent, kept in SECRETS.items():
        refused = stage.post(route.path, {name: sent, "csrf": "stale"}, cookie)
        assert shown_values(refused) == {name: kept}
        assert "The form is from another session" in refused.text


def test_line_ends_of_a_form_are_line_feeds() -> None:
    assert parse_fields(b"text=one%0D%0Atwo%0Athree", ("text",)) == {
        "text": "one\ntwo\nthree"
    }


@pytest.mark.parametrize(
    ("path", "sent", "back"),
    [
        ("/case/note", {"case": "0a1b", "text": "x"}, "/case?id=0a1b"),
        ("/person/merge", {"person": "person:ana", "other": "x"}, "/person?id=person"),
        ("/keys/enroll", {"person": "ana", "public": "x"}, "/keys"),
        ("/kill", {"subject": "agent:x"}, "/kill?subject=agent%3Ax"),
    ],
)
def test_a_refused_form_leads_back_to_its_page(
    stage: DispatcherHarness, cookie: str, path: str, sent: dict[str, str], back: str
) -> None:
    refused = stage.post(path, sent | {"csrf": "stale"}, cookie)
    (link,) = re.findall(r'<a href="([^"]+)">Back to the page</a>', refused.text)
    assert link.startswith(back)
