"""The seven tasks in the browser over 100,000 identities and 2 million events.

`ANSWERABLE_LARGE_STORE` names the folder of a built store (`python -m bench --only web
--folder FOLDER`); it is copied, and the copy is written to. Without it, a store of 2,000
identities and 20,000 events is built. `build/tasks-large.json` has clicks and seconds;
`ANSWERABLE_PATIENCE` is how many seconds a page may take (120).
"""

import html
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from answerable.baseline.profile_document import encode_profile
from answerable.model.ids import build_person_id
from answerable.services.baseline.profile_learning import BASELINE
from answerable.store.store import EvidenceStore
from bench.web import figures as web_figures
from bench.web import gateway_decisions, large_store, page_paint
from tests.usecases import owned_store
from tests.web.browser import task_steps
from tests.web.browser.task_steps import Begin, Subjects, Task
from tests.web.signing.browser.test_browser_signs import held_back
from tests.web.signing.test_baselines import profile

PERSON = "p0001@corp.example"
AGENT, FIRST_SUB_AGENT = large_store.name_agent(1), large_store.PERSONS + 1
CONFIG = f"web: {{local: {{person: {PERSON}}}}}\n"
PATIENCE = float(os.environ.get("ANSWERABLE_PATIENCE", "120"))
STARTS = 3_600  # seconds until a server on a busy machine has loaded the store
STALE_AFTER = 30 * 86_400  # seconds
_TICK = re.compile(r'name="(without\d*)" value="([^"]+)"')


@dataclass
class LargeServer:
    """The web page over the copy of the store, and a browser that is signed in."""

    url: str
    context: Any
    age: Path


def build_store(folder: Path) -> Path:
    """Build the quick store, with decisions."""
    store = large_store.write_store(
        folder,
        web_figures.QUICK_IDENTITIES,
        web_figures.QUICK_EVENTS,
        web_figures.SEED,
    )
    gateway_decisions.write_decisions(store, page_paint.list_agents(), web_figures.SEED)
    return store


def prepare_person(store: Path) -> None:
    """Record an agent of the person, a draft of its baseline, and a denied call."""
    now = time.time_ns()
    person, key = build_person_id(PERSON), owned_store.signer("a")
    with EvidenceStore.open(store, now=now, create=False) as opened:
        owned_store.enroll(opened, key, person, at=now)
        owned_store.attest(opened, key, person, AGENT, at=now)
        learned = now // 10**9
        draft = profile(AGENT, learned_at=learned, until=learned + STALE_AFTER)
        opened.put_object(BASELINE, encode_profile(draft), now)
    held_back(store / "gateway" / "spool", AGENT)


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
    prepare_person(place / "store")
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
        process.wait(STARTS)
        process.stdout.close()


def sign_in(context: Any, url: str, link: str) -> None:
    """Sign in with the token of the link, wait for the store, and make a key.

    The token is valid for ten minutes, and no browser waits longer for a page.
    """
    token = link.partition("#")[2]
    context.request.post(f"{url}/sign-in", form={"token": token}, max_redirects=0)
    until = time.monotonic() + STARTS
    while context.request.get(f"{url}/readyz").status != 200:
        assert time.monotonic() < until
        time.sleep(0.5)
    page = context.new_page()
    page.set_default_timeout(STARTS * 1000)
    task_steps.make_key(Task(page, url))
    page.close()


@pytest.fixture(scope="module")
def subjects(large: LargeServer) -> Subjects:
    """Find what the tasks are about in this store."""
    page = large.context.new_page()
    page.set_default_timeout(STARTS * 1000)

    def read(path: str, **query: str) -> Any:
        url = f"{large.url}{path}?{urlencode(query)}"
        return page.request.get(url, timeout=STARTS * 1000)

    rows = read("/api/v1/trace", limit="1000", source="cloudtrail").json()["items"]
    hops = next(
        row["hops"]
        for row in rows
        if row["hops"]["agent"]["value"] and row["hops"]["resource"]["value"]
    )
    resource = hops["resource"]["value"]
    sub_agent, key, statement = find_cut(read)
    page.close()
    return Subjects(
        resource=f'resource:"{resource}"',
        reader=hops["agent"]["value"],
        person=r"\bp\d{4}\b",
        printed=resource.rpartition("/")[2],
        sub_agent=sub_agent,
        key=key,
        statement=statement,
        agent=AGENT,
        tool="pay",
    )


def find_cut(read: Any) -> tuple[str, str, str]:
    """Find a sub-agent, its key, and a statement without which the key reaches less."""
    for number in range(FIRST_SUB_AGENT, large_store.AGENTS):
        agent = large_store.name_agent(number)
        if not large_store.name_parent(number):
            continue
        tools = read("/api/v1/tools", q=agent).json()["items"]
        for key in (tool["credential"]["id"] for tool in tools if tool["credential"]):
            page = read("/reach", subject=key).text()
            for name, value in _TICK.findall(page):
                said = {name: html.unescape(value)}
                after = read("/what-if", subject=key, **said)
                while "are being compared" in after.text():
                    after = read("/what-if", subject=key, **said)
                if after.ok and "Permissions that are lost or gained" in after.text():
                    short = key.rpartition("/")[2]
                    return agent.rpartition("/")[2], short, said[name]
    raise AssertionError("no sub-agent has a key that a cut changes")


@pytest.fixture
def task(request: pytest.FixtureRequest, large: LargeServer, root: Path) -> Begin:
    """Begin a task on the overview; its figures are kept."""
    figures = root / "build" / "tasks-large.json"
    return lambda: task_steps.begin_task(
        large.context, large.url, figures, request.node.name, PATIENCE
    )


def test_1_which_agent_read_a_resource_for_whom_with_a_bundle(
    task: Begin, subjects: Subjects, tmp_path: Path
) -> None:
    with task() as at:
        task_steps.prove_access(at, subjects, tmp_path)


def test_2_what_the_key_of_a_sub_agent_reaches_and_what_a_cut_changes(
    task: Begin, subjects: Subjects
) -> None:
    with task() as at:
        task_steps.cut_statement(at, subjects)


def test_3_a_baseline_is_reviewed_and_signed(task: Begin, subjects: Subjects) -> None:
    with task() as at:
        task_steps.sign_baseline(at, subjects)


def test_4_an_ask_is_answered_in_a_session_older_than_an_hour(
    task: Begin, large: LargeServer
) -> None:
    with task() as at:
        task_steps.answer_request(at, large.age)


def test_5_a_kill_is_seen_everywhere(task: Begin, subjects: Subjects) -> None:
    with task() as at:
        task_steps.kill_and_revive(at, subjects)


def test_6_an_orphan_role_gets_an_owner(task: Begin) -> None:
    with task() as at:
        task_steps.own_orphan(at)


def test_7_an_auditor_gets_a_case(
    task: Begin, subjects: Subjects, tmp_path: Path
) -> None:
    with task() as at:
        task_steps.hand_over_case(at, subjects, tmp_path)
