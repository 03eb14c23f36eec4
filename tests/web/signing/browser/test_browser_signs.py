"""A real browser makes a key, keeps it to itself, and signs what the page shows."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from answerable.model.ids import AgentId, build_event_id
from answerable.services.statements import owner_keys
from answerable.services.statements.policy_exceptions import read_policy_exceptions
from answerable.store.store import EvidenceStore
from tests.connectors.gateway.spool_files import (
    ACT,
    CALLER,
    DENY,
    NAME,
    closed,
    decided,
    opened,
    spelled,
    write,
)
from tests.usecases.owned_store import AGENT, ANA, A, attest, enroll, scan
from tests.web.chromium import CHROMIUM

pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium"),
]
SECONDS = 60
CONFIG = "web: {local: {person: ana@corp.example}}\n"
READS_OUT = """async () => {
  const open = indexedDB.open("answerable-owner-keys");
  const base = await new Promise((done) => (open.onsuccess = () => done(open.result)));
  const all = base.transaction("keys").objectStore("keys").getAll();
  const [record] = await new Promise((done) => (all.onsuccess = () => done(all.result)));
  const tried = [];
  for (const form of ["raw", "pkcs8", "jwk"]) {
    try {
      await crypto.subtle.exportKey(form, record.pair.privateKey);
      tried.push(form);
    } catch {}
  }
  return { id: record.id, extractable: record.pair.privateKey.extractable, tried };
}"""


@dataclass
class Serving:
    """`answerable serve --only web` on a store in which Ana answers for an agent."""

    store: Path
    link: str
    decision: str

    @property
    def url(self) -> str:
        return self.link.partition("/sign-in")[0]


def owned(root: Path) -> None:
    now = time.time_ns() - 10**9
    with EvidenceStore.open(root, now=now) as store:
        scan(store, at=now)
        enroll(store, A, ANA, at=now)
        attest(store, A, ANA, AGENT, at=now)


def held_back(spool: Path, agent: AgentId = AGENT) -> str:
    at = time.time_ns() - 10**9
    act = structs.replace(ACT, name="<script>alert(1)</script>")
    record = decided(2, DENY, act, replace(CALLER, agent=agent))
    key = build_event_id(at, "gateway", NAME, b"2").hex()
    record = structs.replace(record, at=at, id=key)
    write(spool, spelled([opened(), record, closed(3)]))
    return key


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    place = tmp_path_factory.mktemp("browser")
    owned(place / "store")
    decision = held_back(place / "store" / "gateway" / "spool")
    (place / "answerable.yaml").write_text(CONFIG)
    said = ("serve", "--only", "web", "--config", str(place / "answerable.yaml"))
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "answerable", "--store", str(place / "store")),
            *(*said, "--listen", "127.0.0.1:0"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            found = re.fullmatch(r".*(http://\S+/sign-in#\S+)\s*", line)
            if found:
                yield Serving(place / "store", found[1], decision)
                break
    finally:
        process.terminate()
        process.wait(SECONDS)
        process.stdout.close()


def test_a_key_is_made_in_the_browser_and_signs_there(
    serving: Serving, chromium: Any
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda m: m.type == "error" and wrong.append(m.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(serving.link)
    page.wait_for_url(lambda url: "/sign-in" not in url)
    wrong.clear()  # the front page is no part of this

    page.goto(f"{serving.url}/keys")
    page.get_by_role("button", name="Create a key").click()
    page.get_by_text("in this browser", exact=True).wait_for()
    kept = page.evaluate(READS_OUT)
    assert (kept["extractable"], kept["tried"]) == (False, [])
    with EvidenceStore.open(serving.store, now=time.time_ns()) as store:
        key = owner_keys.read_owner_keys(store)[kept["id"]]
    assert (key.person, key.enrolled[0][1].by) == (ANA, f"local for {ANA}")

    page.goto(f"{serving.url}/ask?id={serving.decision}")
    page.get_by_role("button", name="Show what I would sign").click()
    sign = page.get_by_role("button", name="Sign with the key in this browser")
    sign.wait_for()
    assert kept["id"] in page.locator("[data-draft]:visible").inner_text()
    sign.click()
    page.wait_for_url(lambda url: "/ask" in url)
    assert "allowed" in page.locator("#main").inner_text()
    with EvidenceStore.open(serving.store, now=time.time_ns()) as store:
        (judged,) = read_policy_exceptions(store, time.time_ns()).statuses
    assert (judged.invalidity, judged.statement.key.id) == (None, key.id)

    assert wrong == []
    others_sign_nothing(serving, chromium, context.storage_state())
    context.close()


def others_sign_nothing(serving: Serving, chromium: Any, state: Any) -> None:
    """Have a browser with the session look, and one without script."""
    context = chromium.new_context(storage_state=state)
    page = context.new_page()
    page.goto(f"{serving.url}/sign?act=attest&id={AGENT}")
    page.get_by_text("your key is not in this browser").wait_for()
    assert page.locator('form[action="/sign"] button').is_disabled()
    context.close()
    context = chromium.new_context(storage_state=state, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{serving.url}/sign?act=attest&id={AGENT}")
    assert not page.locator('form[action="/sign"] button').is_visible()
    told = page.locator("#main").inner_text()
    assert f"answerable attest {AGENT} --owner ana@corp.example --key KEY" in told
    context.close()
