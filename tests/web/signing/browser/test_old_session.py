"""An ask is answered in a session older than an hour; a key signs in where one ended."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.chromium import CHROMIUM
from tests.web.signing.browser.test_browser_signs import (
    CONFIG,
    SECONDS,
    Serving,
    held_back,
    owned,
)

pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium"),
]
PATIENCE = 120_000  # ms
MINUTE = 60


@pytest.fixture
def age(tmp_path: Path) -> Path:
    """The file with the seconds by which sessions are older."""
    place = tmp_path / "age"
    place.write_text("0")
    return place


@pytest.fixture
def serving(tmp_path: Path, age: Path) -> Iterator[Serving]:
    owned(tmp_path / "store")
    decision = held_back(tmp_path / "store" / "gateway" / "spool")
    (tmp_path / "answerable.yaml").write_text(CONFIG)
    said = ("serve", "--only", "web", "--config", str(tmp_path / "answerable.yaml"))
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.web.signing.browser.aged_server", str(age)),
            *("--store", str(tmp_path / "store"), *said, "--listen", "127.0.0.1:0"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            found = re.fullmatch(r".*(http://\S+/sign-in#\S+)\s*", line)
            if found:
                yield Serving(tmp_path / "store", found[1], decision)
                break
    finally:
        process.terminate()
        process.wait(SECONDS)
        process.stdout.close()


def open_page_with_key(serving: Serving, context: Any) -> Any:
    """Sign in by the link, and create an owner key in the browser."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(serving.link)
    page.wait_for_url(lambda url: "/sign-in" not in url)
    page.goto(f"{serving.url}/keys")
    page.get_by_role("button", name="Create a key").click()
    page.get_by_text("in this browser", exact=True).wait_for()
    return page


def test_an_ask_is_answered_in_a_session_older_than_an_hour(
    serving: Serving, age: Path, chromium: Any
) -> None:
    context = chromium.new_context()
    page = open_page_with_key(serving, context)

    for minutes in (25, 50, 75):  # at work, with a pause shorter than the limit
        age.write_text(str(minutes * MINUTE))
        page.goto(f"{serving.url}/asks")
        assert "/sign-in" not in page.url
    page.locator("#main").get_by_role("link").first.wait_for()
    page.goto(f"{serving.url}/ask?id={serving.decision}")
    page.get_by_role("button", name="Show what I would sign").click()
    page.get_by_role("button", name="Sign with the key in this browser").click()
    page.wait_for_url(lambda url: "/ask" in url)
    assert "allowed" in page.locator("#main").inner_text()

    # To make another key needs a recent sign-in: the key in this browser is one.
    page.goto(f"{serving.url}/keys")
    page.locator("#main").get_by_role("link", name="Sign in again").click()
    page.get_by_role("button", name="Sign in with the key in this browser").click()
    page.wait_for_url(lambda url: url.endswith("/keys"))
    page.get_by_role("button", name="Create a key").wait_for()

    # Left alone for longer than the limit, the session ends; the key begins another.
    age.write_text(str(200 * MINUTE))
    page.goto(f"{serving.url}/agents")
    assert "/sign-in?next=" in page.url
    page.get_by_role("button", name="Sign in with the key in this browser").click()
    page.wait_for_url(lambda url: url.endswith("/agents"))
    assert "ana@corp.example" in page.inner_text("header")

    # A browser without the key has nothing to sign in with.
    other = chromium.new_context().new_page()
    other.goto(f"{serving.url}/sign-in")
    other.get_by_text("no owner key is in this browser").wait_for()
    other.context.close()
    context.close()


def test_a_form_of_an_ended_session_is_sent_by_one_press_after_signing_in(
    serving: Serving, age: Path, chromium: Any
) -> None:
    context = chromium.new_context()
    page = open_page_with_key(serving, context)

    page.goto(f"{serving.url}/cases")
    page.locator("input[name=title]").fill("Leak of the night")
    age.write_text(str(200 * MINUTE))
    page.locator("form[action='/cases'] button").click()
    page.get_by_text("you are not signed in (any more)").wait_for()
    again = page.get_by_role("button", name="Send it again")
    again.click()  # too early: it stays, with its text
    page.get_by_text("you are not signed in (any more)").wait_for()
    assert page.locator("#again-title").input_value() == "Leak of the night"

    with page.expect_popup() as opened:
        page.locator("p.hint a").click()
    tab = opened.value
    tab.get_by_role("button", name="Sign in with the key in this browser").click()
    tab.wait_for_url(lambda url: "/sign-in" not in url)
    again.click()
    page.wait_for_url(lambda url: "/case?" in url)
    assert "Leak of the night" in page.inner_text("h1")
    context.close()
