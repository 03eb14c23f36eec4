"""Seven tasks of people in the browser, each with its clicks and its time.

A click is a click, or Enter in a form; typing is none. Every task begins on the overview.
`build/tasks.json` has the figures of the last run.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from answerable.cli.sample.account import CUSTOMER_BUCKET, REPORT_KEY
from tests.web.browser.conftest import PATIENCE, Demo
from tests.web.signing.browser.test_browser_signs import Serving
from tests.web.signing.browser.test_old_session import age, serving

__all__ = ["age", "serving"]  # fixtures

CLERK = "agent:declared/clerk"
REPORTER = "agent:claude-code/ana/reporter"


@dataclass
class Task:
    """One person at work on one page.

    Attributes:
        page: What they look at.
        url: Address of the overview.
    """

    page: Any
    url: str
    clicks: int = 0
    began: float = field(default_factory=time.monotonic)

    def click(self, what: Any) -> None:
        """Click, and wait for the page that follows."""
        self.clicks += 1
        with self.page.expect_navigation(wait_until="load"):
            what.first.click()

    def link(self, name: str | re.Pattern[str], **more: Any) -> Any:
        return self.page.locator("#main").get_by_role("link", name=name, **more)

    def button(self, name: str | re.Pattern[str]) -> Any:
        return self.page.get_by_role("button", name=name)

    def search(self, text: str) -> None:
        """Type into the field of the header, and press Enter."""
        self.clicks += 1
        self.page.fill("#query", text)
        with self.page.expect_navigation(wait_until="load"):
            self.page.press("#query", "Enter")

    @property
    def text(self) -> str:
        shown: str = self.page.inner_text("#main")
        return shown

    @contextmanager
    def describe_failure(self) -> Iterator[None]:
        """Add the address and the text of the page to a failure."""
        try:
            yield
        except Exception as error:
            text = self.page.evaluate("document.body.innerText")
            error.add_note(f"after {self.clicks} clicks, at {self.page.url}:\n{text}")
            raise


@pytest.fixture
def task(
    request: pytest.FixtureRequest, person_browser: Any, demo: Demo, root: Path
) -> Iterator[Any]:
    """Begin a task in the browser of the person; its figures are kept."""

    @contextmanager
    def begin() -> Iterator[Task]:
        assert demo.process.poll() is None, demo.describe_end()
        page, wrong = person_browser.new_page(), []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.set_default_timeout(PATIENCE)
        page.goto(demo.url)
        made = Task(page, demo.url)
        with made.describe_failure():
            yield made
        keep_figures(root, request.node.name, made)
        page.close()
        assert wrong == []

    return begin


def keep_figures(root: Path, name: str, task: Task) -> None:
    """Keep the clicks and the seconds of a task."""
    figures = root / "build" / "tasks.json"
    figures.parent.mkdir(exist_ok=True)
    known = json.loads(figures.read_text()) if figures.exists() else {}
    took = round(time.monotonic() - task.began, 1)
    known[name] = {"clicks": task.clicks, "seconds": took}
    figures.write_text(json.dumps(known, indent=2))


def verify_offline(bundle: Path, key: str) -> str:
    """Verify a bundle with the command line: no store, nothing but the key."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "answerable", "--store", "/nonexistent"),
            *("evidence", "verify", str(bundle), "--key", key),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def make_key(task: Task) -> None:
    """Make an owner key in this browser, as the person did weeks ago."""
    task.page.goto(f"{task.url}/keys")
    task.button("Create a key").click()
    task.page.get_by_text("in this browser", exact=True).wait_for()


def download(task: Task, what: Any, place: Path) -> Path:
    with task.page.expect_download() as got:
        task.clicks += 1
        what.first.click()
    got.value.save_as(place)
    return place


def public_key(task: Task) -> str:
    """Read the public key of the log, as an auditor got it once."""
    key: str = task.page.request.get(f"{task.url}/evidence/key").text().strip()
    return key


def test_1_which_agent_read_customer_data_for_whom_with_a_bundle(
    task: Any, tmp_path: Path
) -> None:
    with task() as at:
        at.search(f"resource:{CUSTOMER_BUCKET}/customers/*")
        text = at.text
        assert REPORTER.removeprefix("agent:") in text
        assert re.findall(r"\bana\b", text)
        at.click(at.button(re.compile("Add these .* to a case")))
        bundle = download(at, at.link("Download the bundle"), tmp_path / "case.bundle")
        assert at.clicks <= 4
        verify_offline(bundle, public_key(at))


def test_2_what_the_key_of_a_sub_agent_reaches_and_what_a_cut_changes(
    task: Any,
) -> None:
    with task() as at:
        at.search("reporter")
        at.click(at.link(re.compile("reporter")))
        at.click(at.page.locator(f'a[href*="{REPORT_KEY}"]'))
        at.click(at.link(re.compile("reach explorer|^Reach")))
        assert "s3:" in at.text
        at.page.get_by_text("What if a statement were removed?").click()
        at.page.locator('input[name^="without"][value$="inline#3"]').check()
        at.clicks += 2
        at.click(at.button("Show the changes"))
        assert "a simulation, no policy is changed" in at.text
        assert at.page.locator("table.changes tbody tr").count() > 0
        assert at.clicks <= 7


def test_3_a_baseline_is_reviewed_and_signed(task: Any) -> None:
    with task() as at:
        at.click(at.page.get_by_role("link", name="Baselines"))
        at.click(at.link(re.compile("clerk")))
        assert "send_mail" in at.text
        at.click(at.button(re.compile("what I would sign|Show")))
        assert "You enforce this baseline" in at.text or "in shadow" in at.text
        at.click(at.button("Sign with the key in this browser"))
        at.page.wait_for_url(re.compile(r".*/baseline\b.*"))
        assert "Signed: the baseline" in at.text
        assert at.clicks <= 5


def test_4_an_ask_is_answered_in_a_session_older_than_an_hour(
    request: pytest.FixtureRequest,
    serving: Serving,
    age: Path,
    chromium: Any,
    root: Path,
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(serving.link)
    page.wait_for_url(lambda url: "/sign-in" not in url)
    make_key(Task(page, serving.url))
    age.write_text(str(90 * 60))  # the session has ended, and its link is used
    at = Task(page, serving.url)
    page.goto(f"{serving.url}/")
    assert "/sign-in" in page.url
    at.click(at.button("Sign in with the key in this browser"))
    page.wait_for_url(lambda url: "/sign-in" not in url)
    at.click(page.get_by_role("link", name="Approval requests"))
    at.click(at.link(re.compile(".*")).and_(page.locator('a[href^="/ask?"]')))
    at.click(at.button("Show what I would sign"))
    at.click(at.button("Sign with the key in this browser"))
    page.wait_for_url(re.compile(r".*/asks?\b.*"))
    assert "allowed" in at.text
    assert at.clicks <= 5
    keep_figures(root, request.node.name, at)
    context.close()


def kills_in_force(task: Task) -> int:
    """Read the number of kills from the overview."""
    task.page.goto(task.url)
    found = re.findall(r"\b(\d+)\s+kills? in force", task.text)
    assert found, task.text
    return int(found[0])


def test_5_a_kill_is_seen_everywhere(task: Any) -> None:
    with task() as at:
        before = kills_in_force(at)
        at.click(at.page.get_by_role("link", name="Agents"))
        row = at.page.locator("tr", has_text="declared/clerk")
        at.click(row.get_by_role("link", name="kill"))
        assert "Stays valid elsewhere" in at.text
        at.page.get_by_label("Reason").fill("strange letters")
        at.click(at.button(re.compile("^Kill")))
        assert at.clicks <= 3
        assert "killed" in at.text
        for path in ("/agents", f"/agent?id={CLERK}", "/kills"):
            at.page.goto(at.url + path)
            assert "killed" in at.text or "strange letters" in at.text, path
        killed = kills_in_force(at)
        assert killed == before + 1  # its runs have ended with it and are no kills
        at.page.goto(f"{at.url}/agent?id={CLERK}")
        at.click(at.button("Revive"))
        assert kills_in_force(at) == before


def test_6_an_orphan_role_gets_an_owner(task: Any) -> None:
    with task() as at:
        at.click(at.page.get_by_role("link", name="Identities"))
        at.page.get_by_label("owner").select_option("none")
        at.clicks += 1
        at.page.wait_for_url(lambda url: "owner-state=none" in url)
        row = at.page.locator(
            "tbody tr", has=at.page.get_by_role("link", name="record owner")
        )
        name = row.first.locator("th a").first.get_attribute("title")
        at.click(row.get_by_role("link", name="record owner"))
        at.click(at.button("Sign with the key in this browser"))
        at.page.wait_for_url(re.compile(r".*/(identity|agent)\?id=.*"))
        assert at.clicks <= 4
        deadline = time.monotonic() + 60
        while "attested" not in at.text:
            assert time.monotonic() < deadline, name
            at.page.reload()


def test_6_several_orphans_get_an_owner_at_once(task: Any) -> None:
    with task() as at:
        at.page.goto(f"{at.url}/identities?owner-state=none")
        boxes = at.page.locator('input[type="checkbox"][form="pick"]')
        names = [boxes.nth(n).get_attribute("value") for n in (0, 1)]
        for n in (0, 1):
            boxes.nth(n).check()
            at.clicks += 1
        at.click(at.button("Record or ask for the owner of the selected"))
        at.click(at.button("Sign 2 with the key in this browser"))
        assert "Signed: you own 2." in at.page.inner_text("body")
        assert at.clicks <= 4
        for name in names:
            at.page.goto(f"{at.url}/identity?{urlencode({'id': name})}")
            assert "attested" in at.text


def test_7_an_auditor_gets_a_case(task: Any, tmp_path: Path) -> None:
    with task() as at:
        at.search(f"resource:{CUSTOMER_BUCKET}/customers/*")
        at.click(at.button(re.compile("Add these .* to a case")))
        at.page.get_by_label(re.compile("note", re.I)).first.fill("read on one day")
        at.click(at.button(re.compile("Add the note|Add a note|note")))
        assert "read on one day" in at.text
        bundle = download(at, at.link("Download the bundle"), tmp_path / "case.bundle")
        page = download(
            at, at.link(re.compile("[Pp]rintable page")), tmp_path / "case.html"
        )
        assert at.clicks <= 5
        verify_offline(bundle, public_key(at))
        assert "read on one day" in page.read_text()
        assert "tmp-export" in page.read_text()
