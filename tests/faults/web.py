"""The web page killed while a person gives kills: each that was answered is on record."""

import http.client
import json
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from answerable.model.progress import ignore_progress_report
from answerable.server.revocation_records import OBJECT_KIND
from answerable.store import fsck
from answerable.store.store import EvidenceStore
from tests.faults.counts import Count
from tests.faults.servers import Load
from tests.web.runtime.test_process import Browser, started

LOAD = (0.3, 1.5)  # seconds of it before a kill
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


def kill_web(kills: int, chance: random.Random) -> Iterator[Count]:
    """Kill the web page under load."""
    count = Count("web page killed")
    folder = Path(tempfile.mkdtemp(prefix="answerable-web-"))
    root = folder / "store"
    EvidenceStore.open(root, now=time.time_ns()).close()
    acknowledged: list[str] = []
    last = 0
    try:
        while count.tried < kills:
            words = ("serve", "--only", "web", "--listen", "127.0.0.1:0")
            process, said = started("--store", str(root), *words, lines=2)
            try:
                load = Load(_Killing(said["web"], said["sign-in"]), last)
                load.run_for(chance.uniform(*LOAD))
            finally:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                for each in (process.stdout, process.stderr):
                    if each is not None:
                        each.close()
            count.tried += 1
            last = load.end()
            acknowledged += load.acknowledged
        _check(root, acknowledged, count)
    finally:
        shutil.rmtree(folder)
    yield count


class _Killing:
    """Kills one made-up agent with each call, as a person who signed in."""

    def __init__(self, web: str, link: str) -> None:
        self._at = web.removeprefix("http://")
        browser = Browser(self._at)
        browser.sign_in(link)
        self._cookie = browser.cookie
        self._csrf = _CSRF.findall(browser.ask("GET", "/")[2])[0]

    def __call__(self, number: int) -> str:
        browser = Browser(self._at)
        browser.cookie = self._cookie
        subject = f"agent:declared/mark-{number}"
        form = {"csrf": self._csrf, "subject": subject, "reason": "a fault"}
        with suppress(http.client.HTTPException):
            status, _, _ = browser.ask("POST", "/kill", **form)
            return subject if status == 303 else ""
        return ""


def _check(root: Path, acknowledged: list[str], count: Count) -> None:
    with EvidenceStore.open(root, now=time.time_ns()) as store:
        said = [
            json.loads(store.get_object(e.digest))
            for e in store.list_objects(OBJECT_KIND)
        ]
        count.compare(acknowledged, [str(each["subject"]) for each in said])
        for each in fsck.verify_store(store, None, None, ignore_progress_report):
            if not each.ok:
                count.complain(f"{each.check}: {each.detail}")
