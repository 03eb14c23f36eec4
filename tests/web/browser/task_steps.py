"""Seven tasks of people in the browser: the steps, which hold over every store.

A click is a click, or Enter in a form; typing is none. Every task begins on the overview.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

SIGN = "Sign with the key in this browser"


@dataclass(frozen=True)
class Subjects:
    """What the tasks are about in one store.

    Attributes:
        resource: Search for the events of a resource.
        reader: The agent that touched it.
        person: Pattern of the person for whom it did.
        printed: Text of one of these events, which a printed case shows.
        sub_agent: Name of a sub-agent.
        key: Credential of the sub-agent.
        statement: Statement without which the key reaches less.
        agent: The person's agent: it has a baseline to sign, and gets killed.
        tool: Pattern of a tool in that baseline.
    """

    resource: str
    reader: str
    person: str
    printed: str
    sub_agent: str
    key: str
    statement: str
    agent: str
    tool: str


@dataclass
class Task:
    """One person at work on one page.

    Attributes:
        page: What they look at.
        url: Address of the overview.
        patience: Seconds until the store shows a change.
    """

    page: Any
    url: str
    patience: float = 60.0
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

    def filter_list(self, text: str) -> None:
        """Type into the field of the list, and press Enter."""
        self.clicks += 1
        field = self.page.locator('#main form.filters input[name="q"]')
        field.fill(text)
        with self.page.expect_navigation(wait_until="load"):
            field.press("Enter")

    def sign(self, path: str) -> None:
        """Sign with the key in the browser; wait for the page that follows."""
        self.click(self.button(SIGN))
        self.page.wait_for_url(re.compile(rf".*{path}\b.*"), wait_until="load")

    def wait_for_text(self, text: str) -> None:
        """Reload the page until it has a text: a large store is evaluated again first."""
        until = time.monotonic() + self.patience
        while text not in self.text:
            assert time.monotonic() < until, text
            time.sleep(0.2)
            self.page.reload()

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
            from playwright.sync_api import Error  # of the dependencies of `make world`

            try:
                text = self.page.inner_text("body")
            except Error as unread:  # the page is being left
                text = f"its text cannot be read: {unread}"
            error.add_note(f"after {self.clicks} clicks, at {self.page.url}:\n{text}")
            raise


Begin = Callable[[], AbstractContextManager[Task]]


@contextmanager
def begin_task(
    context: Any, url: str, figures: Path, name: str, patience: float
) -> Iterator[Task]:
    """Begin a task on the overview, in a signed-in browser; its figures are kept.

    Args:
        figures: File for the clicks and the seconds.
        name: Name of the task in it.
        patience: Seconds for a page, and for a change to be shown.
    """
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_default_timeout(patience * 1000)
    page.goto(url)
    made = Task(page, url, patience)
    with made.describe_failure():
        yield made
    keep_figures(figures, name, made)
    page.close()
    assert wrong == []


def keep_figures(figures: Path, name: str, task: Task) -> None:
    """Keep the clicks and the seconds of a task."""
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


def prove_access(at: Task, of: Subjects, place: Path) -> None:
    """1: which agent touched a resource, for whom, and a bundle that proves it."""
    at.search(of.resource)
    assert of.reader.removeprefix("agent:") in at.text
    assert re.findall(of.person, at.text)
    at.click(at.button(re.compile("Add these .* to a case")))
    bundle = download(at, at.link("Download the bundle"), place / "case.bundle")
    assert at.clicks <= 4
    verify_offline(bundle, public_key(at))


def cut_statement(at: Task, of: Subjects) -> None:
    """2: what the key of a sub-agent reaches, and what cutting a statement changes."""
    at.search(of.sub_agent)
    at.click(at.link(re.compile(of.sub_agent)))
    at.click(at.page.locator(f'a[href*="{of.key}"]'))
    at.click(at.link(re.compile("reach explorer|^Reach")))
    assert re.findall(r"\b[a-z0-9-]+:[A-Z*]", at.text)  # permissions
    at.page.get_by_text("What if a statement were removed?").click()
    at.page.locator(f'input[name^="without"][value$="{of.statement}"]').check()
    at.clicks += 2
    at.click(at.button("Show the changes"))
    at.wait_for_text("a simulation, no policy is changed")
    assert at.page.locator("table.changes tbody tr").count() > 0
    assert at.clicks <= 7


def sign_baseline(at: Task, of: Subjects) -> None:
    """3: a baseline is reviewed and signed."""
    at.click(at.page.get_by_role("link", name="Baselines"))
    at.click(at.link(re.compile(re.escape(of.agent.rpartition("/")[2]))))
    assert re.findall(of.tool, at.text)
    at.click(at.button(re.compile("what I would sign|Show")))
    assert "You enforce this baseline" in at.text or "in shadow" in at.text
    at.sign("/baseline")
    assert "Signed: the baseline" in at.text
    assert at.clicks <= 5


def answer_request(at: Task, age: Path) -> None:
    """4: an approval request is answered in a session older than an hour.

    Args:
        age: File with the seconds by which sessions are older.
    """
    age.write_text(str(90 * 60))  # the session has ended, and its link is used
    at.page.goto(f"{at.url}/")
    assert "/sign-in" in at.page.url
    at.click(at.button("Sign in with the key in this browser"))
    at.page.wait_for_url(lambda url: "/sign-in" not in url)
    at.click(at.page.get_by_role("link", name="Approval requests"))
    at.click(at.link(re.compile(".*")).and_(at.page.locator('a[href^="/ask?"]')))
    at.click(at.button("Show what I would sign"))
    at.sign("/asks?")
    assert "allowed" in at.text
    assert at.clicks <= 5


def kills_in_force(at: Task) -> int:
    """Read the number of kills from the overview."""
    at.page.goto(at.url)
    found = re.findall(r"\b(\d+)\s+kills? in force", at.text)
    assert found, at.text
    return int(found[0])


def kill_and_revive(at: Task, of: Subjects) -> None:
    """5: a kill is seen everywhere."""
    before = kills_in_force(at)
    at.click(at.page.get_by_role("link", name="Agents"))
    name = of.agent.removeprefix("agent:")
    row = at.page.locator("tr", has_text=name)
    most = 3
    if not row.count():  # a longer list is searched
        at.filter_list(name)
        most += 1
    at.click(row.get_by_role("link", name="kill"))
    assert "Stays valid elsewhere" in at.text
    at.page.get_by_label("Reason").fill("strange letters")
    at.click(at.button(re.compile("^Kill")))
    assert at.clicks <= most
    assert "killed" in at.text
    own = f"/agent?{urlencode({'id': of.agent})}"
    for path in (f"/agents?{urlencode({'q': name})}", own, "/kills"):
        at.page.goto(at.url + path)
        assert "killed" in at.text or "strange letters" in at.text, path
    assert kills_in_force(at) == before + 1  # its runs have ended and are no kills
    at.page.goto(at.url + own)
    at.click(at.button("Revive"))
    assert kills_in_force(at) == before


def own_orphan(at: Task) -> None:
    """6: an orphan role gets an owner."""
    at.click(at.page.get_by_role("link", name="Identities"))
    owner = at.page.get_by_label("owner")
    # Where no scan read tags or people, an owner is not known.
    state = "none" if owner.locator('option[value="none"]').count() else "not-known"
    owner.select_option(state)
    at.clicks += 1
    at.page.wait_for_url(lambda url: f"owner-state={state}" in url)
    row = at.page.locator(
        "tbody tr", has=at.page.get_by_role("link", name="record owner")
    )
    at.click(row.get_by_role("link", name="record owner"))
    at.sign(r"/(identity|agent)\?id=.*")
    assert at.clicks <= 4
    at.wait_for_text("attested")


def hand_over_case(at: Task, of: Subjects, place: Path) -> None:
    """7: an auditor gets a case: a bundle that verifies, and a page to print."""
    at.search(of.resource)
    at.click(at.button(re.compile("Add these .* to a case")))
    at.page.get_by_label(re.compile("note", re.I)).first.fill("read on one day")
    at.click(at.button(re.compile("Add the note|Add a note|note")))
    assert "read on one day" in at.text
    bundle = download(at, at.link("Download the bundle"), place / "case.bundle")
    page = download(at, at.link(re.compile("[Pp]rintable page")), place / "case.html")
    assert at.clicks <= 5
    verify_offline(bundle, public_key(at))
    assert "read on one day" in page.read_text()
    assert of.printed in page.read_text()
