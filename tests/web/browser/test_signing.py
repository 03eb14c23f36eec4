"""What a person does about an agent in the browser, and what the agent notices of it."""

import re
import time
from typing import Any

from tests.web.browser.conftest import Demo, Look

CLERK = "agent:declared/clerk"
CLICKS = 5


def test_who_answers_for_the_attempt_is_found_in_five_clicks(
    look: Look, demo: Demo
) -> None:
    """From the page that the printed link leads to, by what the pages say."""
    clicks = 0
    with look() as page:
        page.goto(demo.url)
        for what in (
            lambda: page.get_by_role("link", name="Decisions").first,
            lambda: page.locator("tr", has_text="audit@evil.example").get_by_role(
                "link"
            ),
        ):
            what().first.click()
            page.wait_for_load_state("load")
            clicks += 1
        assert "/decision?" in page.url
        body = page.inner_text("main")
        assert "audit@evil.example" in body
        answers = body[body.index("Responsible people") :]
        assert "ana@corp.example" in answers
        assert "attested" in answers
    assert clicks <= CLICKS


def test_an_owner_signs_in_the_browser_and_the_agent_goes_on(
    person_browser: Any, demo: Demo
) -> None:
    asked = demo.wait_for_line(r".*exchange_rate CHF: ask ([0-9a-f]{32})")[1]
    with person_browser.new_page() as page:
        page.goto(f"{demo.url}/ask?id={asked}")
        page.get_by_role("button", name="Show what I would sign").click()
        page.get_by_role("button", name="Sign with the key in this browser").click()
        page.wait_for_url(re.compile(r".*/(ask|asks)\b.*"))
        assert "allowed" in page.inner_text("main")
    demo.wait_for_line(r"\d\d:\d\d:\d\d  exchange_rate CHF")


def test_a_new_decision_arrives_while_one_looks(look: Look, demo: Demo) -> None:
    with look() as page:
        page.goto(f"{demo.url}/decisions")
        rows = page.locator("main tbody tr")
        newest = rows.first.inner_text()
        href = rows.first.get_by_role("link").first.get_attribute("href")
        deadline = time.monotonic() + 40
        while rows.first.get_by_role("link").first.get_attribute("href") == href:
            assert time.monotonic() < deadline, newest
            page.wait_for_timeout(250)


def test_a_kill_stops_the_agent_until_it_is_revived(look: Look, demo: Demo) -> None:
    with look() as page:
        page.goto(f"{demo.url}/agent?id={CLERK}")
        page.get_by_role("button", name="Kill it").click()
        page.wait_for_load_state("load")
        assert "killed" in page.inner_text("body").lower()
        # The token service does not even take it up.
        demo.wait_for_line(
            r".*(list_invoices: deny [0-9a-f]{32}|the agent was not started.*)"
        )
        page.goto(f"{demo.url}/agent?id={CLERK}")
        page.get_by_role("button", name="Revive").first.click()
        page.wait_for_load_state("load")
        before = len(demo.lines)
        deadline = time.monotonic() + 60
        while not any("send_mail" in line for line in demo.lines[before:]):
            assert time.monotonic() < deadline, demo.lines[before:]
            page.wait_for_timeout(250)
