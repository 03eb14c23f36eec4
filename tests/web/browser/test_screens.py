"""Every page, light and dark, from a phone to a wide screen, and without script."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from answerable.cli.sample.account import CUSTOMER_BUCKET, DATA_READER, REPORT_KEY
from answerable.web.pages.reach.question import REMOVED_FIELDS
from answerable.web.route_table import ROUTES
from tests.web.browser.conftest import (
    HEIGHT,
    NARROW,
    WIDE,
    WIDTHS,
    Demo,
    Look,
    settled,
    violations,
)

CLERK = "agent:declared/clerk"
OBJECTS = f"{CUSTOMER_BUCKET}/*"
STATEMENT = "arn:aws:iam::111122223333:user/report-bot#inline/inline#3"
READ = {"action": "s3:GetObject", "resource": OBJECTS}


def at(path: str, **said: str) -> str:
    return f"{path}?{urlencode(said)}" if said else path


# By name: what is looked at, and a text that has to stand there.
PAGES = {
    "overview": (at("/"), "agents"),
    "agents": (at("/agents"), "declared/clerk"),
    "identities": (at("/identities"), "data-reader"),
    "credentials": (at("/credentials"), "aws-access-key"),
    "people": (at("/people"), "ana@corp.example"),
    "tools": (at("/tools"), "warehouse"),
    "agent-clerk": (at("/agent", id=CLERK), "attested"),
    "agent-inferred": (at("/agent", id="agent:claude-code/ana"), "inferred"),
    "identity": (at("/identity", id=DATA_READER), "data-reader"),
    "credential": (at("/credential", id=f"cred:aws/{REPORT_KEY}"), "report-bot"),
    "person": (at("/person", id="person:ana@corp.example"), "ana@corp.example"),
    "show": (at("/show", id="tool:mcp/warehouse/*"), "warehouse"),
    "search": (at("/search", q="report"), "report-bot"),
    "search-similar": (at("/search", q="data-raeder"), "Did you mean"),
    "trace-empty": (at("/trace"), "Investigation"),
    "trace-trail": (at("/trace", q=f"resource:{CUSTOMER_BUCKET}/customers/*"), "s3:"),
    "trace-hops": (at("/trace/hops", q=f"agent:{CLERK}"), "Statuses of the hops"),
    "trace-chains": (at("/trace/chains"), "chains behind"),
    "trace-compare": (at("/trace/compare", q="since:2d"), "iam:CreateRole"),
    "trace-saved": (at("/trace/saved"), "Saved queries"),
    "cases": (at("/cases"), "Open a case"),
    "findings": (at("/findings"), "administrator"),
    "finding-trend": (at("/findings/trend"), "resolved"),
    "changes": (at("/changes"), "Changes"),
    "trace-office": (at("/trace", q=f"agent:{CLERK}"), "denied"),
    "pins": (at("/tools/diff", all="yes"), "office"),
    "reach": (at("/reach", subject=f"cred:aws/{REPORT_KEY}"), "s3:"),
    "reach-paths": (
        at("/reach", subject="agent:claude-code/ana/reporter", rows="none"),
        "Choke points",
    ),
    "reach-one-path": (
        at("/reach", subject=f"cred:aws/{REPORT_KEY}", to=DATA_READER),
        "Only as",
    ),
    "reach-all": (at("/reach/all"), "report-bot"),
    "what-if-cuts": (
        at("/what-if/cuts", subject=f"cred:aws/{REPORT_KEY}", resource=OBJECTS),
        "logged calls that end",
    ),
    "can": (at("/can", subject=f"cred:aws/{REPORT_KEY}", **READ), "always"),
    "who-can": (at("/who-can", **READ), "data-reader"),
    "what-if": (
        at(
            "/what-if",
            subject=f"cred:aws/{REPORT_KEY}",
            **{REMOVED_FIELDS[0]: STATEMENT},
        ),
        "is removed",
    ),
    "baselines": (at("/baselines"), "clerk"),
    "baseline": (at("/baseline", agent=CLERK), "send_mail"),
    "decisions": (at("/decisions"), "behaviour"),
    "asks": (at("/asks"), "send_mail"),
    "evidence": (at("/evidence"), "checkpoint"),
    "keys": (at("/keys"), "owner-key"),
    "kills": (at("/kills"), "kill"),
    "kill": (at("/kill", subject=CLERK), "Stays valid elsewhere"),
}


@pytest.fixture
def there(demo: Demo) -> dict[str, tuple[str, str]]:
    """All pages, with those that are about one decision of this demo."""
    denied = demo.wait_for_line(
        r".*audit@evil\.example Customers: deny ([0-9a-f]{32})"
    )[1]
    asked = demo.wait_for_line(r".*exchange_rate CHF: ask ([0-9a-f]{32})")[1]
    own = {
        "decision": (at("/decision", id=denied), "audit@evil.example"),
        "event": (at("/event", id=denied), "send_mail"),
        "ask": (at("/ask", id=asked), "exchange_rate"),
        "proof": (at("/proof", id=denied), "proof"),
    }
    return PAGES | own


NAMES = (*PAGES, "decision", "event", "ask", "proof")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_whole_in_any_width_and_scheme(
    look: Look,
    demo: Demo,
    there: dict[str, tuple[str, str]],
    screens: Path,
    axe: str,
    name: str,
    scheme: str,
) -> None:
    where, says = there[name]
    with look(color_scheme=scheme) as page:
        answer = page.goto(demo.url + where)
        assert answer.status == 200
        for width in WIDTHS if scheme == "light" else (NARROW, WIDE):
            page.set_viewport_size({"width": width, "height": HEIGHT})
            settled(page)
            page.screenshot(path=screens / f"{name}-{scheme}-{width}.png")
            wide = page.evaluate("document.scrollingElement.scrollWidth")
            assert wide <= width, f"{wide} px of {width}"
            if width in (NARROW, WIDE):
                assert violations(page, axe) == []
        assert says in page.inner_text("body")


FORCED = {"viewport": {"width": WIDE, "height": HEIGHT}, "forced_colors": "active"}
# Zoom halves the width in CSS pixels, and doubles those of the device.
ZOOMED = {"viewport": {"width": WIDE // 2, "height": HEIGHT // 2}}
ZOOMED |= {"device_scale_factor": 2}


@pytest.mark.parametrize("seen", [FORCED, ZOOMED], ids=["forced-colours", "zoom-200"])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_accessible_in_forced_colours_and_at_twice_the_size(
    look: Look,
    demo: Demo,
    there: dict[str, tuple[str, str]],
    axe: str,
    name: str,
    seen: dict[str, Any],
) -> None:
    where, says = there[name]
    with look(**seen) as page:
        assert page.goto(demo.url + where).status == 200
        settled(page)
        wide = page.evaluate("document.scrollingElement.scrollWidth")
        assert wide <= seen["viewport"]["width"]
        assert violations(page, axe) == []
        assert says in page.inner_text("body")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_the_same_without_script(
    look: Look,
    demo: Demo,
    there: dict[str, tuple[str, str]],
    screens: Path,
    name: str,
) -> None:
    where, says = there[name]
    with look(java_script_enabled=False) as page:
        page.set_viewport_size({"width": 1280, "height": HEIGHT})
        assert page.goto(demo.url + where).status == 200
        page.screenshot(path=screens / f"{name}-without-script.png")
        assert says in page.inner_text("body")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_events_become_a_case_with_a_bundle_in_three_clicks(
    look: Look, demo: Demo, axe: str, screens: Path, scheme: str
) -> None:
    with look(accept_downloads=True, color_scheme=scheme) as page:
        page.set_viewport_size({"width": 1440, "height": HEIGHT})
        page.goto(demo.url + PAGES["trace-trail"][0])
        form = page.get_by_role("form", name="Case")
        form.get_by_label("title").last.fill(f"Customer data, {scheme}")
        form.get_by_role("button").click()
        page.wait_for_url(lambda url: "/case?id=" in url)
        with page.expect_download() as bundle:
            page.get_by_role("link", name="Download the bundle").click()
        assert bundle.value.suggested_filename.endswith(".bundle")
        for width in (NARROW, WIDE):
            page.set_viewport_size({"width": width, "height": HEIGHT})
            settled(page)
            page.screenshot(path=screens / f"case-{scheme}-{width}.png")
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            assert violations(page, axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_finding_is_whole_and_accessible(
    look: Look, demo: Demo, axe: str, screens: Path, scheme: str
) -> None:
    with look(color_scheme=scheme) as page:
        page.goto(f"{demo.url}/findings?state=open")
        page.locator("main tbody a").first.click()
        page.wait_for_url(lambda url: "/finding?id=" in url)
        for width in (NARROW, WIDE):
            page.set_viewport_size({"width": width, "height": HEIGHT})
            settled(page)
            page.screenshot(path=screens / f"finding-{scheme}-{width}.png")
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            assert violations(page, axe) == []
        assert "Repair" in page.inner_text("main")


def test_every_page_of_the_table_is_looked_at(there: dict[str, Any]) -> None:
    looked_at = {where.partition("?")[0] for where, _ in there.values()}
    assert pages_of_the_table() - looked_at == set()


# Answered with a part of a page, a file or JSON, or by a form of another page.
NO_PAGES = {
    "/search/complete",
    "/trace/complete",
    "/trace/export",
    "/trace/span",
    "/trace/times",
    "/reach/complete",
    "/reach/graph",
    "/baseline/replay",
    "/sign",
    "/proof/bundle",
    "/case",  # opened by the test below
    "/case/bundle",
    "/case/page",
    "/evidence/key",
    "/evidence/checkpoint",
    "/finding",  # opened by the test below
}


def pages_of_the_table() -> set[str]:
    return {
        route.path
        for route in ROUTES
        if route.method == "GET" and not route.path.startswith("/api/")
    } - NO_PAGES
