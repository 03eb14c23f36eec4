"""Two of the seven tasks in the browser, over a store of 100,000 identities and 2 million events.

`ANSWERABLE_LARGE_STORE` names the folder of a built one (`python -m bench --only web
--folder FOLDER`); it is copied, and the copy is written to. Without it, a store of 2,000
identities and 20,000 events is built. `build/tasks-large.json` has clicks and seconds.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.web import figures, gateway_decisions, large_store, page_paint
from tests.web.browser.test_tasks import Task, download, public_key, verify_offline

CONFIG = "web: {local: {person: p0001@corp.example}}\n"
PATIENCE = 60_000  # ms
STARTS, SECONDS = 600, 300


@dataclass
class LargeServer:
    """The web page over the copy of the store, and a browser that is signed in."""

    url: str
    context: Any
    age: Path


Begin = Callable[[], AbstractContextManager[Task]]


def build_store(folder: Path) -> Path:
    """Build the quick store, with decisions."""
    store = large_store.write_store(
        folder, figures.QUICK_IDENTITIES, figures.QUICK_EVENTS, figures.SEED
    )
    gateway_decisions.write_decisions(store, page_paint.list_agents(), figures.SEED)
    return store


@pytest.fixture(scope="module")
def large(
    tmp_path_factory: pytest.TempPathFactory, chromium: Any
) -> Iterator[LargeServer]:
    place = tmp_path_factory.mktemp("large")
    built = os.environ.get("ANSWERABLE_LARGE_STORE", "")
    if built:
        shutil.copytree(Path(built) / "store", place / "store")
    else:
        build_store(place)
    age = place / "age"
    age.write_text("0")
    (place / "answerable.yaml").write_text(CONFIG)
    said = ("serve", "--only", "web", "--config", str(place / "answerable.yaml"))
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.web.signing.browser.aged_server", str(age)),
            *("--store", str(place / "store"), *said, "--listen", "127.0.0.1:0"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        found = None
        while found is None:
            line = process.stdout.readline()
            assert line, "the server ended"
            found = re.fullmatch(r".*(http://\S+)(/sign-in#\S+)\s*", line)
        context = chromium.new_context(accept_downloads=True)
        sign_in(context, found[1], found[2])
        yield LargeServer(found[1], context, age)
        context.close()
    finally:
        process.terminate()
        process.wait(SECONDS)
        process.stdout.close()


def sign_in(context: Any, url: str, link: str) -> None:
    """Follow the printed link, make a key, and wait until the store is loaded."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}{link}")
    page.wait_for_url(lambda at: "/sign-in" not in at)
    page.goto(f"{url}/keys")
    page.get_by_role("button", name="Create a key").click()
    page.get_by_text("in this browser", exact=True).wait_for()
    until = time.monotonic() + STARTS
    while page.request.get(f"{url}/readyz").status != 200:
        assert time.monotonic() < until
        time.sleep(0.5)
    page.close()


@pytest.fixture
def task(request: pytest.FixtureRequest, large: LargeServer, root: Path) -> Begin:
    """Begin a task on the overview; its figures are kept."""

    @contextmanager
    def begin() -> Iterator[Task]:
        page, wrong = large.context.new_page(), []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.set_default_timeout(PATIENCE)
        page.goto(large.url)
        made = Task(page, large.url)
        with made.describe_failure():
            yield made
        keep_figures(root, request.node.name, made)
        page.close()
        assert wrong == []

    return begin


def keep_figures(root: Path, name: str, task: Task) -> None:
    """Keep the clicks and the seconds of a task."""
    figures_file = root / "build" / "tasks-large.json"
    figures_file.parent.mkdir(exist_ok=True)
    known = json.loads(figures_file.read_text()) if figures_file.exists() else {}
    took = round(time.monotonic() - task.began, 1)
    known[name] = {"clicks": task.clicks, "seconds": took}
    figures_file.write_text(json.dumps(known, indent=2))


def find_event(at: Task) -> dict[str, Any]:
    """Find an event in which an agent touched a resource for a person."""
    said = at.page.request.get(f"{at.url}/api/v1/trace?limit=1000&source=cloudtrail")
    at.began = time.monotonic()  # what follows is the task
    return next(
        row["hops"]
        for row in said.json()["items"]
        if row["hops"]["agent"]["value"] and row["hops"]["resource"]["value"]
    )


def test_1_which_agent_read_a_resource_for_whom_with_a_bundle(
    task: Begin, tmp_path: Path
) -> None:
    with task() as at:
        hops = find_event(at)
        at.search(f'resource:"{hops["resource"]["value"]}"')
        assert hops["agent"]["value"].removeprefix("agent:") in at.text
        assert re.findall(r"\bp\d{4}\b", at.text)
        at.click(at.button(re.compile("Add these .* to a case")))
        bundle = download(at, at.link("Download the bundle"), tmp_path / "case.bundle")
        assert at.clicks <= 4
        verify_offline(bundle, public_key(at))


def test_6_an_orphan_role_gets_an_owner(task: Begin) -> None:
    with task() as at:
        at.click(at.page.get_by_role("link", name="Identities"))
        at.page.get_by_label("owner").select_option("none")
        at.clicks += 1
        at.page.wait_for_url(lambda url: "owner-state=none" in url)
        row = at.page.locator(
            "tbody tr", has=at.page.get_by_role("link", name="record owner")
        )
        at.click(row.get_by_role("link", name="record owner"))
        at.click(at.button("Sign with the key in this browser"))
        at.page.wait_for_url(re.compile(r".*/(identity|agent)\?id=.*"))
        assert at.clicks <= 4
        until = time.monotonic() + STARTS
        while "attested" not in at.text:
            assert time.monotonic() < until
            time.sleep(1)
            at.page.reload()
