"""Whatever is sent to whatever route comes back as text, or not at all."""

from urllib.parse import quote

import pytest

from answerable.model.ids import PersonId
from answerable.web.route_table import ROUTES
from answerable.web.routing import WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole
from tests.web.dispatcher_harness import DispatcherHarness, HarnessResponse
from tests.web.markup_checks import markup_faults

ANA = PersonId("person:ana@corp.example")
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    '" autofocus onfocus=alert(1) x="',
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "</title></textarea></svg><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}${7*7}",
    "\u202e\u2066gnp.exe\u200b",
    "a\r\nSet-Cookie: x=y",
    "../../../../etc/passwd",
    "%2e%2e%2f%00",
    "' OR 1=1 --",
    "-1",
    "9" * 400,
    "x" * 6000,
    "\U0001f600\ud7ff\ufffd",
)
# What a page would not take for a fault of whoever typed it.
TOGETHER = "".join(each for each in HOSTILE if each.isprintable() and len(each) < 99)


def wrong(answer: HarnessResponse) -> list[str]:
    """Name what a browser would do that nobody meant."""
    kind = answer.fields.get("content-type", "")
    found = [f"{answer.status}"] if answer.status >= 500 else []
    for name, value in answer.headers:
        if not value.isprintable() or (name == "set-cookie" and "x=y" in value):
            found.append(f"{name}: {value!r}")
    where = answer.fields.get("location", "/")
    if not where.startswith("/") or where.startswith("//"):
        found.append(f"location {where}")
    if kind.startswith("text/html"):
        found += markup_faults(answer.text)
        if "49$" in answer.text:
            found.append("a template in a value was rendered")
    return found


def test_what_would_run_is_found() -> None:
    for body in (
        "<script>alert(1)</script>",
        "<p onclick=x>",
        "<a href='javascript:alert(1)'>",
        "<a href='//evil.example'>",
        "<p style='x'>",
        "<iframe>",
    ):
        told = HarnessResponse(200, [("content-type", "text/html")], body.encode())
        assert wrong(told), body


@pytest.fixture(scope="module")
def stage(desk: StoreCache) -> DispatcherHarness:
    return DispatcherHarness(desk)


@pytest.fixture(scope="module")
def cookie(stage: DispatcherHarness) -> str:
    return stage.signed_in(*WebRole, person=ANA)[0]


GETS = [each for each in ROUTES if each.method == "GET"]


@pytest.mark.parametrize("route", GETS, ids=lambda route: route.path)
def test_hostile_text_in_any_parameter_is_text(
    stage: DispatcherHarness, cookie: str, route: WebRoute
) -> None:
    assert wrong(stage.get(route.path, cookie=cookie)) == []
    for name in route.parameters:
        target = f"{route.path}?{name}={quote(TOGETHER)}"
        assert wrong(stage.get(target, cookie=cookie)) == [], name


@pytest.mark.world
@pytest.mark.parametrize("route", GETS, ids=lambda route: route.path)
def test_each_hostile_text_in_each_parameter_is_text(
    stage: DispatcherHarness, cookie: str, route: WebRoute
) -> None:
    for name in route.parameters:
        for text in HOSTILE:
            target = f"{route.path}?{name}={quote(text)}"
            assert wrong(stage.get(target, cookie=cookie)) == [], (name, text)


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.method == "POST"], ids=lambda route: route.path
)
def test_hostile_text_in_any_field_changes_nothing_it_should_not(
    stage: DispatcherHarness, cookie: str, route: WebRoute
) -> None:
    session = stage.sessions.find(cookie)
    assert session is not None
    for text in (TOGETHER, HOSTILE[-1]):
        form = dict.fromkeys(route.parameters, text) | {"csrf": session.csrf_token()}
        answer = stage.post(route.path, form, cookie)
        assert wrong(answer) == [], text


def test_nothing_went_wrong_in_here(stage: DispatcherHarness) -> None:
    assert stage.failures == []
