"""Every page, light and dark, from a phone to a wide screen, and without script."""

from collections.abc import Mapping
from dataclasses import dataclass
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
    "cases": (at("/cases"), "Cases"),
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
    "owners": (at("/owners"), "Owner"),
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
        "sign": (at("/sign", act="allow", id=asked), "exchange_rate"),
    }
    return PAGES | own


@dataclass(frozen=True)
class Mode:
    """How a person looks at all pages.

    Attributes:
        pictures: Whether a picture of each page is kept.
        others: More widths, of which only the width of the page and a picture count.
        printed: Whether it is the page on paper: nobody operates it.
    """

    width: int
    seen: Mapping[str, object]
    pictures: bool = False
    others: tuple[int, ...] = ()
    printed: bool = False


def size(width: int, height: int = HEIGHT) -> dict[str, int]:
    return {"width": width, "height": height}


# Zoom halves the width in CSS pixels, and doubles those of the device.
ZOOMED = {"viewport": size(WIDE // 2, HEIGHT // 2), "device_scale_factor": 2}
BETWEEN = tuple(each for each in WIDTHS if each not in (NARROW, WIDE))
MODES = {
    "forced-colours": Mode(WIDE, {"viewport": size(WIDE), "forced_colors": "active"}),
    "zoom-200": Mode(WIDE // 2, ZOOMED),
    # A4 at 96 dpi, of a person who reads in the dark.
    "print-794": Mode(
        794,
        {"viewport": size(794, 1123), "color_scheme": "dark"},
        pictures=True,
        printed=True,
    ),
    **{
        f"{scheme}-{width}": Mode(
            width,
            {"viewport": size(width), "color_scheme": scheme},
            pictures=True,
            others=BETWEEN if (scheme, width) == ("light", WIDE) else (),
        )
        for scheme in ("light", "dark")
        for width in (NARROW, WIDE)
    },
}


@pytest.mark.parametrize("mode", MODES)
def test_every_page_is_whole_and_accessible(
    look: Look,
    demo: Demo,
    there: dict[str, tuple[str, str]],
    screens: Path,
    axe: str,
    mode: str,
) -> None:
    looks, faults = MODES[mode], []
    with look(**looks.seen) as page:
        page.emulate_media(media="print" if looks.printed else "screen")
        for name, (where, says) in there.items():
            answer = page.goto(demo.url + where)
            settled(page)
            found = [] if answer.status == 200 else [f"status {answer.status}"]
            found += [] if says in page.inner_text("body") else [f"no {says!r}"]
            found += [] if looks.printed else violations(page, axe)
            for width in (looks.width, *looks.others):
                if width != looks.width:
                    page.set_viewport_size(size(width))
                if looks.pictures:
                    scheme = mode.partition("-")[0]
                    page.screenshot(path=screens / f"{name}-{scheme}-{width}.png")
                wide = page.evaluate("document.scrollingElement.scrollWidth")
                found += [f"{wide} px of {width}"] if wide > width else []
            if looks.others:
                page.set_viewport_size(size(looks.width))
            faults += [f"{name}: {each}" for each in found]
    assert faults == []


# Each that Tab stops at, as it is in the page: what is not shown is none.
STOPS = """() => [...document.querySelectorAll(
  "a[href], button, input, select, textarea, summary, [tabindex]")].filter((each) =>
  each.tabIndex >= 0 && !each.disabled && each.type !== "hidden" &&
  each.checkVisibility({ visibilityProperty: true })).length"""
AT = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  at.dataset.stop ??= `${document.querySelectorAll("[data-stop]").length}`;
  // A link in a drawing is shown by the frame of its box.
  const box = at.closest("svg") && at.querySelector("rect");
  const framed = box && parseFloat(getComputedStyle(box).strokeWidth) >= 2;
  const drawn = framed || getComputedStyle(at).outlineStyle !== "none";
  return [at.dataset.stop, drawn, at.outerHTML.slice(0, 120)];
}"""
MOST_STOPS = 60


def test_every_page_is_walked_by_tab_alone_and_shows_where_one_is(
    look: Look, demo: Demo, there: dict[str, tuple[str, str]]
) -> None:
    faults: list[str] = []
    with look(viewport=size(WIDE)) as page:
        for name, (where, _) in there.items():
            page.goto(demo.url + where)
            settled(page)
            expected, seen = page.evaluate(STOPS), set()
            for _ in range(min(expected, MOST_STOPS)):
                page.keyboard.press("Tab")
                at = page.evaluate(AT)
                if at is None:
                    break
                stop, drawn, said = at
                faults += [] if drawn else [f"{name}: not drawn: {said}"]
                faults += [f"{name}: a trap: {said}"] if stop in seen else []
                seen.add(stop)
            if len(seen) < min(expected, MOST_STOPS) - 1:  # a group of radios is one
                faults.append(f"{name}: {len(seen)} stops of {expected}")
    assert faults == []


def test_every_page_says_the_same_without_script(
    look: Look, demo: Demo, there: dict[str, tuple[str, str]], screens: Path
) -> None:
    faults: list[str] = []
    with look(java_script_enabled=False, viewport=size(1280)) as page:
        for name, (where, says) in there.items():
            answer = page.goto(demo.url + where)
            page.screenshot(path=screens / f"{name}-without-script.png")
            if answer.status != 200 or says not in page.inner_text("body"):
                faults.append(f"{name}: {answer.status}, no {says!r}")
    assert faults == []


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


def test_the_sign_in_page_is_as_wide_as_a_phone(look: Look, demo: Demo) -> None:
    with look(color_scheme="light") as page:
        page.set_viewport_size({"width": NARROW, "height": HEIGHT})
        page.goto(f"{demo.url}/sign-in")
        page.locator("input#token").wait_for()
        assert page.evaluate("document.scrollingElement.scrollWidth") <= NARROW


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
