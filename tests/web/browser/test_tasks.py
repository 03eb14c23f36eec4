"""Seven tasks of people in the browser over the sample, each with its clicks and its time.

`build/tasks.json` has the figures of the last run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from answerable.cli.sample.account import CUSTOMER_BUCKET, REPORT_KEY
from tests.web.browser import task_steps
from tests.web.browser.conftest import PATIENCE, Demo
from tests.web.browser.task_steps import Begin, Subjects, Task
from tests.web.signing.browser.test_browser_signs import Serving
from tests.web.signing.browser.test_old_session import age, serving

__all__ = ["age", "serving"]  # fixtures

SAMPLE = Subjects(
    resource=f"resource:{CUSTOMER_BUCKET}/customers/*",
    reader="agent:claude-code/ana/reporter",
    person=r"\bana\b",
    printed="tmp-export",
    sub_agent="reporter",
    key=REPORT_KEY,
    statement="inline#3",
    agent="agent:declared/clerk",
    tool="send_mail",
)


@pytest.fixture
def figures(root: Path) -> Path:
    return root / "build" / "tasks.json"


@pytest.fixture
def task(
    request: pytest.FixtureRequest, person_browser: Any, demo: Demo, figures: Path
) -> Begin:
    """Begin a task in the browser of the person; its figures are kept."""
    assert demo.process.poll() is None, demo.describe_end()
    return lambda: task_steps.begin_task(
        person_browser, demo.url, figures, request.node.name, PATIENCE / 1000
    )


def test_1_which_agent_read_customer_data_for_whom_with_a_bundle(
    task: Begin, tmp_path: Path
) -> None:
    with task() as at:
        task_steps.prove_access(at, SAMPLE, tmp_path)


def test_2_what_the_key_of_a_sub_agent_reaches_and_what_a_cut_changes(
    task: Begin,
) -> None:
    with task() as at:
        task_steps.cut_statement(at, SAMPLE)


def test_3_a_baseline_is_reviewed_and_signed(task: Begin) -> None:
    with task() as at:
        task_steps.sign_baseline(at, SAMPLE)


@pytest.fixture
def old_browser(serving: Serving, chromium: Any) -> Iterator[Any]:
    """Browser with a key and the only session of a server whose clock can be set."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(serving.link)
    page.wait_for_url(lambda url: "/sign-in" not in url)
    task_steps.make_key(Task(page, serving.url))
    yield context
    context.close()


def test_4_an_ask_is_answered_in_a_session_older_than_an_hour(
    request: pytest.FixtureRequest,
    serving: Serving,
    old_browser: Any,
    age: Path,
    figures: Path,
) -> None:
    name, seconds = request.node.name, PATIENCE / 1000
    with task_steps.begin_task(old_browser, serving.url, figures, name, seconds) as at:
        task_steps.answer_request(at, age)


def test_5_a_kill_is_seen_everywhere(task: Begin) -> None:
    with task() as at:
        task_steps.kill_and_revive(at, SAMPLE)


def test_6_an_orphan_role_gets_an_owner(task: Begin) -> None:
    with task() as at:
        task_steps.own_orphan(at)


def test_6_several_orphans_get_an_owner_at_once(task: Begin) -> None:
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


def test_7_an_auditor_gets_a_case(task: Begin, tmp_path: Path) -> None:
    with task() as at:
        task_steps.hand_over_case(at, SAMPLE, tmp_path)
